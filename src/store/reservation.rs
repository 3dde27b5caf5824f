//! Reservations: hold, release, read, and the expiry that the loops drive.

use redis::Cmd;
use tokio::time::Instant;

use super::call::Scope;
use super::coalesce::Verb;
use super::memory::Need;
use super::reply::{MalformedReply, Outcome};
use super::scripts::{self, Script};
use super::{Answer, Failure, Store};
use crate::domain::fields::prefixed;
use crate::domain::ids::{ConcertId, Id20, Mark, ReservationId, ShowId, UserId};
use crate::domain::reservation::{Reservation, Seats};
use crate::domain::time::Millis;

/// Seats that a user wants held.
#[derive(Clone, Debug)]
pub struct HoldRequest {
    /// Their show.
    pub show: ShowId,
    /// Who wants them.
    pub user: UserId,
    /// The place that his queue token proves, if he has one.
    pub seq: Option<u64>,
    /// The catalog version of indexes and prices.
    pub catalog: u64,
    /// The seats with their prices, at least one, none twice.
    pub seats: Seats,
    /// The id that the reservation gets, but for its first character, which tells the number of seats.
    pub reservation: Id20,
    /// The client's `Idempotency-Key`.
    pub key: Option<String>,
    /// Of the request as parsed.
    pub fingerprint: Mark,
}

/// A reservation as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its id; another than asked for when replayed.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Its seats with their prices.
    pub seats: Seats,
    /// The price of all of them, minor units.
    pub amount: i64,
    /// When it was made.
    pub created: Millis,
    /// It lapses then, as first told.
    pub end: Millis,
}

/// The request id of a user's `Idempotency-Key` under one verb (formats 1); empty without a key.
pub(super) fn request_id(user: &UserId, verb: &str, key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| format!("{}{verb}:{key}", prefixed(user.as_str())))
}

pub(super) struct Hold;
pub(super) struct Release;
pub(super) struct Read;

/// A reservation that its owner gives back.
pub(super) struct ReleaseRequest {
    pub(super) reservation: ReservationId,
    pub(super) user: UserId,
}

impl Verb for Hold {
    type Request = HoldRequest;
    type Reply = Held;
    const NEED: Need = Need::New;

    fn script() -> &'static Script {
        &scripts::HOLD
    }

    fn weight(request: &HoldRequest) -> usize {
        request.seats.0.len()
    }

    fn show(request: &HoldRequest) -> Option<ShowId> {
        Some(request.show)
    }

    fn push(request: &HoldRequest, command: &mut Cmd) {
        command.arg(request.user.as_str());
        match request.seq {
            Some(seq) => command.arg(seq),
            None => command.arg(""),
        };
        command.arg(request.show.0).arg(request.catalog).arg(request.reservation.as_str());
        command.arg(request_id(&request.user, "hold", request.key.as_deref()));
        command.arg(request.fingerprint.to_string()).arg(request.seats.0.len());
        for (index, price) in &request.seats.0 {
            command.arg(*index).arg(*price);
        }
    }

    fn read(outcome: &Outcome) -> Result<Option<(Held, bool)>, MalformedReply> {
        let name = outcome.name()?;
        if name != "held" && name != "replayed" {
            return Ok(None);
        }
        let held = Held {
            reservation: outcome.parse(1)?,
            show: ShowId(outcome.number(2)?),
            seats: outcome.parse(3)?,
            amount: outcome.number(4)?,
            created: outcome.millis(5)?,
            end: outcome.millis(6)?,
        };
        Ok(Some((held, name == "replayed")))
    }
}

impl Verb for Release {
    type Request = ReleaseRequest;
    type Reply = ();

    fn script() -> &'static Script {
        &scripts::RELEASE
    }

    fn weight(request: &ReleaseRequest) -> usize {
        request.reservation.id.seats()
    }

    fn show(request: &ReleaseRequest) -> Option<ShowId> {
        Some(request.reservation.show)
    }

    fn push(request: &ReleaseRequest, command: &mut Cmd) {
        command
            .arg(request.user.as_str())
            .arg(request.reservation.show.0)
            .arg(request.reservation.id.as_str());
    }

    fn read(outcome: &Outcome) -> Result<Option<((), bool)>, MalformedReply> {
        Ok((outcome.name()? == "released").then_some(((), false)))
    }
}

impl Verb for Read {
    type Request = Id20;
    type Reply = Option<Reservation>;
    const CHANGES: bool = false;

    fn script() -> &'static Script {
        &scripts::RESERVATION
    }

    fn push(id: &Id20, command: &mut Cmd) {
        command.arg(id.as_str());
    }

    fn read(outcome: &Outcome) -> Result<Option<(Option<Reservation>, bool)>, MalformedReply> {
        match outcome.name()? {
            "found" => {}
            "not_found" => return Ok(Some((None, false))),
            _ => return Ok(None),
        }
        let reservation =
            Reservation::decode(outcome.text(1)?).map_err(|error| MalformedReply(error.to_string()))?;
        Ok(Some((Some(reservation), false)))
    }
}

impl Store {
    /// Holds all of the seats, or none.
    pub async fn hold(
        &self,
        concert: ConcertId,
        mut request: HoldRequest,
        deadline: Instant,
    ) -> Result<Answer<Held>, Failure> {
        request.reservation = request.reservation.with_seats(request.seats.0.len());
        self.lanes(concert).hold.call(request, deadline).await
    }

    /// Gives a PENDING reservation back; one that has ended stays ended.
    pub async fn release(
        &self,
        reservation: ReservationId,
        user: &UserId,
        deadline: Instant,
    ) -> Result<Answer<()>, Failure> {
        let request = ReleaseRequest { reservation, user: user.clone() };
        self.lanes(reservation.concert).release.call(request, deadline).await
    }

    /// A reservation as it is now, whoever owns it.
    pub async fn reservation(
        &self,
        reservation: ReservationId,
        deadline: Instant,
    ) -> Result<Answer<Option<Reservation>>, Failure> {
        let mut answer = self.lanes(reservation.concert).read.call(reservation.id, deadline).await?;
        answer.value = answer.value.filter(|found| found.show == reservation.show);
        Ok(answer)
    }

    /// PENDING reservations whose time is over, oldest first, at most `limit` (100 keep the call under 1 ms).
    pub async fn due(
        &self,
        concert: ConcertId,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<(Id20, ShowId)>, Failure> {
        let arguments = |command: &mut Cmd| {
            command.arg(limit);
        };
        let decided = self.caller().ask(&scripts::DUE, Scope::concert(concert), deadline, arguments).await?;
        let read = |outcome: &Outcome| Ok((outcome.parse(1)?, ShowId(outcome.number(2)?)));
        decided.outcomes.iter().map(read).collect::<Result<_, MalformedReply>>().map_err(super::fault)
    }

    /// Ends those of these reservations whose time is over. Answers how many.
    pub async fn expire(
        &self,
        concert: ConcertId,
        due: &[(Id20, ShowId)],
        deadline: Instant,
    ) -> Result<usize, Failure> {
        let mut shows: Vec<_> = due.iter().map(|(_, show)| *show).collect();
        shows.sort_unstable();
        shows.dedup();
        let arguments = |command: &mut Cmd| {
            command.arg(due.len());
            for (id, _) in due {
                command.arg(id.as_str());
            }
        };
        let scope = Scope::shows(concert, &shows);
        let decided = self.caller().ask(&scripts::EXPIRE, scope, deadline, arguments).await?;
        let mut expired = 0;
        for outcome in &decided.outcomes {
            match outcome.name().map_err(super::fault)? {
                "expired" => expired += 1,
                "kept" => {}
                _ => return Err(Failure::Refused(outcome.refusal().map_err(super::fault)?)),
            }
        }
        Ok(expired)
    }
}
