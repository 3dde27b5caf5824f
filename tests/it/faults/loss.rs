//! Redis forgets under running servers: emptied, replaced by an older one, or one that grew again past what was seen.
//! Nothing is sold from it, nothing in it is changed, and what it did not forget goes on.

use std::fs;
use std::path::{Path, PathBuf};

use onsale::domain::ids::{ConcertId, LogName, Mark, UserId};
use onsale::domain::policy::Policy;
use onsale::store::{ChargeRequest, Failure, Store};
use tempfile::TempDir;

use super::buyer::Buyer;
use super::ledger::Ledger;
use super::site::{Server, Site};
use super::worker::store_that_saw_nothing;
use crate::store::{on_sale, soon, user};
use crate::support::http::Answer;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::{Persistence, Redis};
use crate::support::wait_until;

const STOPPED: (u16, &str) = (503, "sales_stopped");

/// Two servers and a worker with a sale under way.
struct Sale {
    redis: Redis,
    site: Site,
    servers: [Server; 2],
    _worker: Process,
    ledger: Ledger,
    /// Active in concert 1, with money in partition 0, holding a seat.
    holder: Buyer,
    held: String,
    /// In line for concert 3.
    waiting: Buyer,
    /// Active in concert 2, with money in partition 2, holding a seat.
    other: Buyer,
    kept: String,
}

/// The first user of this name whose wallet is in `partition`.
fn named(name: &str, partition: u8) -> String {
    let mut names = (0..).map(|number| format!("{name}-{number}"));
    names.find(|name| UserId::new(name).unwrap().partition(4) == partition).unwrap()
}

/// Asks until it is known that nothing happens. What was under way when Redis went is not known, and says so: 504, ask again
/// with the same key.
async fn settled(ask: impl AsyncFn() -> Answer) {
    wait_until("the sale is said to be stopped", async || {
        let answer = ask().await;
        assert!([STOPPED, (504, "outcome_unknown")].contains(&answer.outcome()), "{answer:?}");
        answer.outcome() == STOPPED
    })
    .await;
}

impl Sale {
    async fn open() -> Self {
        let redis = Redis::start_with(Persistence::Always, &["--enable-debug-command", "local"]).await;
        let mysql = MariaDb::database().await;
        let site = Site::open(&redis.url(), &mysql).await;
        let servers = [site.serve().await, site.serve().await];
        let client = &servers[0].client;
        let worker = site.work();
        let buyer =
            |name: &str, partition| Buyer::new(&named(name, partition), &site.folder().join("identity.key"));
        let (mut holder, mut other) = (buyer("holder", 0), buyer("other", 2));
        let mut held = Vec::new();
        for (buyer, number) in [(&mut holder, 1), (&mut other, 2)] {
            assert_eq!(buyer.charge(client, 50_000, "c").await.unwrap().status, 200);
            assert_eq!(buyer.join(client, number).await.unwrap().text("status"), "ACTIVE");
            let answer = buyer.hold(client, number, 0, "h").await.unwrap();
            assert_eq!(answer.status, 201, "{:?}", answer.body);
            held.push(answer.text("reservationId").to_owned());
        }
        let (mut first, mut waiting) = (buyer("first", 3), buyer("waiting", 3));
        assert_eq!(first.join(client, 3).await.unwrap().text("status"), "ACTIVE");
        assert_eq!(waiting.join(client, 3).await.unwrap().text("status"), "WAITING");
        let ledger = Ledger::open(&redis.url(), &mysql).await;
        ledger.level().await;
        let (kept, held) = (held.remove(1), held.remove(0));
        Self { redis, site, servers, _worker: worker, ledger, holder, held, waiting, other, kept }
    }

    fn buyer(&self, name: &str, partition: u8) -> Buyer {
        Buyer::new(&named(name, partition), &self.site.folder().join("identity.key"))
    }

    /// Goes on in concerts 1 and 3 and in partitions 0 and 1, until every server has seen it.
    async fn go_on(&self) {
        let mut late = self.buyer("late", 1);
        for (server, number) in self.servers.iter().zip(1..) {
            for buyer in [&self.holder, &late] {
                let charged = buyer.charge(&server.client, 10_000, &format!("late{number}")).await.unwrap();
                assert_eq!(charged.status, 200);
            }
        }
        let client = &self.servers[0].client;
        for number in 1..5 {
            let mut joining = self.buyer(&format!("joining{number}"), 3);
            assert_eq!(joining.join(client, 3).await.unwrap().text("status"), "WAITING");
            assert_eq!(late.join(client, 1).await.unwrap().text("status"), "ACTIVE");
            let held = late.hold(client, 1, number, &format!("h{number}")).await.unwrap();
            if number == 1 {
                assert_eq!(late.pay(client, held.text("reservationId"), "p").await.unwrap().status, 200);
            }
        }
        for server in &self.servers {
            wait_until("the server has seen it", async || {
                let map = server.client.get("/v1/shows/1/seats?view=status").await.unwrap();
                map.text("status").starts_with("12111")
            })
            .await;
        }
        self.ledger.level().await;
    }

    /// Kills Redis, and starts it again on this append-only file, or on none.
    async fn restart_on(&mut self, appended: Option<&Path>) {
        self.redis.kill();
        replace(&self.redis, appended);
        self.come_back().await;
    }

    /// Starts Redis on what is in its folder. Every server has noticed, by a read: what is sent on a connection that breaks
    /// may have been done, and is told to be unknown.
    async fn come_back(&mut self) {
        self.redis.restart();
        self.ledger.reopen(&self.redis.url()).await;
        for server in &self.servers {
            self.holder.balance(&server.client).await;
        }
    }

    /// Nothing is sold in concert 1 nor paid from partition 0, every server says so, and Redis is as it was.
    async fn assert_stopped(&self) {
        let lost = async || [self.ledger.digest("{c1}*").await, self.ledger.digest("{w00}*").await];
        let before = lost().await;
        for round in 0..2 {
            for server in &self.servers {
                let client = &server.client;
                let key = |word: &str| format!("{word}-{round}-{}", client.address());
                let (hold, pay, charge) = (key("h"), key("p"), key("c"));
                settled(async || self.holder.hold(client, 1, 7, &hold).await.unwrap()).await;
                settled(async || self.holder.pay(client, &self.held, &pay).await.unwrap()).await;
                settled(async || self.buyer("newcomer", 1).join(client, 1).await.unwrap()).await;
                settled(async || self.holder.charge(client, 10_000, &charge).await.unwrap()).await;
            }
        }
        for server in &self.servers {
            self.assert_said_by(server).await;
        }
        assert_eq!(lost().await, before);
        wait_until("the archive takes no more of it", async || {
            let stopped =
                "select count(*) from log_offsets where log in ('c1', 'w00') and state = 'recovering'";
            self.ledger.count(stopped).await == 2
        })
        .await;
    }

    async fn assert_said_by(&self, server: &Server) {
        wait_until("the concert is recovering", async || {
            let concert = server.client.get("/v1/concerts/1").await.unwrap();
            concert.text("state") == "RECOVERING"
        })
        .await;
        wait_until("readyz names concert and wallet", async || {
            let degraded = server.degraded().await;
            ["concert 1", "concert 3", "wallet 0"]
                .iter()
                .all(|name| degraded.iter().any(|other| other == name))
        })
        .await;
        let status = self.waiting.status(&server.client).await.unwrap();
        assert_eq!((status.text("status"), status.text("reason")), ("PAUSED", "recovering"));
    }

    /// Concert 2 and partition 2 sell on, at every server.
    async fn assert_others_go_on(&self) {
        for (server, seat) in self.servers.iter().zip(10..) {
            let charged = self.other.charge(&server.client, 10_000, &format!("on{seat}")).await.unwrap();
            assert_eq!(charged.status, 200, "{:?}", charged.body);
            let mut newcomer = self.buyer(&format!("on{seat}"), 2);
            assert_eq!(newcomer.join(&server.client, 2).await.unwrap().text("status"), "ACTIVE");
            let held = newcomer.hold(&server.client, 2, seat, "h").await.unwrap();
            assert_eq!(held.status, 201, "{:?}", held.body);
            assert!(!server.degraded().await.contains(&"concert 2".to_owned()));
        }
        let paid = self.other.pay(&self.servers[1].client, &self.kept, "p").await.unwrap();
        assert_eq!(paid.status, 200, "{:?}", paid.body);
    }
}

/// The append-only files as they are now.
pub(super) fn copy_of(redis: &Redis) -> TempDir {
    let folder = tempfile::Builder::new().prefix("onsale-aof-").tempdir().unwrap();
    copy(&appended(redis), folder.path());
    folder
}

fn appended(redis: &Redis) -> PathBuf {
    redis.folder().join("appendonlydir")
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Puts these append-only files, or none, in the place of what a killed server had.
pub(super) fn replace(redis: &Redis, files: Option<&Path>) {
    fs::remove_dir_all(appended(redis)).unwrap();
    if let Some(files) = files {
        fs::create_dir(appended(redis)).unwrap();
        copy(files, &appended(redis));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_sells_nothing() {
    let sale = Sale::open().await;
    let () = sale.ledger.ask(&["FLUSHALL"]).await;
    sale.assert_stopped().await;
    assert_eq!(sale.ledger.ask::<u64>(&["DBSIZE"]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_sells_nothing() {
    let mut sale = Sale::open().await;
    sale.restart_on(None).await;
    sale.assert_stopped().await;
    assert_eq!(sale.ledger.ask::<u64>(&["DBSIZE"]).await, 0);
    // A server that starts only now knows from the archive what there was.
    let late = sale.site.serve_anyway().await;
    let joined = sale.buyer("newcomer", 1).join(&late.client, 1).await.unwrap();
    assert_eq!(joined.outcome(), STOPPED);
    assert_eq!(sale.ledger.ask::<u64>(&["DBSIZE"]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_redis_sells_only_what_it_did_not_forget() {
    let mut sale = Sale::open().await;
    let older = copy_of(&sale.redis);
    sale.go_on().await;
    sale.restart_on(Some(older.path())).await;
    sale.assert_stopped().await;
    sale.assert_others_go_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_grew_again_past_what_was_seen_sells_nothing_of_it() {
    let mut sale = Sale::open().await;
    let older = copy_of(&sale.redis);
    sale.go_on().await;
    let seen = sale.ledger.applied().await;
    sale.redis.kill();

    let mut elsewhere = Redis::start_with(Persistence::Always, &[]).await;
    elsewhere.kill();
    replace(&elsewhere, Some(older.path()));
    elsewhere.restart();
    let ledger = sale.ledger.beside(&elsewhere.url()).await;
    let store = store_that_saw_nothing(&elsewhere, &ledger).await;
    for number in 0.. {
        let written = ledger.written(["c1".to_owned(), "c3".to_owned(), "w00".to_owned()].iter()).await;
        if written.iter().all(|(log, number)| *number > seen[log] + 2) {
            break;
        }
        grow(&store, number).await;
    }
    elsewhere.kill();

    replace(&sale.redis, Some(&appended(&elsewhere)));
    sale.come_back().await;
    sale.assert_stopped().await;
    sale.assert_others_go_on().await;
    let applied = sale.ledger.applied().await;
    assert_eq!((applied["c1"], applied["w00"]), (seen["c1"], seen["w00"]));
}

#[tokio::test]
async fn a_wallet_log_stopped_elsewhere_takes_no_money_here_and_the_others_do() {
    let redis = Redis::start().await;
    let store = on_sale(&redis, Policy::default(), 10).await;
    // As when MySQL tells that another server has missed an entry that this one never saw.
    store.seen().get(LogName::Wallet(1)).unwrap().stop();
    let charges = [0, 1, 2].map(|partition| {
        let (store, name) = (store.clone(), user(&named("u", partition)));
        tokio::spawn(async move { charge(&store, &name).await })
    });
    for (partition, charge) in charges.into_iter().enumerate() {
        match charge.await.unwrap() {
            Ok(balance) => assert!(balance == 10_000 && partition != 1),
            Err(Failure::Stopped(LogName::Wallet(1))) => assert_eq!(partition, 1),
            Err(failure) => panic!("{failure}"),
        }
    }
}

/// One more entry in each of the logs that went on elsewhere.
async fn grow(store: &Store, number: u32) {
    let name = user(&named(&format!("elsewhere{number}"), 0));
    for concert in [1, 3] {
        store.join(ConcertId(concert), &name, soon()).await.unwrap();
    }
    charge(store, &name).await.unwrap();
}

/// Answers the balance.
async fn charge(store: &Store, name: &UserId) -> Result<i64, Failure> {
    let charge = ChargeRequest {
        by: name.clone(),
        user: name.clone(),
        charge: store.new_id(),
        amount: 10_000,
        key: "c".into(),
        refusal: None,
        fingerprint: Mark(1),
    };
    Ok(store.charge(charge, soon()).await?.value.balance)
}
