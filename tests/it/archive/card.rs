//! What card payments leave in the tables, and that it does not matter how their logs are cut.

use onsale::archive::{Action, StoredCardState};
use onsale::domain::event::VoidReason;
use onsale::domain::fields::prefixed;
use onsale::domain::ids::{ConcertId, PaymentId, ReservationId, ShowId};
use onsale::domain::time::Millis;

use super::{Fresh, LOG_ID, Log, fresh, held, id};

/// `word` of payment 3000 + n for reservation n.
fn card(word: &str, reservation: u32, more: &str) -> String {
    let user = prefixed("ann");
    format!("{word} {} 12 {user} {}{more}", id(reservation), id(reservation + 3000))
}

/// r1 is paid by card, r2's card is declined, r3 is over before its bank answers.
fn concert() -> Log {
    let extended = |n| format!("extended {} 12 {} 901000", id(n), prefixed("ann"));
    Log::concert(7)
        .and(&[held(1, "ann", 5), held(2, "ann", 6), held(3, "ann", 7)])
        .and(&[
            extended(1),
            card("authorising", 1, " 500 0: -"),
            extended(2),
            card("authorising", 2, " 500 0: -"),
        ])
        .and(&[card("authorising", 3, " 500 0: -")])
        .and(&[card("authorised", 1, " 500 80 5:500 0: -"), card("voiding", 2, " declined")])
        .and(&[card("captured", 1, ""), card("voided", 2, "")])
        .and(&[format!("expired {} 12 {} 7:500", id(3), prefixed("ann")), card("voiding", 3, " expired")])
}

fn wallet() -> Log {
    let charged = format!("charged {} {} 80 80 4:k:xx 00000000000000ac", id(50), prefixed("ann"));
    let passed = format!("authorised {} {} 7 12 {} 500 80", id(3001), prefixed("ann"), id(1));
    Log::wallet(3).and(&[charged]).and(&[passed])
}

async fn begun() -> Fresh {
    let fresh = fresh().await;
    for log in [concert().name, wallet().name] {
        fresh.archive.begin_log(log, LOG_ID).await.unwrap();
    }
    fresh
}

#[tokio::test]
async fn card_payments_leave_their_rows_however_the_log_is_cut() {
    let whole = begun().await;
    whole.apply(&[concert().whole(), wallet().whole()]).await;
    let (one, two, three) = (id(1), id(2), id(3));
    let (paid, declined, late) = (id(3001), id(3002), id(3003));
    assert_eq!(
        whole.rows("card_payments").await,
        [
            format!("7|{paid}|{one}|12|ann|500|captured|~|3000|6000"),
            format!("7|{declined}|{two}|12|ann|500|voided|declined|3000|6000"),
            format!("7|{late}|{three}|12|ann|500|void|expired|4000|7000"),
        ]
    );
    assert_eq!(
        whole.rows("reservations").await,
        [
            format!("7|{one}|12|ann|confirmed|500|5:500|2000|901000|~|{paid}|2|80|5000|5|~|~|~|3"),
            format!("7|{two}|12|ann|pending|500|6:500|2000|901000|~|~|2|~|~|~|~|~|~|3"),
            format!("7|{three}|12|ann|expired|500|7:500|2000|301000|7000|~|2|~|~|7|~|~|~|~"),
        ]
    );
    assert_eq!(whole.rows("booked_seats").await, [format!("12|5|7|{one}")]);
    let entries = whole.rows("ledger_entries").await;
    assert_eq!(entries[2..], ["w03|3|0|0|gateway||-500|~", "w03|3|0|1|concert|7|500|~"]);
    assert_eq!(whole.archive.ledger_of("ann", None, 10).await.unwrap().items.len(), 1);
    for size in [1, 2, 3] {
        let cut = begun().await;
        cut.apply(&concert().batches(size)).await;
        cut.apply(&wallet().batches(size)).await;
        assert_eq!(cut.tables().await, whole.tables().await, "batches of {size}");
    }
}

/// r1 had a second seat; both go back to the card one after the other, and the gateway refuses the first at first.
#[tokio::test]
async fn refunds_to_cards_leave_their_rows_however_the_log_is_cut() {
    let user = prefixed("ann");
    let (one, p1, f1, f2) = (id(1), id(3001), id(4001), id(4002));
    let concert = Log::concert(7)
        .and(&[format!("held {one} 12 {user} 800 301000 3 5:500,6:300 0: -")])
        .and(&[card("authorising", 1, " 800 0: -")])
        .and(&[card("authorised", 1, " 800 80 5:500,6:300 0: -")])
        .and(&[card("captured", 1, "")])
        .and(&[format!("refunding {one} 12 {user} {f1} 300 80 6:300 6:300 confirmed 0: - {p1} 800")])
        .and(&[card("refused", 1, &format!(" {f1} 300"))])
        .and(&[format!("refunding {one} 12 {user} {f2} 500 80 5:500 5:500,6:300 refunded 0: - {p1} 800")])
        .and(&[card("returned", 1, &format!(" {f1} 300"))]);
    let wallet = Log::wallet(3)
        .and(&[format!("authorised {p1} {user} 7 12 {one} 800 80")])
        .and(&[format!("refunding {f1} {user} 7 12 {one} 300 80")]);
    let whole = begun().await;
    whole.apply(&[concert.whole(), wallet.whole()]).await;
    assert_eq!(
        whole.rows("card_refunds").await,
        [
            format!("7|{f1}|{p1}|{one}|12|ann|300|returned|6000|9000"),
            format!("7|{f2}|{p1}|{one}|12|ann|500|refund|8000|8000"),
        ]
    );
    assert_eq!(whole.rows("booked_seats").await, Vec::<String>::new());
    let entries = whole.rows("ledger_entries").await;
    assert_eq!(entries[2..], ["w03|3|0|0|concert|7|-300|~", "w03|3|0|1|gateway||300|~"]);
    assert_eq!(whole.archive.ledger_of("ann", None, 10).await.unwrap().items, []);
    let progress = whole.archive.refunds_of(ConcertId(7), ShowId(12)).await.unwrap();
    assert_eq!((progress.refunded, progress.outstanding, progress.amount), (1, 0, 800));
    assert_eq!(progress.at_gateway, 1);
    let reservation = ReservationId { concert: ConcertId(7), show: ShowId(12), id: one.parse().unwrap() };
    let history = whole.archive.history_of(reservation).await.unwrap();
    let actions: Vec<_> = history.iter().map(|item| item.action).collect();
    assert_eq!(actions, [Action::Held, Action::Confirmed, Action::Refunded, Action::Refunded]);
    let money = whole.archive.sales(ConcertId(7), Millis(0), |_| ()).await.unwrap();
    let [day] = &money[..] else { panic!("{money:?}") };
    assert_eq!((day.payments, day.paid, day.refunds, day.refunded), (1, 800, 1, 300));
    let moved = whole.archive.movements_in(ConcertId(7), None, 10).await.unwrap().items;
    let moved: Vec<_> = moved.iter().map(|item| (item.kind.as_str(), item.amount)).collect();
    assert_eq!(moved, [("card", 800), ("card_back", -300)]);
    for size in [1, 2, 3] {
        let cut = begun().await;
        cut.apply(&concert.batches(size)).await;
        cut.apply(&wallet.batches(size)).await;
        assert_eq!(cut.tables().await, whole.tables().await, "batches of {size}");
    }
}

#[tokio::test]
async fn a_card_payment_and_its_reservation_are_read_back() {
    let fresh = begun().await;
    fresh.apply(&[concert().whole(), wallet().whole()]).await;
    let reservation =
        |n| ReservationId { concert: ConcertId(7), show: ShowId(12), id: id(n).parse().unwrap() };
    let named = |n: u32| PaymentId { reservation: reservation(n), id: id(3000 + n).parse().unwrap() };
    for (n, state) in [
        (1, StoredCardState::Paid),
        (2, StoredCardState::Void(VoidReason::Declined)),
        (3, StoredCardState::Void(VoidReason::Expired)),
    ] {
        let card = fresh.archive.card(named(n)).await.unwrap().unwrap();
        assert_eq!((card.state, card.amount, card.user.as_str()), (state, 500, "ann"));
    }
    assert_eq!(fresh.archive.card(named(4)).await.unwrap(), None);
    let history = fresh.archive.history_of(reservation(1)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|item| item.action).collect();
    assert_eq!(actions, [Action::Held, Action::Extended, Action::Confirmed]);
}
