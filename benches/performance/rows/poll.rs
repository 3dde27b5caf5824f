//! P4, P16: the poll that everybody in line sends, while the line moves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use onsale::domain::ids::UserId;

use crate::{
    Result, SOON,
    catalog::Hall,
    direct::Direct,
    efficiency::Efficiency,
    goal::{Goal, Outcome, Row},
    hello::Hello,
    load::{Answer, Source},
    people::{Person, Signer, Turn, users},
    plan::Plan,
    rounds::Series,
    sale::CONCERT,
    site::{Site, get_as},
    stats,
};

/// Connections.
const FEW: usize = 64;

/// A thousand people a second are admitted, and there is room for all.
const MOVING: &str = "{ maxActive: 10000000, admitPerSecond: 1000, activeSeconds: 86400, claimSeconds: 3600, maxSeatsPerUser: 1000 }";

/// Asks for the place of whoever's turn it is.
struct Polling {
    turn: Turn,
}

impl Source for Polling {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Person { queue, .. } = self.turn.advance();
        request.extend_from_slice(b"GET /v1/queue/status HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ");
        request.extend_from_slice(queue.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == 200
    }
}

/// What is asked of Redis for each poll, the followers' and the admission's part taken off.
#[derive(Default)]
struct Operations {
    per_poll: Series,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let hello = Hello::start()?;
    let site = Site::open(&Hall { shows: 1, rows: plan.rows }.yaml(MOVING)).await?;
    let people = line(plan, &site).await?;
    let mut sources: Vec<_> = Turn::split(&people, FEW).into_iter().map(|turn| Polling { turn }).collect();
    // Warms up, and lets those claim who were admitted meanwhile.
    sources = Efficiency::default().round(&hello, &site, sources, plan.time).await?;
    let (mut polls, mut operations) = (Efficiency::default(), Operations::default());
    for _ in 0..plan.rounds {
        let idle = asked_a_second(&site, plan.time).await?;
        let (before, begun) = (stats::asked(&site).await?, Instant::now());
        sources = polls.round(&hello, &site, sources, plan.time).await?;
        let counted = stats::asked(&site).await? - before - idle * begun.elapsed().as_secs_f64();
        operations.per_poll.push(counted.max(0.0) / polls.last_count());
    }
    let broken = polls.trouble.clone().or_else(|| site.audit());
    let waiting = stats::waiting(&site, CONCERT).await?;
    Ok(Outcome { rows: rows(plan, &polls, &operations, waiting, broken.as_deref()), plots: Vec::new() })
}

/// Fills the line; those who will poll are spread over all of it.
async fn line(plan: &Plan, site: &Site) -> Result<Arc<[Person]>> {
    let places = Direct::open(site, CONCERT).await?.join(&users(plan.waiting)).await?;
    let every = (plan.waiting / plan.users).max(1);
    let polling: Vec<(UserId, u64)> = places.iter().step_by(every).cloned().collect();
    let people = Signer::new(&site.config()?)?.placed(CONCERT, &polling)?;
    site.drained().await?;
    // The view is behind until the last one is found in it: an answer from memory names its number, one from Redis too.
    let last = places.last().ok_or("nobody waits")?;
    let token = Signer::new(&site.config()?)?.place(CONCERT, &last.0, last.1);
    let end = Instant::now() + SOON;
    while !get_as(site.address(), "/v1/queue/status", &token)?.contains("WAITING") {
        if Instant::now() > end {
            return Err("the view does not reach the end of the line".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(people)
}

/// What goes on without anybody polling.
async fn asked_a_second(site: &Site, time: Duration) -> Result<f64> {
    let (before, begun) = (stats::asked(site).await?, Instant::now());
    tokio::time::sleep(time).await;
    Ok((stats::asked(site).await? - before) / begun.elapsed().as_secs_f64())
}

fn rows(
    plan: &Plan,
    polls: &Efficiency,
    operations: &Operations,
    waiting: u64,
    broken: Option<&str>,
) -> Vec<Row> {
    let broken = || broken.map(str::to_owned);
    let note = format!(
        "64 connections, {} users with a token each, {} joined, {waiting} still waiting at the end; the line moves 1,000/s all the \
         time, also while hello is measured. Who is admitted claims with his next poll, the only one that asks Redis.",
        plan.users.min(plan.waiting),
        plan.waiting,
    );
    vec![
        Row::new(
            "P4",
            "polls/s ÷ hello requests/s",
            "ratio",
            Goal::AtLeast(0.85),
            polls.asked_rate.over(&polls.hello_rate),
        )
        .part("polls", "1/s", polls.asked_rate.spread())
        .part("hello", "1/s", polls.hello_rate.spread())
        .note(note.clone())
        .broken_by(broken()),
        Row::new(
            "P4",
            "Redis operations per poll",
            "operations",
            Goal::AtMost(0.01),
            operations.per_poll.spread(),
        )
        .note("Script calls and log reads of server and worker, less what goes on without any poll: the claims of those who were admitted, and \
                   their way back into the view.")
        .broken_by(broken()),
        polls
            .row("P16 poll", "polls per CPU second ÷ hello", Goal::AtLeast(0.8))
            .note(note)
            .broken_by(broken()),
    ]
}
