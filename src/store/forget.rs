//! Forgetting a user: his id becomes a pseudonym in a concert, or in the wallet partition of both names (decision 0010).

use redis::Cmd;
use tokio::time::Instant;

use super::call::Scope;
use super::reply::{Decided, MalformedReply, Outcome};
use super::{Failure, Store, fault, only_outcome, scripts};
use crate::domain::fields::prefixed;
use crate::domain::ids::{ConcertId, Id20, LogName, ShowId, UserId};
use crate::domain::time::Millis;

/// How far a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgetMode {
    /// It changes nothing.
    Look,
    /// Wallets only: he can't pay any more.
    Freeze,
    /// It ends what is live of him and gives him his new name.
    Forget,
    /// The same, but only of one of whom nothing is live; of a wallet, of one who has nothing and has moved nothing since.
    Idle(Millis),
    /// Behind that, once the archive has it: what was not known then, until this time.
    Sweep(Millis),
}

/// Whom to forget.
#[derive(Clone, Copy, Debug)]
pub struct ForgetRequest<'a> {
    /// His id.
    pub user: &'a UserId,
    /// His name from then on.
    pub pseudonym: &'a UserId,
    /// How far to go.
    pub mode: ForgetMode,
    /// His reservations there, as the archive has them; of a sweep those of the pseudonym; none for a wallet.
    pub reservations: &'a [Id20],
    /// His requests there ([`Store::requests_of`]).
    pub requests: &'a [String],
    /// His card payments and refunds to cards there that are not at their end, as the archive has them; of a sweep those of the
    /// pseudonym. Of a wallet his charges through the gateway that are not.
    pub cards: &'a [Id20],
}

impl<'a> ForgetRequest<'a> {
    /// Of whom nothing was read.
    pub fn of(user: &'a UserId, pseudonym: &'a UserId, mode: ForgetMode) -> Self {
        Self { user, pseudonym, mode, reservations: &[], requests: &[], cards: &[] }
    }
}

/// What there was of him, in the order of looking: a call that changed it says what it was before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether the call has changed it, or would have if there were anything.
    pub forgotten: bool,
    /// Reservations; of a wallet balances, 0 or 1.
    pub records: u64,
    /// Requests that are still remembered.
    pub requests: u64,
    /// PENDING reservations that have not ended.
    pub holds: u64,
    /// Places in line or active, 0 or 1.
    pub places: u64,
    /// Card payments and refunds to cards that are not at their end.
    pub cards: u64,
    /// Charges through the gateway that are not at their end.
    pub top_ups: u64,
    /// Minor units.
    pub balance: i64,
    /// The last sequence number that the concert had given; 0 for a wallet.
    pub seq: u64,
    /// The last entry of the log after the call.
    pub number: u64,
    /// The time of the call.
    pub at: Millis,
}

impl ForgetMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Freeze => "freeze",
            Self::Forget => "forget",
            Self::Idle(_) => "idle",
            Self::Sweep(_) => "sweep",
        }
    }
}

impl Store {
    /// Gives a user another name in a concert; `shows` are all that it has. `None`: he has booked more than was named.
    pub async fn forget(
        &self,
        concert: ConcertId,
        shows: &[ShowId],
        request: ForgetRequest<'_>,
        deadline: Instant,
    ) -> Result<Option<Found>, Failure> {
        let arguments = |command: &mut Cmd| {
            push_head(command, &request);
            push_ids(command, request.reservations);
            command.arg(request.requests.len()).arg(request.requests);
            push_ids(command, request.cards);
        };
        let decided =
            self.caller().ask(&scripts::FORGET, Scope::shows(concert, shows), deadline, arguments).await?;
        let (number, at) = (decided.offset.number, decided.now);
        read(&decided, |outcome| {
            let (seq, balance) = (outcome.number(3)?, 0);
            let [holds, places, cards] = [outcome.number(4)?, outcome.number(5)?, outcome.number(6)?];
            let (records, requests) = (outcome.number(1)?, outcome.number(2)?);
            Ok(Found {
                records,
                requests,
                holds,
                places,
                cards,
                balance,
                seq,
                number,
                at,
                ..Found::default()
            })
        })
    }

    /// Gives a user another name in the partition that holds his money under both names.
    pub async fn forget_wallet(
        &self,
        partition: u8,
        request: ForgetRequest<'_>,
        deadline: Instant,
    ) -> Result<Found, Failure> {
        let arguments = |command: &mut Cmd| {
            push_head(command, &request);
            command.arg(request.requests.len()).arg(request.requests);
            push_ids(command, request.cards);
        };
        let scope = Scope { concert: None, shows: &[], wallets: Some(&[partition]), top_ups: true };
        let decided = self.caller().ask(&scripts::FORGET_WALLET, scope, deadline, arguments).await?;
        self.check_partition(partition, &decided)?;
        let (number, at) =
            (decided.wallets.first().map_or(0, |position| position.offset.number), decided.now);
        let found = read(&decided, |outcome| {
            let (records, requests, balance) = (outcome.number(1)?, outcome.number(2)?, outcome.number(3)?);
            let top_ups = outcome.number(4)?;
            Ok(Found { records, requests, top_ups, balance, number, at, ..Found::default() })
        })?;
        found.ok_or_else(|| fault(MalformedReply("a wallet is never incomplete".into())))
    }

    /// The requests of a log that are remembered and name a user; all of those that were there all the time.
    pub async fn requests_of(
        &self,
        log: LogName,
        user: &UserId,
        deadline: Instant,
    ) -> Result<Vec<String>, Failure> {
        let pattern = format!("*{}*", escaped(&prefixed(user.as_str())));
        let (mut found, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let decided = match log {
                LogName::Concert(concert) => {
                    let arguments = |command: &mut Cmd| {
                        command.arg("requests").arg(cursor).arg(&pattern);
                    };
                    let scope = Scope::concert(concert);
                    self.caller().ask(&scripts::SNAPSHOT, scope, deadline, arguments).await?
                }
                LogName::Wallet(partition) => {
                    let arguments = |command: &mut Cmd| {
                        command.arg(cursor).arg(&pattern);
                    };
                    let scope =
                        Scope { concert: None, shows: &[], wallets: Some(&[partition]), top_ups: false };
                    let decided =
                        self.caller().ask(&scripts::SNAPSHOT_WALLET, scope, deadline, arguments).await?;
                    self.check_partition(partition, &decided)?;
                    decided
                }
            };
            cursor = only_outcome(&decided, "requests", |outcome| {
                for at in 2..outcome.len() {
                    found.push(outcome.text(at)?.to_owned());
                }
                outcome.number(1)
            })?;
            if cursor == 0 {
                return Ok(found);
            }
        }
    }

    /// Stops a partition that Redis has lost.
    fn check_partition(&self, partition: u8, decided: &Decided) -> Result<(), Failure> {
        let lost = |outcome: &Outcome| outcome.name().is_ok_and(|name| name == "log_lost");
        if decided.outcomes.first().is_some_and(lost) {
            return Err(self.caller().stop(LogName::Wallet(partition)).into());
        }
        Ok(())
    }
}

fn push_ids(command: &mut Cmd, ids: &[Id20]) {
    command.arg(ids.len());
    for id in ids {
        command.arg(id.as_str());
    }
}

fn push_head(command: &mut Cmd, request: &ForgetRequest<'_>) {
    let before = match request.mode {
        ForgetMode::Sweep(before) | ForgetMode::Idle(before) => before.0,
        ForgetMode::Look | ForgetMode::Freeze | ForgetMode::Forget => 0,
    };
    command.arg(request.user.as_str()).arg(request.pseudonym.as_str()).arg(request.mode.as_str()).arg(before);
}

fn read(
    decided: &Decided,
    found: impl FnOnce(&Outcome) -> Result<Found, MalformedReply>,
) -> Result<Option<Found>, Failure> {
    let [outcome] = decided.outcomes.as_slice() else {
        return Err(fault(MalformedReply(format!("{} outcomes for one request", decided.outcomes.len()))));
    };
    match outcome.name().map_err(fault)? {
        name @ ("found" | "forgotten") => {
            let found = found(outcome).map_err(fault)?;
            Ok(Some(Found { forgotten: name == "forgotten", ..found }))
        }
        "incomplete" => Ok(None),
        _ => Err(Failure::Refused(outcome.refusal().map_err(fault)?)),
    }
}

/// A text as a pattern of Redis that fits itself only.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_its_text_only() {
        assert_eq!(escaped("a*[b]?\\가"), "a\\*\\[b\\]\\?\\\\가");
    }
}
