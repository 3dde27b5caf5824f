//! What an organiser reads of his sale: the report and the exports, and nobody else's.

use serde_json::{Value, json};

use super::app::{App, Setup};
use super::client::Caller;
use super::organiser::of;
use crate::support::gateway::Gateway;
use crate::support::wait_until;

/// Holds these seats.
async fn hold(buyer: &mut Caller, show: u64, seats: &[&str]) -> String {
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": seats})).await;
    assert_eq!(held.status, 201, "{held:?}");
    held.text("reservationId")
}

/// Holds and pays them.
async fn buy(buyer: &mut Caller, show: u64, seats: &[&str]) -> (String, String) {
    let charged = buyer.post_once("c", "/v1/users/me/balance", &json!({"amount": 500_000})).await;
    assert_eq!(charged.status, 200, "{charged:?}");
    let reservation = hold(buyer, show, seats).await;
    let paid = buyer.post("/v1/payments", &json!({"reservationId": reservation})).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    (reservation, paid.text("paymentId"))
}

/// Waits until the archive has all that was sold.
async fn archived(app: &App, booked: i64, reservations: i64) {
    wait_until("the archive is level", async || {
        app.count("select count(*) from booked_seats").await == booked
            && app.count("select count(*) from reservations").await == reservations
    })
    .await;
}

/// A concert with a show of two sections: dear seats A, cheap ones B.
async fn two_sections(app: &App) -> (u64, u64) {
    let mut boss = app.boss().await;
    let concert = json!({"title": "T", "artist": "A", "venue": "V", "policy": {"endTokenOn": "never"}});
    let concert = boss.post("/v1/admin/concerts", &concert).await.number("concertId");
    let section = |name: &str, price: i64| json!({"name": name, "rows": 1, "seatsPerRow": 5, "price": price});
    let sections = [section("A", 50_000), section("B", 20_000)];
    let show = json!({"startsAt": "2030-01-01T00:00:00Z", "currency": "KRW", "sections": sections});
    let made = boss.post(&format!("/v1/admin/concerts/{concert}/shows"), &show).await;
    (concert, made.number("showId"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_adds_up_by_show_section_and_day() {
    let app = App::start().await;
    let (concert, show) = two_sections(&app).await;
    let mut other_show = app.boss().await;
    let section = json!({"name": "A", "rows": 1, "seatsPerRow": 2, "price": 7});
    let more = json!({"startsAt": "2030-01-02T00:00:00Z", "currency": "KRW", "sections": [section]});
    other_show.post(&format!("/v1/admin/concerts/{concert}/shows"), &more).await;
    // Another concert's money is not this one's.
    let (elsewhere, other) = app.on_sale(json!({})).await;
    buy(&mut app.in_line("stranger", elsewhere).await, other, &["A-1-1"]).await;
    let mut buyer = app.in_line("ann", concert).await;
    let (sold, _) = buy(&mut buyer, show, &["A-1-1", "B-1-1", "B-1-2"]).await;
    hold(&mut app.in_line("bob", concert).await, show, &["B-1-3", "A-1-5"]).await;
    let given_back = hold(&mut buyer, show, &["A-1-2"]).await;
    assert_eq!(buyer.delete(&format!("/v1/reservations/{given_back}")).await.status, 204);
    archived(&app, 4, 4).await;

    let path = format!("/v1/admin/concerts/{concert}/report");
    let read = async || of(&app, "demo", "viewer").await.get(&path).await.json();
    // The release is behind the rows that were waited for.
    wait_until("the release is archived", async || read().await["shows"][0]["held"] == 2).await;
    let report = read().await;
    let first = &report["shows"][0];
    let counts = ["seatsTotal", "booked", "held", "blocked"].map(|name| first[name].as_u64().unwrap());
    assert_eq!(counts, [10, 3, 2, 0], "{report}");
    assert_eq!(first["revenue"], json!({"confirmed": 90_000, "refunded": 0, "net": 90_000}));
    assert_eq!(
        first["sections"],
        json!([
            {"section": "A", "seatsTotal": 5, "booked": 1, "held": 1, "revenue": 50_000},
            {"section": "B", "seatsTotal": 5, "booked": 2, "held": 1, "revenue": 40_000},
        ])
    );
    let days = first["days"].as_array().unwrap();
    assert_eq!((days.len(), &days[0]["payments"], &days[0]["net"]), (1, &json!(1), &json!(90_000)));
    assert_eq!(days[0]["day"].as_str().unwrap().len(), 10);
    let second = &report["shows"][1];
    assert_eq!((second["seatsTotal"].as_u64(), second["days"].as_array().unwrap().len()), (Some(2), 0));

    // A seat that went back is sold no more, its money is told on both sides.
    let mut boss = app.boss().await;
    let refund = format!("/v1/admin/reservations/{sold}/refund");
    assert_eq!(boss.post_once("r", &refund, &json!({"seats": ["B-1-2"]})).await.status, 200);
    wait_until("the refund is archived", async || read().await["shows"][0]["booked"] == 2).await;
    let report = read().await;
    let first = &report["shows"][0];
    assert_eq!(first["revenue"], json!({"confirmed": 90_000, "refunded": 20_000, "net": 70_000}));
    assert_eq!(
        first["sections"][1],
        json!({"section": "B", "seatsTotal": 5, "booked": 1, "held": 1, "revenue": 20_000})
    );

    let mut rival = of(&app, "rival", "organiser").await;
    for sheet in ["report", "reservations.csv", "ledger.csv"] {
        let answer = rival.get(&format!("/v1/admin/concerts/{concert}/{sheet}")).await;
        assert!(answer.is(404, "not_found"), "{sheet}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_whole_page_by_page_and_run_nothing_in_a_spreadsheet() {
    let app = App::start().await;
    let (concert, show) = two_sections(&app).await;
    let (paid, payment) = buy(&mut app.in_line("=1+1", concert).await, show, &["A-1-2", "A-1-1"]).await;
    let held = hold(&mut app.in_line("b\"o,b", concert).await, show, &["B-1-3"]).await;
    archived(&app, 2, 2).await;

    let mut organiser = of(&app, "demo", "organiser").await;
    let path = format!("/v1/admin/concerts/{concert}/reservations.csv");
    let whole = organiser.get(&path).await;
    assert_eq!(whole.header("content-type"), "text/csv; charset=utf-8; header=present");
    let name = format!("attachment; filename=\"{concert}-reservations.csv\"");
    assert_eq!((whole.header("content-disposition"), whole.header("link")), (&*name, ""));
    let text = String::from_utf8(whole.bytes.to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let row = |id: &str| *lines.iter().find(|line| line.starts_with(id)).unwrap();
    let begins = format!("{paid},{show},'=1+1,CONFIRMED,A-1-2; A-1-1,100000,KRW,20");
    assert!(row(&paid).starts_with(&begins) && row(&paid).contains(&payment), "{text}");
    let begins = format!("{held},{show},\"b\"\"o,b\",PENDING,B-1-3,20000,KRW,20");
    assert!(row(&held).starts_with(&begins) && row(&held).ends_with(",,"), "{text}");

    let first = organiser.get(&format!("{path}?limit=1")).await;
    let next = first.header("link").trim_start_matches('<').split('>').next().unwrap().to_owned();
    let second = organiser.get(&next).await;
    assert_eq!(second.header("content-type"), "text/csv; charset=utf-8; header=absent");
    assert_eq!(second.header("link"), "");
    assert_eq!([first.bytes, second.bytes].concat(), text.into_bytes());
    for wrong in ["limit=0", "limit=10001", "cursor=x"] {
        assert!(organiser.get(&format!("{path}?{wrong}")).await.is(400, "invalid_request"), "{wrong}");
    }

    let ledger = organiser.get(&format!("/v1/admin/concerts/{concert}/ledger.csv")).await;
    let text = String::from_utf8(ledger.bytes.to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[1].contains(&format!(",PAYMENT,100000,KRW,'=1+1,{show},{paid},")), "{text}");
    assert_eq!(text.matches("\r\n").count(), 2);
    let none: Value = organiser.get(&path).await.json();
    assert_eq!(none, Value::Null, "a sheet is no JSON");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_card_paid_is_revenue_like_what_a_balance_paid() {
    let gateway = Gateway::start().await;
    let app = App::start_with(Setup { gateway: Some(gateway.url().to_owned()), ..Setup::default() }).await;
    let (concert, show) = two_sections(&app).await;
    let (by_balance, _) = buy(&mut app.in_line("ann", concert).await, show, &["B-1-1"]).await;
    let mut carl = app.in_line("carl", concert).await;
    let by_card = hold(&mut carl, show, &["A-1-1"]).await;
    let begun = carl.post("/v1/payments", &json!({"reservationId": by_card, "method": "CARD"})).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    archived(&app, 2, 2).await;

    let mut viewer = of(&app, "demo", "viewer").await;
    let report = viewer.get(&format!("/v1/admin/concerts/{concert}/report")).await.json();
    let sold = &report["shows"][0];
    assert_eq!(sold["revenue"], json!({"confirmed": 70_000, "refunded": 0, "net": 70_000}), "{report}");
    let days = sold["days"].as_array().unwrap().iter();
    assert_eq!(days.map(|day| day["payments"].as_u64().unwrap()).sum::<u64>(), 2, "{report}");
    let sections = ["A", "B"].iter().zip(sold["sections"].as_array().unwrap());
    let revenue: Vec<_> = sections.map(|(name, told)| (*name, told["revenue"].as_i64().unwrap())).collect();
    assert_eq!(revenue, [("A", 50_000), ("B", 20_000)]);

    let ledger = viewer.get(&format!("/v1/admin/concerts/{concert}/ledger.csv")).await;
    let text = String::from_utf8(ledger.bytes.to_vec()).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    for (kind, amount, user, id, method) in
        [("PAYMENT", 20_000, "ann", &by_balance, "BALANCE"), ("PAYMENT", 50_000, "carl", &by_card, "CARD")]
    {
        let begins = format!(",{kind},{amount},KRW,{user},{show},{id},");
        let is_told = |line: &str| line.contains(&begins) && line.ends_with(&format!(",{method}"));
        assert!(text.lines().any(is_told), "{user}: {text}");
    }
}
