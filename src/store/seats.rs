//! Seats that an organiser takes out of sale, or puts back.

use redis::Cmd;
use tokio::time::Instant;

use super::coalesce::Verb;
use super::reply::{MalformedReply, Outcome};
use super::reservation::request_id;
use super::scripts::{self, Script};
use super::{Answer, Failure, Store};
use crate::domain::ids::{ConcertId, Id20, Mark, ShowId, UserId};

/// Seats of one show, all or none of which change.
#[derive(Clone, Debug)]
pub struct BlockRequest {
    /// Their show.
    pub show: ShowId,
    /// What they become.
    pub change: SeatChange,
    /// Their indexes, at least one, none twice.
    pub seats: Vec<u32>,
    /// What the request is known by when it is sent again without a key.
    pub id: Id20,
    /// Whose request it is, and his `Idempotency-Key`.
    pub key: Option<(UserId, String)>,
    /// Of the request as parsed.
    pub fingerprint: Mark,
}

/// What becomes of seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatChange {
    /// Available ones are not for sale any more.
    Block,
    /// Blocked ones are available again.
    Unblock,
}

pub(super) struct Block;

impl Verb for Block {
    type Request = BlockRequest;
    type Reply = ();

    fn script() -> &'static Script {
        &scripts::BLOCK
    }

    fn weight(request: &BlockRequest) -> usize {
        request.seats.len()
    }

    fn show(request: &BlockRequest) -> Option<ShowId> {
        Some(request.show)
    }

    fn push(request: &BlockRequest, command: &mut Cmd) {
        let BlockRequest { show, change, seats, id, key, fingerprint } = request;
        let (verb, word) = match change {
            SeatChange::Block => ("block", "blocked"),
            SeatChange::Unblock => ("unblock", "unblocked"),
        };
        let (by, known_by) = match key {
            Some((by, key)) => (by.as_str(), request_id(by, verb, Some(&format!("{show}:{key}")))),
            // Of nobody: it does not count among anybody's keys.
            None => ("", format!("0:{verb}:{id}")),
        };
        command.arg(word).arg(show.0).arg(known_by).arg(fingerprint.to_string()).arg(by);
        command.arg(seats.len()).arg(seats);
    }

    fn read(outcome: &Outcome) -> Result<Option<((), bool)>, MalformedReply> {
        let name = outcome.name()?;
        let done = name == "blocked" || name == "unblocked" || name == "replayed";
        Ok(done.then_some(((), name == "replayed")))
    }
}

impl Store {
    /// Blocks all of these seats, or none, or puts them back into sale. A refusal names those that are not available, or not
    /// blocked.
    pub async fn block(
        &self,
        concert: ConcertId,
        request: BlockRequest,
        deadline: Instant,
    ) -> Result<Answer<()>, Failure> {
        self.lanes(concert).block.call(request, deadline).await
    }
}
