//! Logs that tell what can't be: refused whole, by name, with nothing written. And a MySQL that does not answer.

use onsale::archive::{Error, LogState};
use onsale::domain::ids::{Id20, LogName, Mark};
use onsale::loops;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Fresh, LOG_ID, Log, connect, fresh, held, id, paid, refunded};
use crate::support::{SOON, mariadb::MariaDb, proxy::Proxy};

async fn born(log: LogName) -> Fresh {
    let fresh = fresh().await;
    let begun = fresh.archive.begin_log(log, LOG_ID).await;
    begun.expect("MariaDB does as told");
    fresh
}

fn id20(number: u32) -> Id20 {
    id(number).parse().expect("a well-formed id")
}

#[tokio::test]
async fn a_seat_booked_twice_is_refused_by_name() {
    let log = Log::concert(7)
        .and(&[held(1, "ann", 5), held(2, "bob", 5)])
        .and(&[paid(1, "ann", 5)])
        .and(&[paid(2, "bob", 5)]);
    for size in [1, 4] {
        let fresh = born(log.name).await;
        let mut refused = None;
        for batch in log.batches(size) {
            let before = fresh.tables().await;
            if let Err(error) = fresh.archive.apply(&[batch]).await {
                assert_eq!(fresh.tables().await, before);
                refused = Some(error);
            }
        }
        let Some(Error::DoubleBooked { seat, first, second, .. }) = refused else {
            panic!("batches of {size}: {refused:?}")
        };
        assert_eq!((seat, first, second), (5, id20(1), id20(2)));
    }
}

#[tokio::test]
async fn a_seat_refunded_to_whom_it_is_not_booked_is_refused_by_name() {
    let log = Log::concert(7)
        .and(&[held(1, "ann", 5), paid(1, "ann", 5), held(2, "bob", 6), paid(2, "bob", 6)])
        .and(&[refunded(1, "ann", 5)])
        .and(&[refunded(2, "bob", 5)]);
    for size in [1, 4] {
        let fresh = born(log.name).await;
        let mut refused = None;
        for batch in log.batches(size) {
            let before = fresh.tables().await;
            if let Err(error) = fresh.archive.apply(&[batch]).await {
                assert_eq!(fresh.tables().await, before);
                refused = Some(error);
            }
        }
        let Some(Error::NotBooked { seat, reservation, .. }) = refused else {
            panic!("batches of {size}: {refused:?}")
        };
        assert_eq!((seat, reservation), (5, id20(2)));
    }
}

#[tokio::test]
async fn what_does_not_follow_is_refused() {
    let log = Log::concert(7).and(&["show 12 100 3"]).and(&["catalog 4"]).and(&["catalog 5"]);
    let fresh = born(log.name).await;
    let before = fresh.tables().await;

    let mut gap = log.whole();
    gap.entries.remove(1);
    let mut other = log.whole();
    other.entries[2].1 = other.entries[2].1.replacen("0000000000000202", "0000000000000999", 1);
    for batch in [gap, other] {
        let error = fresh.archive.apply(&[batch]).await.unwrap_err();
        assert!(matches!(error, Error::Discontinuity { found: 3, .. }), "{error}");
        assert_eq!(error.log(), Some(log.name));
    }
    assert_eq!(fresh.tables().await, before);
}

#[tokio::test]
async fn a_log_with_another_id_is_refused() {
    let log = Log::new(LogName::Wallet(3)).and(&[format!("opened {} 0", Mark(0xbad))]);
    let fresh = born(log.name).await;
    let error = fresh.archive.apply(&[log.whole()]).await.unwrap_err();
    assert!(matches!(error, Error::Discontinuity { .. }), "{error}");
}

#[tokio::test]
async fn words_and_versions_of_later_times_are_refused() {
    let unknown = Log::concert(7).and(&["vanished 4 1:a"]);
    let mut later = Log::concert(7).and(&["catalog 4"]);
    later.entries[1].1.replace_range(..1, "2");
    for log in [unknown, later] {
        let fresh = born(log.name).await;
        let error = fresh.archive.apply(&[log.whole()]).await.unwrap_err();
        assert!(matches!(error, Error::Entry { number: 2, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_change_of_what_was_never_made_is_refused() {
    let log = Log::concert(7).and(&[paid(1, "ann", 5)]);
    let fresh = born(log.name).await;
    let before = fresh.tables().await;
    let error = fresh.archive.apply(&[log.whole()]).await.unwrap_err();
    assert!(matches!(error, Error::UnknownReservation { log: found } if found == log.name), "{error}");
    assert_eq!(fresh.tables().await, before);
}

#[tokio::test]
async fn a_reservation_made_twice_is_refused_as_a_value() {
    let log = Log::concert(7).and(&[held(1, "ann", 5)]).and(&[held(1, "ann", 6)]);
    let fresh = born(log.name).await;
    let batches = log.batches(1);
    fresh.apply(&batches[..2]).await;
    let error = fresh.archive.apply(&batches[2..]).await.unwrap_err();
    assert!(error.refuses_values(), "{error:?}");
}

#[tokio::test]
async fn a_stopped_log_takes_nothing() {
    let log = Log::concert(7).and(&["catalog 4"]);
    let fresh = born(log.name).await;
    fresh.archive.mark_recovering(log.name).await.unwrap();
    assert!(!fresh.archive.apply(&[log.whole()]).await.unwrap());
    assert_eq!(fresh.archive.offsets().await.unwrap()[0].state, LogState::Recovering);
}

#[tokio::test]
async fn a_mysql_that_swallows_everything_is_away_within_seconds_until_it_answers() {
    let url = MariaDb::database().await;
    let (address, socket) = url.split_once("?socket=").expect("tests use unix sockets");
    let proxy = Proxy::start(socket.as_ref());
    let archive = connect(&format!("{address}?socket={}", proxy.url().trim_start_matches("unix://"))).await;
    let (well_in, mut well) = watch::channel(true);
    let (stop, stopping) = watch::channel(false);
    let watching = tokio::spawn(loops::mysql(archive, well_in, stopping));
    for _ in 0..2 {
        proxy.hold_all();
        // A look a second, and two seconds for an answer; the rest is for a busy machine.
        let noticed = timeout(SOON, well.wait_for(|well| !well)).await;
        noticed.expect("noticed long before anything else gives up").expect("it is watched");
        proxy.pass();
        let noticed = timeout(SOON, well.wait_for(|well| *well)).await;
        noticed.expect("its return, too").expect("it is watched");
    }
    stop.send_replace(true);
    watching.await.expect("it ends when it is told to");
}
