//! What a server had written to MySQL when it died before Redis had it: a worker that runs finishes it.

use onsale::archive::NewConcert;
use onsale::domain::catalog::Section;
use onsale::domain::ids::{ConcertId, ShowId};
use onsale::domain::policy::PolicyState;
use onsale::domain::time::Millis;

use super::ledger::Ledger;
use super::site::Site;
use crate::archive::connect;
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;
use crate::support::wait_until;

fn hall(price: i64) -> Vec<Section> {
    vec![Section { name: "A".into(), price, rows: Some(1), seats_per_row: Some(5), seats: None }]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_worker_opens_what_its_server_left_half_open() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let site = Site::open(&redis.url(), &mysql).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    let archive = connect(&mysql).await;
    let _worker = site.work();
    let made = async |concert| {
        let made = archive.create_show(concert, Millis(0), "KRW", hall(10)).await.unwrap();
        made.expect("the concert is there").0
    };
    let opened = async |concert: ConcertId, show: ShowId| {
        let key = format!("{{c{concert}}}:seats:{show}");
        wait_until("its seats are on sale", async || ledger.ask::<u32>(&["STRLEN", &key]).await == 5).await;
    };
    // The first may be found by the worker's start; the second comes behind it.
    for _ in 0..2 {
        opened(ConcertId(2), made(ConcertId(2)).await).await;
    }
    let text = || "New".to_owned();
    let new = NewConcert {
        org: "demo".into(),
        title: text(),
        artist: text(),
        venue: text(),
        policy: PolicyState::default(),
    };
    let concert = archive.create_concert(&new).await.unwrap();
    opened(concert, made(concert).await).await;

    let seated = archive.change_seating(ConcertId(2), ShowId(2), {
        let whole = Section { rows: Some(10), seats_per_row: Some(100), ..hall(70).remove(0) };
        vec![whole]
    });
    let version = seated.await.unwrap().expect("the show is there").version;
    wait_until("its prices are announced", async || {
        ledger.ask::<u64>(&["HGET", "{c2}:meta", "catalog"]).await == version
    })
    .await;
}
