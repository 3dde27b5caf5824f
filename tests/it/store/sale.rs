//! One seat sold, and one seat wanted by many.

use onsale::domain::ids::{Mark, ReservationId};
use onsale::domain::outcome::{InvalidReason, Refusal};
use onsale::domain::policy::Policy;
use onsale::domain::reservation::{Seats, Status};
use onsale::store::{ChargeRequest, Failure, HoldRequest, PayRequest, PlaceState, Store};

use tokio::task::JoinSet;

use super::{CONCERT, SHOW, on_sale, soon, user};
use crate::support::redis::Redis;
use crate::support::wait_until;

fn hold(store: &Store, name: &str, seq: u64, seats: &[u32]) -> HoldRequest {
    HoldRequest {
        show: SHOW,
        user: user(name),
        seq: Some(seq),
        catalog: 1,
        seats: Seats(seats.iter().map(|index| (*index, 50_000)).collect()),
        reservation: store.new_id(),
        key: None,
        fingerprint: Mark(1),
    }
}

#[tokio::test]
async fn a_seat_is_sold_end_to_end() {
    let redis = Redis::start_durable().await;
    let store = on_sale(&redis, Policy::default(), 50).await;

    let joined = store.join(CONCERT, &user("a|b c"), soon()).await.unwrap().value;
    assert!(joined.fresh && matches!(joined.place, PlaceState::Active { .. }), "{joined:?}");
    let held = store.hold(CONCERT, hold(&store, "a|b c", joined.seq, &[3, 1]), soon()).await.unwrap().value;
    assert_eq!((held.amount, held.seats.to_string().as_str()), (100_000, "3:50000,1:50000"));

    let reservation = ReservationId { concert: CONCERT, show: SHOW, id: held.reservation };
    let pay = PayRequest {
        reservation,
        user: user("a|b c"),
        payment: store.new_id(),
        key: Some("k".into()),
        fingerprint: Mark(2),
    };
    let refused = store.pay(pay.clone(), soon()).await.unwrap_err();
    let Failure::Refused(Refusal::InsufficientBalance { current: 0, required: 100_000 }) = refused else {
        panic!("{refused:?}")
    };
    let charge = ChargeRequest {
        refusal: None,
        by: user("a|b c"),
        user: user("a|b c"),
        charge: store.new_id(),
        amount: 150_000,
        key: "c".into(),
        fingerprint: Mark(3),
    };
    let charged = store.charge(charge, soon()).await.unwrap().value;
    assert_eq!(charged.balance, 150_000);
    let paid = store.pay(pay.clone(), soon()).await.unwrap();
    assert_eq!((paid.value.balance, paid.replayed), (50_000, false));
    let again = store.pay(pay, soon()).await.unwrap();
    assert_eq!((again.value, again.replayed), (paid.value, true));

    let found = store.reservation(reservation, soon()).await.unwrap().value.unwrap();
    assert_eq!(found.status, Status::Confirmed);
    assert_eq!(store.balance(&user("a|b c"), soon()).await.unwrap().amount, 50_000);
    let gone = store.claim(CONCERT, &user("a|b c"), joined.seq, soon()).await.unwrap_err();
    assert!(matches!(gone, Failure::Refused(Refusal::QueueTokenExpired)), "{gone:?}");
    let other = PayRequest {
        reservation,
        user: user("a|b c"),
        payment: store.new_id(),
        key: None,
        fingerprint: Mark(2),
    };
    let twice = store.pay(other, soon()).await.unwrap_err();
    assert!(matches!(twice, Failure::Refused(Refusal::InvalidReservation(InvalidReason::AlreadyPaid))));
}

#[tokio::test]
async fn one_of_a_thousand_gets_the_seat() {
    let redis = Redis::start().await;
    let policy = Policy { max_active: 1000, admit_per_second: 100_000.0, ..Policy::default() };
    let store = on_sale(&redis, policy, 50).await;
    let buyers = (0..1000).map(|i| {
        let store = store.clone();
        tokio::spawn(async move {
            let name = format!("u{i}");
            let joined = store.join(CONCERT, &user(&name), soon()).await.unwrap().value;
            assert!(matches!(joined.place, PlaceState::Active { .. }), "{joined:?}");
            store.hold(CONCERT, hold(&store, &name, joined.seq, &[7]), soon()).await
        })
    });
    let mut won = 0;
    for buyer in buyers.collect::<Vec<_>>() {
        match buyer.await.unwrap() {
            Ok(_) => won += 1,
            Err(Failure::Refused(Refusal::SeatUnavailable { seats })) => assert_eq!(seats, [7]),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
}

/// Each finds four seats whose time is over: more than one call gives back.
#[tokio::test]
async fn all_get_their_seats_though_a_call_has_no_room_for_all() {
    let redis = Redis::start().await;
    let policy = Policy { hold_seconds: 1, admit_per_second: 100_000.0, ..Policy::default() };
    let store = on_sale(&redis, policy, 50 * 4).await;
    let mut last = None;
    for number in 0..50 {
        let name = format!("first{number}");
        let seq = store.join(CONCERT, &user(&name), soon()).await.unwrap().value.seq;
        let seats = [4 * number, 4 * number + 1, 4 * number + 2, 4 * number + 3];
        last = Some(store.hold(CONCERT, hold(&store, &name, seq, &seats), soon()).await.unwrap().value);
    }
    let last = ReservationId { concert: CONCERT, show: SHOW, id: last.unwrap().reservation };
    wait_until("the last hold is over", async || {
        let read = store.reservation(last, soon()).await.unwrap();
        read.now >= read.value.unwrap().end
    })
    .await;

    let mut buyers = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        buyers.spawn(async move {
            let name = format!("second{number}");
            let seq = store.join(CONCERT, &user(&name), soon()).await.unwrap().value.seq;
            store.hold(CONCERT, hold(&store, &name, seq, &[4 * number]), soon()).await.unwrap()
        });
    }
    while let Some(held) = buyers.join_next().await {
        assert_eq!(held.unwrap().value.seats.0.len(), 1);
    }
}
