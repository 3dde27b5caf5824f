//! The line: join, claim, leave, and the admission that the loops drive.

use redis::Cmd;
use tokio::time::Instant;

use super::call::Scope;
use super::coalesce::Verb;
use super::memory::Need;
use super::reply::{MalformedReply, Outcome};
use super::scripts::{self, Script};
use super::{Answer, Failure, Store};
use crate::domain::ids::{ConcertId, UserId};
use crate::domain::time::Millis;

/// A place that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceState {
    /// In line.
    Waiting {
        /// 1 for the next to be admitted.
        position: u64,
    },
    /// Admitted and claimed.
    Active {
        /// The place is over then.
        end: Millis,
    },
}

/// A user's place after joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its sequence number.
    pub seq: u64,
    /// How often the log had been recovered.
    pub epoch: u16,
    /// Whether the place is new.
    pub fresh: bool,
    /// Where it is.
    pub place: PlaceState,
}

/// What one step of admission did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Places given.
    pub admitted: u64,
    /// Places ended because they were over.
    pub ended: u64,
    /// Whether a bound of the call was reached: ask again at once.
    pub more: bool,
}

pub(super) struct Join;
pub(super) struct Claim;
pub(super) struct Leave;

/// A place as its queue token names it.
pub(super) struct PlaceRequest {
    pub(super) user: UserId,
    pub(super) seq: u64,
}

impl Verb for Join {
    type Request = UserId;
    type Reply = Joined;
    const NEED: Need = Need::New;

    fn script() -> &'static Script {
        &scripts::JOIN
    }

    fn push(user: &UserId, command: &mut Cmd) {
        command.arg(user.as_str());
    }

    fn read(outcome: &Outcome) -> Result<Option<(Joined, bool)>, MalformedReply> {
        let place = match outcome.name()? {
            "waiting" => PlaceState::Waiting { position: outcome.number(3)? },
            "active" => PlaceState::Active { end: outcome.millis(3)? },
            _ => return Ok(None),
        };
        let fresh = outcome.number::<u8>(4)? == 1;
        Ok(Some((Joined { seq: outcome.number(1)?, epoch: outcome.number(2)?, fresh, place }, false)))
    }
}

impl Verb for Claim {
    type Request = PlaceRequest;
    type Reply = PlaceState;
    const NEED: Need = Need::Kept;

    fn script() -> &'static Script {
        &scripts::CLAIM
    }

    fn push(request: &PlaceRequest, command: &mut Cmd) {
        command.arg(request.user.as_str()).arg(request.seq);
    }

    fn read(outcome: &Outcome) -> Result<Option<(PlaceState, bool)>, MalformedReply> {
        let place = match outcome.name()? {
            "waiting" => PlaceState::Waiting { position: outcome.number(1)? },
            "active" => PlaceState::Active { end: outcome.millis(1)? },
            _ => return Ok(None),
        };
        Ok(Some((place, false)))
    }
}

impl Verb for Leave {
    type Request = PlaceRequest;
    type Reply = ();

    fn script() -> &'static Script {
        &scripts::LEAVE
    }

    fn push(request: &PlaceRequest, command: &mut Cmd) {
        Claim::push(request, command);
    }

    fn read(outcome: &Outcome) -> Result<Option<((), bool)>, MalformedReply> {
        Ok((outcome.name()? == "left").then_some(((), false)))
    }
}

impl Store {
    /// Gives the user a place in the line, or tells the one he has.
    pub async fn join(
        &self,
        concert: ConcertId,
        user: &UserId,
        deadline: Instant,
    ) -> Result<Answer<Joined>, Failure> {
        self.lanes(concert).join.call(user.clone(), deadline).await
    }

    /// Tells what a place is now; an active one is claimed by the asking. Ended: refused as `queue_token_expired`.
    pub async fn claim(
        &self,
        concert: ConcertId,
        user: &UserId,
        seq: u64,
        deadline: Instant,
    ) -> Result<Answer<PlaceState>, Failure> {
        self.lanes(concert).claim.call(PlaceRequest { user: user.clone(), seq }, deadline).await
    }

    /// Gives a place back; one that has ended stays ended.
    pub async fn leave(
        &self,
        concert: ConcertId,
        user: &UserId,
        seq: u64,
        deadline: Instant,
    ) -> Result<Answer<()>, Failure> {
        self.lanes(concert).leave.call(PlaceRequest { user: user.clone(), seq }, deadline).await
    }

    /// One bounded step of admission. Any number of workers may call it.
    pub async fn admit(&self, concert: ConcertId, deadline: Instant) -> Result<Admitted, Failure> {
        let decided = self.caller().ask(&scripts::ADMIT, Scope::concert(concert), deadline, |_| {}).await?;
        let read = |outcome: &Outcome| -> Result<Admitted, MalformedReply> {
            let more = outcome.number::<u8>(3)? == 1;
            Ok(Admitted { admitted: outcome.number(1)?, ended: outcome.number(2)?, more })
        };
        super::only_outcome(&decided, "admitted", read)
    }
}
