//! A line that grows to ten million, and what one more join costs in it.
//!
//! Nobody is kept here: the user and the place of a number can be told again, since places are given in the order of numbers.

use std::time::{Duration, Instant};

use onsale::{domain::ids::UserId, store::direct};

use crate::{
    Result, SOON,
    catalog::Hall,
    cpu::Meter,
    direct::Direct,
    people::user,
    sale::CONCERT,
    site::{Part, Site},
    stats,
};

/// Closed: everybody waits.
const CLOSED: &str = "{ maxActive: 0 }";
/// Users of one step of growing: bounds what we hold in memory.
const STEP: usize = 1 << 16;
/// Joins of one call: the batch weight limit.
pub(crate) const BATCH: usize = 64;
/// Calls between two looks at the CPU: a line of a thousand must not grow much meanwhile.
const CALLS: usize = 4;
/// Numbers of those who come and go, above all who stay.
const PASSING: usize = 1 << 32;
/// Entries that are left of a trimmed log at most.
const TRIMMED: usize = 100;
/// All but Redis.
pub(crate) const OTHERS: [Part; 3] = [Part::Server, Part::Worker, Part::Mysql];

/// The catalog of a crowd, with this policy.
pub(crate) fn catalog(policy: &str) -> String {
    Hall { shows: 1, rows: 10 }.yaml(policy)
}

/// An installation with a line.
pub(crate) struct Crowd {
    pub(crate) site: Site,
    pub(crate) direct: Direct,
    /// How many wait.
    pub(crate) waiting: usize,
    /// Number of the first of each step, and the number of his place.
    steps: Vec<(usize, u64)>,
    passed: usize,
    /// Redis's memory before anybody came, bytes.
    empty: f64,
}

impl Crowd {
    /// With so many in line.
    pub(crate) async fn open(waiting: usize) -> Result<Self> {
        // Logs are kept for a second only: a line is measured without them.
        let settings = [("ONSALE__LOG__KEEP_SECONDS", "1")];
        let site = Site::open_with(&catalog(CLOSED), &settings).await?;
        let direct = Direct::open(&site, CONCERT).await?;
        let empty = stats::memory(&site).await?;
        let mut crowd = Self { site, direct, waiting: 0, steps: Vec::new(), passed: 0, empty };
        crowd.grow(waiting).await?;
        Ok(crowd)
    }

    /// Lets people join until so many wait, archive and view have followed, and the log is trimmed.
    pub(crate) async fn grow(&mut self, waiting: usize) -> Result<()> {
        while self.waiting < waiting {
            let end = waiting.min(self.waiting + STEP);
            let users: Vec<_> = (self.waiting..end).map(user).collect();
            let places = self.direct.join(&users).await?;
            let first = places.first().ok_or("nobody joined")?.1;
            let is_dense = places.last().is_some_and(|(_, seq)| *seq == first + places.len() as u64 - 1);
            if !is_dense {
                return Err("somebody else joined".into());
            }
            self.steps.push((self.waiting, first));
            self.waiting = end;
        }
        self.settle().await
    }

    /// Waits until nothing goes on any more.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.site.drained().await?;
        let end = Instant::now() + SOON;
        while stats::kept(&self.site, CONCERT).await? > TRIMMED || stats::rewrites(&self.site).await? {
            if Instant::now() > end {
                return Err("the log is not trimmed".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The user with this number and the number of his place.
    pub(crate) fn place(&self, number: usize) -> (UserId, u64) {
        let step = self.steps.partition_point(|(first, _)| *first <= number) - 1;
        let (first, seq) = self.steps[step];
        (user(number), seq + (number - first) as u64)
    }

    /// So many places, spread over the line.
    pub(crate) fn places(&self, count: usize) -> Vec<(UserId, u64)> {
        let every = (self.waiting / count).max(1);
        (0..self.waiting).step_by(every).map(|number| self.place(number)).collect()
    }

    /// Redis's CPU for one join, µs, when so many come and go again, 64 a call; nobody else asks Redis meanwhile.
    pub(crate) async fn cost_of_join(&mut self, joins: usize) -> Result<f64> {
        self.site.pause(&OTHERS)?;
        let redis = [("redis", self.site.id(Part::Redis))];
        let (mut seconds, mut done) = (0.0, 0_u32);
        while (done as usize) < joins {
            let users = self.strangers(BATCH * CALLS);
            let mut places = Vec::new();
            let calls: Vec<_> =
                users.chunks(BATCH).map(|batch| direct::join(self.direct.concert(), batch)).collect();
            let meter = Meter::start(&redis);
            for (call, batch) in calls.iter().zip(users.chunks(BATCH)) {
                places.extend(joined(batch, &self.direct.call(call).await?)?);
            }
            seconds += meter.stop().total();
            done += u32::try_from(places.len())?;
            for batch in places.chunks(BATCH) {
                let leave = direct::leave(self.direct.concert(), batch);
                self.direct.call(&leave).await?;
            }
        }
        self.site.resume(&OTHERS)?;
        Ok(seconds * 1e6 / f64::from(done))
    }

    /// Redis's memory for one who waits, bytes.
    #[expect(clippy::cast_precision_loss, reason = "a line is shorter than 2^52")]
    pub(crate) async fn redis_bytes(&self) -> Result<f64> {
        Ok((stats::memory(&self.site).await? - self.empty) / self.waiting as f64)
    }

    /// Users who never came before.
    pub(crate) fn strangers(&mut self, count: usize) -> Vec<UserId> {
        let first = PASSING + self.passed;
        self.passed += count;
        (first..first + count).map(user).collect()
    }
}

/// The places that a call gave.
pub(crate) fn joined(users: &[UserId], outcomes: &[Vec<String>]) -> Result<Vec<(UserId, u64)>> {
    let place = |(user, outcome): (&UserId, &Vec<String>)| {
        let is_waiting = outcome.first().is_some_and(|name| name == "waiting");
        let seq = outcome.get(1).and_then(|seq| seq.parse().ok()).filter(|_| is_waiting);
        seq.map(|seq| (user.clone(), seq)).ok_or_else(|| format!("a join was refused: {outcome:?}").into())
    };
    users.iter().zip(outcomes).map(place).collect()
}
