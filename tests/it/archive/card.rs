//! What card payments leave in the tables, and that it does not matter how their logs are cut.

use onsale::archive::{Action, StoredCardState};
use onsale::domain::event::VoidReason;
use onsale::domain::fields::prefixed;
use onsale::domain::ids::{ConcertId, PaymentId, ReservationId, ShowId};

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
