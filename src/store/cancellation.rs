//! Cancelled shows: nothing of one is sold any more, and what it still has is cleared page by page.
//!
//! Neither call has a lane (0003): a lane gathers the requests of one concert, and a show is cancelled once and cleared by one loop
//! of each worker. What many shows that are cancelled together would take at once is bounded there (`loops/cancellation.rs`).

use redis::Cmd;
use tokio::time::Instant;

use super::call::Scope;
use super::reply::{MalformedReply, Outcome};
use super::{Failure, Store, only_outcome, scripts};
use crate::domain::ids::{ConcertId, Id20, Offset, ShowId, UserId};

/// A page of a cancelled show after its seats were blocked and its holds given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// The first seat of the next page; `None` behind the last.
    pub next: Option<u64>,
    /// CONFIRMED reservations with a seat on the page, and their owners: to be refunded.
    pub confirmed: Vec<(Id20, UserId)>,
}

impl Store {
    /// Ends the sale of a show for good; the same again changes nothing, and the first reason stays.
    pub async fn cancel_show(
        &self,
        concert: ConcertId,
        show: ShowId,
        reason: &str,
        deadline: Instant,
    ) -> Result<Offset, Failure> {
        let arguments = |command: &mut Cmd| {
            command.arg(show.0).arg(reason);
        };
        let shows = [show];
        let scope = Scope::shows(concert, &shows);
        let decided = self.caller().ask(&scripts::CANCEL, scope, deadline, arguments).await?;
        only_outcome(&decided, "cancelled", |_| Ok(decided.offset))
    }

    /// Blocks what is available of a page of a cancelled show, from seat `first` on, and gives back what is held. The same again
    /// changes nothing.
    pub async fn clear(
        &self,
        concert: ConcertId,
        show: ShowId,
        first: u64,
        deadline: Instant,
    ) -> Result<Cleared, Failure> {
        let arguments = |command: &mut Cmd| {
            command.arg(1).arg(show.0).arg(first);
        };
        let shows = [show];
        let scope = Scope::shows(concert, &shows);
        let decided = self.caller().ask(&scripts::CLEAR, scope, deadline, arguments).await?;
        if decided
            .outcomes
            .first()
            .is_some_and(|outcome| outcome.name().is_ok_and(|name| name == "not_cancelled"))
        {
            // Somebody asks for what is not due: there is nothing to do.
            return Ok(Cleared { next: None, confirmed: Vec::new() });
        }
        only_outcome(&decided, "cleared", read)
    }
}

fn read(outcome: &Outcome) -> Result<Cleared, MalformedReply> {
    let (next, total): (u64, u64) = (outcome.number(1)?, outcome.number(2)?);
    let confirmed = (3..outcome.len()).step_by(2).map(|at| {
        let user = UserId::new(outcome.text(at + 1)?);
        let user = user.ok_or_else(|| MalformedReply(format!("field {} is no user", at + 1)))?;
        Ok((outcome.parse(at)?, user))
    });
    Ok(Cleared { confirmed: confirmed.collect::<Result<_, _>>()?, next: (next < total).then_some(next) })
}
