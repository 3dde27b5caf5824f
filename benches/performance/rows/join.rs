//! P16: people who join the line, each for the first time.

use crate::{
    Result,
    catalog::Hall,
    efficiency::Efficiency,
    goal::{Goal, Outcome},
    hello::Hello,
    load::{Answer, Source},
    people::{Signer, Turn, users},
    plan::Plan,
    site::Site,
};

/// Connections.
const FEW: usize = 64;
/// Nobody joins twice: so many people for each user of the plan.
const CROWDS: usize = 5;

const BODY: &str = r#"{"concertId":1}"#;

/// Joins as whoever's turn it is, until everybody has.
struct Joining {
    turn: Turn,
    left: usize,
}

impl Source for Joining {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let identity = &self.turn.advance().identity;
        let text = format!(
            "POST /v1/queue/tokens HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {identity}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        request.extend_from_slice(text.as_bytes());
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == 201
    }
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let hello = Hello::start()?;
    let site = Site::open(&Hall { shows: 1, rows: plan.rows }.yaml("{}")).await?;
    let crowd = users(plan.users * CROWDS);
    let people = Signer::new(&site.config()?)?.strangers(&crowd)?;
    let left = people.len() / FEW;
    let turns = Turn::split(&people, FEW).into_iter();
    let mut sources: Vec<_> = turns.map(|turn| Joining { turn, left }).collect();
    let mut joins = Efficiency::default();
    for _ in 0..plan.rounds {
        sources = joins.round(&hello, &site, sources, plan.time).await?;
    }
    let broken = joins.trouble.clone().or_else(|| site.audit());
    let note = "64 connections, each user and token for the first time, the policy's defaults: a hundred a second are admitted, the \
                others wait. CPU of server, worker, Redis and MySQL, until the archive has drained.";
    let row = joins.row("P16 join", "joins per CPU second ÷ hello", Goal::AtLeast(0.25));
    Ok(Outcome { rows: vec![row.note(note).broken_by(broken)], plots: Vec::new() })
}
