//! What an identity token costs that the server has never seen: its signature is checked, then it is remembered.

use std::sync::Arc;

use crate::{
    Result,
    cpu::Meter,
    goal::{Goal, Outcome, Row},
    load::{Answer, Source, closed},
    people::{Person, Signer, Turn},
    plan::Plan,
    rounds::Series,
    sale::{CONCERT, Sale},
};

/// Connections.
const FEW: usize = 64;

/// Between the signing times of two rounds, seconds: no two rounds show the same token.
const HOUR: u64 = 3600;

/// Polls with both tokens, so that the answer comes from memory and the identity token is looked at all the same.
struct Showing {
    turn: Turn,
    left: usize,
}

impl Source for Showing {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let Person { identity, queue, .. } = self.turn.advance();
        let text = format!(
            "GET /v1/queue/status HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {identity}\r\nQueue-Token: {queue}\r\n\r\n"
        );
        request.extend_from_slice(text.as_bytes());
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == 200
    }
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let sale = Sale::open(plan).await?;
    let config = sale.site.config()?;
    let places: Vec<_> = sale.people.iter().map(|person| (person.user.clone(), person.seq)).collect();
    let (mut first, mut again, mut beyond) = (Series::default(), Series::default(), Series::default());
    let mut broken = None;
    for round in 0..plan.rounds {
        // Signed at another time, so other tokens.
        let people = Signer::at(&config, HOUR * u64::try_from(round)?)?.placed(CONCERT, &places)?;
        let (new, trouble) = shown(&sale, &people, people.len()).await?;
        broken = broken.or(trouble);
        let known: Arc<[Person]> = people.iter().take(FEW).cloned().collect();
        let (old, trouble) = shown(&sale, &known, people.len()).await?;
        broken = broken.or(trouble);
        first.push(new);
        again.push(old);
        beyond.push(new - old);
    }
    let broken = broken.or_else(|| sale.site.audit());
    let figure = "server CPU for an identity token (HS256) never seen before, beyond that of one seen again";
    let row = Row::new("token", figure, "µs", Goal::None, beyond.spread())
        .part("a poll with a token never seen", "µs", first.spread())
        .part("a poll with one of 64 tokens that come again and again", "µs", again.spread())
        .note("64 connections, polls with both tokens, answered from memory.")
        .broken_by(broken);
    Ok(Outcome { rows: vec![row], plots: Vec::new() })
}

/// The server's CPU for each of `count` polls by these people, µs.
async fn shown(sale: &Sale, people: &Arc<[Person]>, count: usize) -> Result<(f64, Option<String>)> {
    let turns = Turn::split(people, FEW).into_iter();
    let sources = turns.map(|turn| Showing { turn, left: count / FEW }).collect();
    let meter = Meter::start(&sale.site.processes());
    let (_, report) = closed::run(sale.site.address(), sources, crate::SOON).await?;
    Ok((meter.stop().of("server") * 1e6 / report.count_f64(), report.trouble()))
}
