//! The verbs of a sale, in shows of 100,000 seats.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use onsale::{
    domain::{
        ids::{Id20, LogName, Mark, ReservationId, ShowId, UserId},
        reservation::Seats,
    },
    store::{HoldRequest, PayRequest, direct},
};
use redis::Cmd;

use super::timed;
use crate::{
    Result, SOON,
    catalog::{Hall, PRICE},
    crowd::OTHERS,
    direct::{DEPTH, Direct, known},
    people::users,
    plan::Plan,
    sale::{CONCERT, admitted},
    site::{Part, Site},
    slow::{self, Timed},
};

/// Holds last a day, as admissions do; limits are the defaults.
const LASTING: &str = "{ maxActive: 10000000, admitPerSecond: 100000, activeSeconds: 86400, claimSeconds: 0, holdSeconds: 86400 }";
/// The same, but holds last a second.
const BRIEF: &str =
    "{ maxActive: 10000000, admitPerSecond: 100000, activeSeconds: 86400, claimSeconds: 0, holdSeconds: 1 }";
/// Seats of a user: the default limit.
const LIMIT: usize = 8;
/// Seats of a reservation: the default limit.
const FOUR: usize = 4;
/// Seats of a block: all that the users of one call hold, and all that they want.
const BLOCK: usize = DEPTH * (LIMIT + FOUR);
/// Reservations of one call of the sweeper.
const SWEPT: usize = 32;
/// Shows before those of the blocks.
const FIRST: u32 = 3;

struct Counter {
    site: Site,
    direct: Direct,
    hall: Hall,
    catalog: u64,
    places: Vec<(UserId, u64)>,
}

/// Measures all of them. Why it counts as 0, if an invariant is broken.
pub(crate) async fn verbs(plan: &Plan) -> Result<(Vec<Timed>, Option<String>)> {
    let mut counter = Counter::open(plan).await?;
    let mut all = counter.lasting(plan).await?;
    all.extend(counter.brief(plan).await?);
    for (kind, show) in
        [("res", None), ("expiry", None), ("holder", Some(1)), ("owned", Some(1)), ("seats", Some(1))]
    {
        all.push(counter.pages(plan, kind, show.map(ShowId)).await?);
    }
    counter.site.resume(&OTHERS)?;
    counter.site.drained().await?;
    let broken = counter.site.audit();
    counter.site.pause(&OTHERS)?;
    all.push(counter.trim().await?);
    counter.site.resume(&OTHERS)?;
    Ok((all, broken))
}

impl Counter {
    async fn open(plan: &Plan) -> Result<Self> {
        let rows = plan.rows * 2;
        let blocks =
            u32::try_from((plan.calls * BLOCK).div_ceil(usize::try_from(rows)? * 100 / BLOCK * BLOCK))?;
        let hall = Hall { shows: FIRST + blocks, rows };
        let site = Site::open(&hall.yaml(LASTING)).await?;
        let mut direct = Direct::open(&site, CONCERT).await?;
        // Those who buy, those whose holds lapse, and those who hold what they want.
        let places = direct.join(&users(plan.calls * (2 * DEPTH + DEPTH / 2))).await?;
        admitted(&site).await?;
        site.drained().await?;
        let catalog = direct.catalog().await?;
        Ok(Self { site, direct, hall, catalog, places })
    }

    fn request(&self, place: usize, show: u32, first: usize, seats: usize) -> HoldRequest {
        let (user, seq) = self.places[place].clone();
        let index = |seat: usize| u32::try_from(seat).expect("a hall is small");
        HoldRequest {
            show: ShowId(show),
            user,
            seq: Some(seq),
            catalog: self.catalog,
            seats: Seats((first..first + seats).map(|seat| (index(seat), PRICE)).collect()),
            reservation: Id20::from_bits(rand::random()).with_seats(seats),
            key: Some(format!("s-{show}-{first}-{place}")),
            fingerprint: Mark(rand::random()),
        }
    }

    async fn time(&mut self, what: &str, name: &str, calls: &[Cmd]) -> Result<Timed> {
        Ok(timed(&self.site, &mut self.direct, what, name, calls).await?.0)
    }

    fn holds(&self, requests: &[HoldRequest], batch: usize) -> Vec<Cmd> {
        requests.chunks(batch).map(|batch| direct::hold(self.direct.concert(), batch)).collect()
    }

    /// One seat each: held, then half of them paid and half given back.
    async fn lasting(&mut self, plan: &Plan) -> Result<Vec<Timed>> {
        let requests: Vec<_> = (0..plan.calls * DEPTH).map(|at| self.request(at, 1, at, 1)).collect();
        let (paying, leaving) = requests.split_at(requests.len() / 2);
        let payers: Vec<_> = paying.iter().map(|request| request.user.clone()).collect();
        let partitions = u8::try_from(self.site.config()?.wallet.partitions)?;
        self.site.pause(&OTHERS)?;
        let timing = slow::begin(&self.site).await?;
        self.direct.charge(&payers, PRICE, partitions).await?;
        let charge = slow::end(&self.site, timing, "charge, 64").await?;
        let hold = self.time("hold, 64 of one seat", "held", &self.holds(&requests, DEPTH)).await?;
        let mut wallets = Vec::new();
        for partition in 0..partitions {
            wallets.push(known(&mut self.site.redis().await?, LogName::Wallet(partition)).await?);
        }
        let pays: Vec<_> = paying.iter().map(pay_of).collect();
        let concert = *self.direct.concert();
        let pays: Vec<_> = pays.chunks(DEPTH).map(|batch| direct::pay(&concert, &wallets, batch)).collect();
        let pay = self.time("pay, 64 of one seat", "paid", &pays).await?;
        let given: Vec<_> = leaving.iter().map(|request| (id_of(request), request.user.clone())).collect();
        let given: Vec<_> = given.chunks(DEPTH).map(|batch| direct::release(&concert, batch)).collect();
        let release = self.time("release, 64 of one seat", "released", &given).await?;
        Ok(vec![charge, hold, pay, release])
    }

    /// Holds that lapse, and what they cost whoever meets them.
    async fn brief(&mut self, plan: &Plan) -> Result<Vec<Timed>> {
        self.site.resume(&[Part::Mysql])?;
        self.site.import(&self.hall.yaml(BRIEF))?;
        self.site.pause(&[Part::Mysql])?;
        let holders = 2 * DEPTH * plan.calls;
        let of_four = |at: usize| self.request(holders + at / 2, 2, at * FOUR, FOUR);
        let fours: Vec<_> = (0..plan.calls * DEPTH / FOUR).map(of_four).collect();
        let hold_fours = self.holds(&fours, DEPTH / FOUR);
        let hold_fours = self.time("hold, 16 of four seats", "held", &hold_fours).await?;
        let mut wanted = Vec::new();
        for block in 0..plan.calls {
            wanted.extend(self.fill(plan, block).await?);
        }
        self.lapsed(fours.len() + plan.calls * DEPTH * (LIMIT + 1)).await?;
        let due: Vec<_> = (0..plan.calls).map(|_| direct::due(self.direct.concert(), SWEPT)).collect();
        let due = self.time("due, 32", "due", &due).await?;
        let asked = self
            .insist(
                "hold, 64 of one seat: each under a lapsed hold of four, each buyer with eight lapsed ones",
                &wanted,
            )
            .await?;
        self.lapsed(fours.len() + wanted.len()).await?;
        let ones = self.expire("expire, 32 of one seat", &wanted).await?;
        let fours = self.expire("expire, 32 of four seats", &fours).await?;
        Ok(vec![hold_fours, due, asked, ones, fours])
    }

    /// As a lane asks: those for whom a call had no room go first in the next one.
    async fn insist(&mut self, what: &str, wanted: &[HoldRequest]) -> Result<Timed> {
        let mut waiting: VecDeque<_> = wanted.iter().cloned().collect();
        let timing = slow::begin(&self.site).await?;
        while !waiting.is_empty() {
            let batch: Vec<_> = waiting.drain(..DEPTH.min(waiting.len())).collect();
            let call = direct::hold(self.direct.concert(), &batch);
            let outcomes = self.direct.call(&call).await?;
            for (request, outcome) in batch.into_iter().zip(outcomes).rev() {
                match outcome.first().map(String::as_str) {
                    Some("held") => {}
                    Some("again") => waiting.push_front(request),
                    _ => return Err(format!("{what}: {outcome:?}").into()),
                }
            }
        }
        slow::end(&self.site, timing, what).await
    }

    /// Holds all seats of a block: eight by each of its 64 users, and four for each seat that they will want. Answers the requests for those.
    async fn fill(&mut self, plan: &Plan, block: usize) -> Result<Vec<HoldRequest>> {
        let blocks = usize::try_from(self.hall.rows)? * 100 / BLOCK;
        let (show, base) = (FIRST + u32::try_from(block / blocks)?, block % blocks * BLOCK);
        let users = DEPTH * (plan.calls + block);
        let holders = 2 * DEPTH * plan.calls + DEPTH / 2 * block;
        let wanted = base + DEPTH * LIMIT;
        let own: Vec<_> =
            (0..DEPTH * LIMIT).map(|at| self.request(users + at / LIMIT, show, base + at, 1)).collect();
        let others: Vec<_> =
            (0..DEPTH).map(|at| self.request(holders + at / 2, show, wanted + at * FOUR, FOUR)).collect();
        for call in self.holds(&own, DEPTH).into_iter().chain(self.holds(&others, DEPTH / FOUR)) {
            let outcomes = self.direct.call(&call).await?;
            if let Some(outcome) =
                outcomes.iter().find(|outcome| outcome.first().is_none_or(|name| name != "held"))
            {
                return Err(format!("a hold was refused: {outcome:?}").into());
            }
        }
        Ok((0..DEPTH).map(|at| self.request(users + at, show, wanted + at * FOUR, 1)).collect())
    }

    async fn expire(&mut self, what: &str, requests: &[HoldRequest]) -> Result<Timed> {
        let due: Vec<_> = requests.iter().map(|request| (request.reservation, request.show)).collect();
        let calls: Vec<_> =
            due.chunks(SWEPT).map(|batch| direct::expire(self.direct.concert(), batch)).collect();
        self.time(what, "expired", &calls).await
    }

    /// Waits until so many holds are over.
    async fn lapsed(&self, count: usize) -> Result<()> {
        let (end, mut redis) = (Instant::now() + SOON, self.site.redis().await?);
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().to_string();
            let mut command = redis::cmd("ZCOUNT");
            let command = command.arg("{c1}:expiry").arg("-inf").arg(now);
            if command.query_async::<usize>(&mut redis).await? >= count {
                return Ok(());
            }
            if Instant::now() > end {
                return Err("holds of a second are never over".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Pages as views and audits read them.
    async fn pages(&mut self, plan: &Plan, kind: &str, show: Option<ShowId>) -> Result<Timed> {
        let mut cursor = "0".to_owned();
        let seats = usize::try_from(self.hall.rows)? * 100;
        let timing = slow::begin(&self.site).await?;
        for page in 1..=plan.calls {
            let call = direct::snapshot(self.direct.concert(), kind, &cursor, show);
            let outcome = self.direct.call(&call).await?.pop().ok_or("no page")?;
            let next = outcome.get(1).cloned().unwrap_or_default();
            cursor = if kind == "seats" { (page * 500 % seats).to_string() } else { next };
        }
        slow::end(&self.site, timing, &format!("snapshot, page of {kind}")).await
    }

    /// All of the log, a thousand entries a call.
    async fn trim(&mut self) -> Result<Timed> {
        let log = known(&mut self.site.redis().await?, LogName::Concert(CONCERT)).await?;
        let steps = usize::try_from(log.offset.number)?.div_ceil(1000);
        let calls = vec![direct::trim(&log, log.offset.number); steps];
        self.time("trim, 1,000 entries", "trimmed", &calls).await
    }
}

fn id_of(request: &HoldRequest) -> ReservationId {
    ReservationId { concert: CONCERT, show: request.show, id: request.reservation }
}

fn pay_of(request: &HoldRequest) -> PayRequest {
    PayRequest {
        reservation: id_of(request),
        user: request.user.clone(),
        payment: Id20::from_bits(rand::random()),
        key: request.key.clone(),
        fingerprint: request.fingerprint,
    }
}
