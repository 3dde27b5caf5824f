//! Histories: pages, newest first, and nothing of anybody else's.

use onsale::archive::{Action, LedgerCursor, LedgerKind, ReservationCursor};
use onsale::domain::fields::prefixed;
use onsale::domain::ids::{ConcertId, PaymentId, ReservationId, ShowId};
use onsale::domain::reservation::Status;

use super::{LOG_ID, Log, fresh, held, id, paid, refunded};

fn reservation(number: u32) -> ReservationId {
    ReservationId { concert: ConcertId(7), show: ShowId(12), id: id(number).parse().unwrap() }
}

#[tokio::test]
async fn a_users_reservations_come_in_pages() {
    let fresh = fresh().await;
    // Three at the same millisecond, and a neighbour whose name differs by a space at its end.
    let log = Log::concert(7)
        .and(&[held(1, "ann", 1)])
        .and(&[held(2, "ann", 2), held(3, "ann", 3), held(4, "ann", 4), held(9, "ann ", 9)])
        .and(&[held(5, "ann", 5), paid(1, "ann", 1)]);
    fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
    fresh.apply(&[log.whole()]).await;

    let (mut seen, mut cursor) = (Vec::new(), None::<ReservationCursor>);
    loop {
        let page = fresh.archive.reservations_of("ann", cursor, 2).await.unwrap();
        seen.extend(page.items.into_iter().map(|item| (item.reservation, item.status)));
        let Some(next) = page.next else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    let status = |n| {
        if n == 1 { Status::Confirmed } else { Status::Pending }
    };
    let expected: Vec<_> = [5, 4, 3, 2, 1].map(|n| (reservation(n), status(n))).into();
    assert_eq!(seen, expected);
    assert!("x".parse::<ReservationCursor>().is_err());
}

#[tokio::test]
async fn a_ledger_is_newest_first_and_ones_own() {
    let fresh = fresh().await;
    let (ann, cash) = (prefixed("ann"), prefixed("cash"));
    let log = Log::wallet(3)
        .and(&[
            format!("charged {} {ann} 1000 1000 0: -", id(1)),
            format!("charged {} {cash} 5 5 0: -", id(2)),
        ])
        .and(&[
            format!("paid {} {ann} 7 12 {} 400 600", id(3), id(30)),
            format!("charged {} {ann} 50 650 0: -", id(4)),
        ]);
    fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
    fresh.apply(&[log.whole()]).await;

    let first = fresh.archive.ledger_of("ann", None, 2).await.unwrap();
    let cursor: LedgerCursor = first.next.unwrap().to_string().parse().unwrap();
    let second = fresh.archive.ledger_of("ann", Some(cursor), 2).await.unwrap();
    assert_eq!(second.next, None);
    let shown: Vec<_> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|item| (item.kind, item.amount, item.balance_after, item.reservation))
        .collect();
    assert_eq!(
        shown,
        [
            (LedgerKind::Charge, 50, 650, None),
            (LedgerKind::Payment, -400, 600, Some(reservation(30))),
            (LedgerKind::Charge, 1000, 1000, None),
        ]
    );
    assert_eq!(fresh.archive.ledger_of("cash", None, 50).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_reservation_tells_its_history_and_its_payment() {
    let fresh = fresh().await;
    let ann = prefixed("ann");
    let log = Log::concert(7)
        .and(&[held(1, "ann", 1), held(2, "ann", 2), held(3, "ann", 3)])
        .and(&[paid(1, "ann", 1), format!("released {} 12 {ann} 2:500 user", id(2))])
        .and(&[format!("expired {} 12 {ann} 3:500", id(3)), held(5, "ann", 4), paid(5, "ann", 4)])
        .and(&[refunded(5, "ann", 4)]);
    fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
    fresh.apply(&log.batches(1)).await;

    let mut told = Vec::new();
    for number in 1..=5 {
        let history = fresh.archive.history_of(reservation(number)).await.unwrap();
        told.push(history.iter().map(|item| (item.at.0, item.action, item.reason)).collect::<Vec<_>>());
    }
    let held = (2000, Action::Held, None);
    assert_eq!(told[0], [held, (3000, Action::Confirmed, None)]);
    assert_eq!(told[1], [held, (3000, Action::Released, None)]);
    assert_eq!(told[2], [held, (4000, Action::AutoRelease, Some("EXPIRED"))]);
    assert_eq!(told[3], []);
    let bought = [(4000, Action::Held, None), (4000, Action::Confirmed, None)];
    assert_eq!(told[4], [&bought[..], &[(5000, Action::Refunded, None)]].concat());
    let statuses = [1, 2, 3, 4, 5].map(|number| fresh.archive.status_of(reservation(number)));
    let mut found = Vec::new();
    for status in statuses {
        found.push(status.await.unwrap().map(Status::as_str));
    }
    assert_eq!(found, [Some("confirmed"), Some("cancelled"), Some("expired"), None, Some("refunded")]);

    let payment = PaymentId { reservation: reservation(1), id: id(1001).parse().unwrap() };
    let stored = fresh.archive.payment(payment).await.unwrap().unwrap();
    assert_eq!((stored.user.as_str(), stored.amount, stored.balance), ("ann", 500, 9500));
    assert_eq!(stored.seats.to_string(), "1:500");
    let other = PaymentId { reservation: reservation(2), ..payment };
    assert_eq!(fresh.archive.payment(other).await.unwrap(), None);

    // The show is part of the name.
    let elsewhere = ReservationId { show: ShowId(13), ..reservation(1) };
    assert_eq!(fresh.archive.history_of(elsewhere).await.unwrap(), []);
    let elsewhere = PaymentId { reservation: elsewhere, ..payment };
    assert_eq!(fresh.archive.payment(elsewhere).await.unwrap(), None);
}
