//! Redis and MySQL side by side: whether the archive holds what the logs say, each event once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onsale::domain::event::{Entry, Event, LogKind};
use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use sqlx::mysql::MySqlPool;
use sqlx::{AssertSqlSafe, Row};

use crate::support::wait_until;

/// Both engines of an installation, seen from outside.
pub(crate) struct Ledger {
    pub(crate) redis: MultiplexedConnection,
    pub(crate) mysql: MySqlPool,
}

/// What logs or tables add up to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) places: i64,
    pub(crate) places_ended: i64,
    pub(crate) held: i64,
    pub(crate) confirmed: i64,
    pub(crate) seats_booked: i64,
    pub(crate) payments: i64,
    pub(crate) paid: i64,
    pub(crate) charges: i64,
    pub(crate) charged: i64,
    pub(crate) ledger_entries: i64,
}

async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

impl Ledger {
    pub(crate) async fn open(redis: &str, mysql: &str) -> Self {
        Self { redis: connect(redis).await, mysql: MySqlPool::connect(mysql).await.unwrap() }
    }

    /// The same MySQL beside another Redis.
    pub(crate) async fn beside(&self, redis: &str) -> Self {
        Self { redis: connect(redis).await, mysql: self.mysql.clone() }
    }

    /// Connects anew: Redis was restarted.
    pub(crate) async fn reopen(&mut self, redis: &str) {
        self.redis = connect(redis).await;
    }

    /// Runs a command on Redis.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut self.redis.clone()).await.unwrap()
    }

    /// One number from MySQL.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let sql = format!("select cast(ifnull(({query}), 0) as signed)");
        sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.mysql).await.unwrap().get(0)
    }

    /// The logs that MySQL knows, with the number of the last entry applied.
    pub(crate) async fn applied(&self) -> BTreeMap<String, u64> {
        let rows = sqlx::query("select log, number from log_offsets").fetch_all(&self.mysql).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// The number of the last entry in Redis of each of these logs; 0 if there is none.
    pub(crate) async fn written(&self, logs: impl IntoIterator<Item = &String>) -> BTreeMap<String, u64> {
        let mut written = BTreeMap::new();
        for log in logs {
            let number: Option<u64> = self.ask(&["HGET", &format!("{{{log}}}:meta"), "number"]).await;
            written.insert(log.clone(), number.unwrap_or(0));
        }
        written
    }

    /// Waits until every log has been applied to its end.
    pub(crate) async fn level(&self) {
        wait_until("the archive is level with the logs", async || {
            let applied = self.applied().await;
            self.written(applied.keys()).await == applied
        })
        .await;
    }

    /// A digest of the values of some keys, missing ones as well.
    pub(crate) async fn digest(&self, pattern: &str) -> Vec<(String, String)> {
        let mut keys: Vec<String> = self.ask(&["KEYS", pattern]).await;
        keys.sort();
        let mut digests = Vec::new();
        for key in keys {
            let digest: Vec<String> = self.ask(&["DEBUG", "DIGEST-VALUE", &key]).await;
            digests.push((key, digest.concat()));
        }
        digests
    }

    /// Checks that MySQL has each event of each log exactly once. Answers how many events there are.
    pub(crate) async fn check(&self) -> usize {
        let mut sums = Sums::default();
        let mut events = 0;
        for (log, last) in self.applied().await {
            events += self.check_log(&log, last, &mut sums).await;
        }
        assert_eq!(self.stored().await, sums);
        assert_eq!(self.count("select sum(amount) from ledger_entries").await, 0);
        self.check_balances().await;
        events
    }

    /// Compares the entries in Redis (the whole log: nothing was trimmed) with those in `events`.
    async fn check_log(&self, log: &str, last: u64, sums: &mut Sums) -> usize {
        let read: StreamRangeReply = self.ask(&["XRANGE", &format!("{{{log}}}:log"), "-", "+"]).await;
        let query = "select number, body from events where log = ? order by number";
        let stored = sqlx::query(query).bind(log).fetch_all(&self.mysql).await.unwrap();
        assert_eq!((stored.len() as u64, read.ids.len() as u64), (last, last), "entries of {log}");
        let kind = if log.starts_with('c') { LogKind::Concert } else { LogKind::Wallet };
        let mut events = 0;
        for (at, (entry, row)) in read.ids.iter().zip(&stored).enumerate() {
            let text: String = entry.get("e").unwrap();
            let stored = String::from_utf8(row.get(1)).unwrap();
            assert_eq!((row.get::<u64, _>(0), stored), (at as u64 + 1, text.clone()), "MySQL, Redis: {log}");
            for event in Entry::decode(kind, &text).unwrap().events {
                sums.add(&event);
                events += 1;
            }
        }
        events
    }

    async fn stored(&self) -> Sums {
        Sums {
            places: self.count("select count(*) from queue_tokens").await,
            places_ended: self.count("select count(*) from queue_tokens where ended_at is not null").await,
            held: self.count("select count(*) from reservations").await,
            confirmed: self.count("select count(*) from reservations where status = 'confirmed'").await,
            seats_booked: self.count("select count(*) from booked_seats").await,
            payments: self.count("select count(*) from payments").await,
            paid: self.count("select sum(amount) from payments").await,
            charges: self.count("select count(*) from ledger_transactions where kind = 'charged'").await,
            charged: -self.count("select sum(amount) from ledger_entries where account = 'cash'").await,
            ledger_entries: self.count("select count(*) from ledger_entries").await,
        }
    }

    /// A user's balance in Redis is the sum of his entries in MySQL, and never negative.
    async fn check_balances(&self) {
        let query = "select owner, cast(sum(amount) as signed) from ledger_entries where account = 'user' group by owner";
        let rows = sqlx::query(query).fetch_all(&self.mysql).await.unwrap();
        let stored: BTreeSet<(String, i64)> =
            rows.iter().map(|row| (String::from_utf8(row.get(0)).unwrap(), row.get(1))).collect();
        let mut lying = BTreeSet::new();
        for partition in 0..4 {
            let key = format!("{{w{partition:02}}}:balances");
            let balances: Vec<(String, String)> = self.ask(&["HGETALL", &key]).await;
            let amount =
                |record: &str| record.split(' ').next().and_then(|amount| amount.parse().ok()).unwrap();
            lying.extend(balances.into_iter().map(|(user, record)| (user, amount(&record))));
        }
        assert!(lying.iter().all(|(_, amount)| *amount >= 0));
        assert_eq!(stored, lying);
    }
}

impl Sums {
    fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Joined { .. } => self.places += 1,
            Event::Ended { .. } => self.places_ended += 1,
            Event::Held(_) => self.held += 1,
            Event::Paid(paid) => {
                self.confirmed += 1;
                self.payments += 1;
                self.paid += paid.amount;
                self.seats_booked += i64::try_from(paid.seats.0.len()).unwrap();
            }
            Event::Charged { amount, .. } => {
                self.charges += 1;
                self.charged += amount;
                self.ledger_entries += 2;
            }
            Event::Spent { .. } => self.ledger_entries += 2,
            _ => {}
        }
    }
}
