//! P11: holds while half of all holds lapse.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{
    Result, SOON,
    catalog::{Hall, Seat, Seats, concerts},
    goal::{Goal, Outcome, Row},
    load::{Answer, Source, closed},
    people::{Person, Signer, Turn, users},
    plan::Plan,
    rounds::Series,
    site::Site,
    turnover::{UNGATED, hold},
};

/// Connections.
const FEW: usize = 64;
/// The same as [`UNGATED`], but holds last a second.
const BRIEF: &str = "{ gated: [], holdSeconds: 1, maxSeatsPerUser: 1000 }";
/// Until holds lapse as fast as they are made.
const WARM: Duration = Duration::from_millis(1500);

/// Holds in both concerts in turn.
struct Holder {
    turn: Turn,
    /// Of the first concert; the second is alike.
    seats: Seats,
    /// The seat that is still to be held in the second concert.
    twin: Option<Seat>,
    shows: u32,
    sent: u64,
}

impl Source for Holder {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let seat = match self.twin.take() {
            Some(seat) => Seat { show: seat.show + self.shows, ..seat },
            None => match self.seats.take() {
                Some(seat) => *self.twin.insert(seat),
                None => return false,
            },
        };
        let Person { identity, .. } = self.turn.advance();
        self.sent += 1;
        hold(request, identity, seat, self.sent);
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == 201
    }
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let (lasting, lasting_sources) = open(plan, &[UNGATED, UNGATED]).await?;
    let (lapsing, lapsing_sources) = open(plan, &[UNGATED, BRIEF]).await?;
    let (mut sources, mut rates) =
        ([lasting_sources, lapsing_sources], [Series::default(), Series::default()]);
    let (mut overdue, mut trouble) = (Series::default(), None);
    for _ in 0..plan.rounds {
        for (side, site) in [&lasting, &lapsing].into_iter().enumerate() {
            let turned = std::mem::take(&mut sources[side]);
            let (turned, warm) = closed::run(site.address(), turned, WARM).await?;
            let (turned, report) = closed::run(site.address(), turned, plan.time).await?;
            rates[side].push(report.rate());
            trouble = trouble.or(warm.trouble()).or(report.trouble());
            if side == 1 {
                overdue.push(count_overdue(site).await?);
                all_lapsed(site).await?;
            }
            site.drained().await?;
            sources[side] = turned;
        }
    }
    let broken = trouble.or_else(|| lasting.audit()).or_else(|| lapsing.audit());
    let [none, half] = &rates;
    let row = Row::new("P11", "holds/s with half of all holds lapsing ÷ with none", "ratio", Goal::AtLeast(0.8), half.over(none))
        .part("holds, half of them lapse", "1/s", half.spread())
        .part("holds, none lapses", "1/s", none.spread())
        .part("overdue and not swept when the load ends", "holds", overdue.spread())
        .note(
            "64 connections hold in two concerts in turn, one seat a hold, fresh seats, no queue token asked for. The holds of the second concert last a \
             second on the one side, a day on the other; measured after 1.5 s, when as many lapse as are made. Worker and MySQL follow all the time.",
        )
        .broken_by(broken);
    Ok(Outcome { rows: vec![row], plots: Vec::new() })
}

async fn open(plan: &Plan, policies: &[&str]) -> Result<(Site, Vec<Holder>)> {
    let hall = Hall { shows: plan.shows / 2, rows: plan.rows };
    let sizes = vec![u64::from(hall.rows) * 100; usize::try_from(hall.shows)?];
    let site = Site::open(&concerts(policies, &sizes)).await?;
    let people = Signer::new(&site.config()?)?.strangers(&users(plan.users))?;
    let seats = hall.seats();
    let holder = |turn| Holder { turn, seats: seats.clone(), twin: None, shows: hall.shows, sent: 0 };
    let holders = Turn::split(&people, FEW).into_iter().map(holder).collect();
    Ok((site, holders))
}

/// Holds of the second concert that are over and that nobody has ended yet.
async fn count_overdue(site: &Site) -> Result<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().to_string();
    Ok(redis::cmd("ZCOUNT")
        .arg("{c2}:expiry")
        .arg("-inf")
        .arg(now)
        .query_async(&mut site.redis().await?)
        .await?)
}

async fn all_lapsed(site: &Site) -> Result<()> {
    let end = Instant::now() + SOON;
    let mut redis = site.redis().await?;
    while redis::cmd("ZCARD").arg("{c2}:expiry").query_async::<u64>(&mut redis).await? > 0 {
        if Instant::now() > end {
            return Err("the holds of a second do not lapse".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
