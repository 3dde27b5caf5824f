//! The verbs of a line, at the end of the longest.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use onsale::{domain::ids::UserId, store::direct};
use redis::Cmd;
use tokio::time::{MissedTickBehavior, interval};

use super::timed;
use crate::{
    Result, SOON,
    crowd::{BATCH, Crowd, OTHERS, joined},
    plan::Plan,
    site::Part,
    slow::Timed,
};

/// The rate gives a hundred places in one millisecond.
const PACE: Duration = Duration::from_millis(2);
/// Places of one call of admission.
const ADMITTED: usize = 100;

/// Everybody may come in, for so long, and must claim in so long.
fn open(active_seconds: usize, claim_seconds: usize) -> String {
    format!(
        "{{ maxActive: 10000000, admitPerSecond: 100000, activeSeconds: {active_seconds}, claimSeconds: {claim_seconds} }}"
    )
}

/// Measures all of them; some of the line are active afterwards.
pub(crate) async fn verbs(plan: &Plan, crowd: &mut Crowd) -> Result<Vec<Timed>> {
    crowd.site.pause(&OTHERS)?;
    let mut all = joins(plan, crowd).await?;
    all.push(pages(plan, crowd, "queue").await?);
    all.extend(admissions(plan, crowd).await?);
    all.push(pages(plan, crowd, "places").await?);
    set_policy(crowd, "{ maxActive: 0, activeSeconds: 86400 }")?;
    crowd.site.resume(&OTHERS)?;
    crowd.site.drained().await?;
    Ok(all)
}

async fn joins(plan: &Plan, crowd: &mut Crowd) -> Result<Vec<Timed>> {
    let users = crowd.strangers(BATCH * plan.calls);
    let calls = |crowd: &Crowd| -> Vec<Cmd> {
        users.chunks(BATCH).map(|batch| direct::join(crowd.direct.concert(), batch)).collect()
    };
    let new = calls(crowd);
    let (join, answers) = timed(&crowd.site, &mut crowd.direct, "join, 64 new", "waiting", &new).await?;
    let again = calls(crowd);
    let (rejoin, _) = timed(&crowd.site, &mut crowd.direct, "join, 64 who wait", "waiting", &again).await?;
    let mut places = Vec::new();
    for (batch, outcomes) in users.chunks(BATCH).zip(&answers) {
        places.extend(joined(batch, outcomes)?);
    }
    let leaving: Vec<_> =
        places.chunks(BATCH).map(|batch| direct::leave(crowd.direct.concert(), batch)).collect();
    let (leave, _) = timed(&crowd.site, &mut crowd.direct, "leave, 64", "left", &leaving).await?;
    let claim = claims(crowd, "claim, 64 who wait", &crowd.places(BATCH * plan.calls), "waiting").await?;
    Ok(vec![join, rejoin, leave, claim])
}

async fn claims(crowd: &mut Crowd, what: &str, places: &[(UserId, u64)], name: &str) -> Result<Timed> {
    let calls: Vec<_> =
        places.chunks(BATCH).map(|batch| direct::claim(crowd.direct.concert(), batch)).collect();
    Ok(timed(&crowd.site, &mut crowd.direct, what, name, &calls).await?.0)
}

/// Pages as a view that starts reads them.
async fn pages(plan: &Plan, crowd: &mut Crowd, kind: &str) -> Result<Timed> {
    let mut cursor = "0".to_owned();
    let timing = crate::slow::begin(&crowd.site).await?;
    for _ in 0..plan.calls {
        let page = direct::snapshot(crowd.direct.concert(), kind, &cursor, None);
        let page = crowd.direct.call(&page).await?.pop().ok_or("no page")?;
        // The queue goes on behind its last number, a scan from the cursor that it is told.
        let next = if kind == "queue" { page.get(1..).and_then(<[_]>::last) } else { page.get(1) };
        cursor = next.map_or_else(|| "0".to_owned(), Clone::clone);
    }
    crate::slow::end(&crowd.site, timing, &format!("snapshot, page of {kind}")).await
}

/// Two crowds are let in whose places are over at the same time: one lapsed, one not claimed. Then each call sweeps a hundred of each and
/// lets a hundred in.
async fn admissions(plan: &Plan, crowd: &mut Crowd) -> Result<Vec<Timed>> {
    // Longer than both crowds take to come in.
    let brief = (plan.calls / 50).max(3);
    set_policy(crowd, &open(brief, 3600))?;
    let only = admit(plan, crowd, "admit, 100", 0).await?;
    set_policy(crowd, &open(86400, 3))?;
    admit(plan, crowd, "admit, 100", 0).await?;
    let due = plan.calls * ADMITTED;
    overdue(crowd, "active", due).await?;
    overdue(crowd, "unclaimed", due).await?;
    set_policy(crowd, &open(86400, 3600))?;
    let swept = admit(plan, crowd, "admit, 100, and sweep 200", 2 * ADMITTED).await?;
    let first = 2 * due;
    let places: Vec<_> =
        (first..first + (BATCH * plan.calls).min(due)).map(|number| crowd.place(number)).collect();
    let claim = claims(crowd, "claim, 64 admitted", &places, "active").await?;
    Ok(vec![only, swept, claim])
}

/// So many calls, each of which admits a hundred and ends `ended`.
async fn admit(plan: &Plan, crowd: &mut Crowd, what: &str, ended: usize) -> Result<Timed> {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let timing = crate::slow::begin(&crowd.site).await?;
    for _ in 0..plan.calls {
        ticks.tick().await;
        let call = direct::admit(crowd.direct.concert());
        let outcome = crowd.direct.call(&call).await?.pop().unwrap_or_default();
        let number = |at: usize| outcome.get(at).and_then(|number| number.parse().ok());
        if (number(1), number(2)) != (Some(ADMITTED), Some(ended)) {
            return Err(format!("{what}: {outcome:?}").into());
        }
    }
    crate::slow::end(&crowd.site, timing, what).await
}

async fn overdue(crowd: &Crowd, index: &str, count: usize) -> Result<()> {
    let (end, mut redis) = (Instant::now() + SOON, crowd.site.redis().await?);
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().to_string();
        let mut command = redis::cmd("ZCOUNT");
        let command = command.arg(format!("{{c1}}:{index}")).arg("-inf").arg(now);
        if command.query_async::<usize>(&mut redis).await? >= count {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("places in {index} are never over").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The import needs MySQL; worker and server don't see it yet.
fn set_policy(crowd: &Crowd, policy: &str) -> Result<()> {
    crowd.site.resume(&[Part::Mysql])?;
    crowd.site.import(&crate::crowd::catalog(policy))?;
    crowd.site.pause(&[Part::Mysql])
}
