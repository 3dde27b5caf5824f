//! Trimming beside a sale: only what the archive has goes, and everybody goes on.

use std::time::Duration;

use onsale::domain::ids::LogName;
use onsale::domain::policy::Policy;
use onsale::follow::ArchiveFollower;
use onsale::loops::{Trimming, trimming};
use onsale::store::Settings;
use onsale::store::log::Tail;
use tokio::sync::watch;

use crate::archive::connect;
use crate::store::{CONCERT, on_sale, soon, user};
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;
use crate::support::wait_until;

const LOG: LogName = LogName::Concert(CONCERT);

#[tokio::test]
async fn a_log_is_trimmed_as_far_as_the_archive_has_it_and_the_line_goes_on() {
    let redis = Redis::start().await;
    let archive = connect(&MariaDb::database().await).await;
    archive.migrate().await.unwrap();
    let store = on_sale(&redis, Policy { max_active: 0, ..Policy::default() }, 10).await;
    let second = Duration::from_secs(1);
    let settings = Settings { url: redis.url(), response_timeout: second, connect_timeout: second };
    let tail = Tail::new(&settings).unwrap();

    // The archive does not know the log yet: nothing may go.
    let (follower, applied) = ArchiveFollower::new(archive.clone(), Tail::new(&settings).unwrap());
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(follower.run(stopping.clone()));
    let period = Duration::from_millis(20);
    let trim = Trimming { store: store.clone(), applied, period, keep: Duration::ZERO };
    tokio::spawn(trimming(trim, stopping));
    for i in 0..1500 {
        store.join(CONCERT, &user(&format!("u{i}")), soon()).await.unwrap();
    }
    let bounds = tail.bounds(LOG).await.unwrap();
    assert_eq!(bounds.trim, 0, "the archive has nothing of {bounds:?}");

    archive.begin_log(LOG, bounds.log_id.unwrap()).await.unwrap();
    wait_until("all but the last entry are trimmed", async || {
        let now = tail.bounds(LOG).await.unwrap();
        now.trim == now.last.number - 1
    })
    .await;
    let kept = tail.read(&[(LOG, 0)], 10, Duration::from_millis(1)).await.unwrap();
    assert_eq!(kept.iter().map(|(_, entries)| entries.len()).sum::<usize>(), 1);
    let archived = archive.entries_after(LOG, 0, 5000).await.unwrap();
    assert_eq!(archived.len() as u64, bounds.last.number);

    // A server whose knowledge ends below the trim mark and one that is level both go on.
    let other = crate::store::store_on(&redis, onsale::store::SeenLogs::default());
    let early = &archived[0];
    let seen = onsale::follow::follows(onsale::domain::ids::Offset::default(), early.0, &early.1).unwrap();
    other.seen().register(LOG, bounds.log_id.unwrap(), seen);
    assert!(other.join(CONCERT, &user("late"), soon()).await.unwrap().value.fresh);
    assert!(store.join(CONCERT, &user("later"), soon()).await.unwrap().value.fresh);
    stop.send_replace(true);
}
