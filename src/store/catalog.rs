//! What organisers do: the birth of logs, shows on sale, policies. Rare calls, one at a time, never coalesced.

use redis::{Cmd, Value};
use tokio::time::{Instant, sleep};

use super::call::Scope;
use super::connection::READ_PAUSE;
use super::reply::{MalformedReply, Outcome};
use super::{Failure, Store, fault, keys, only_outcome, scripts};
use crate::domain::ids::{ConcertId, LogName, Mark, Offset, ShowId};
use crate::domain::policy::{Gate, PolicyState};

/// A log that Redis knows, born just now or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Its id; another than asked for if somebody else gave birth to it.
    pub log_id: Mark,
    /// Its last entry.
    pub at: Offset,
}

/// A show that goes on sale, or grows.
#[derive(Clone, Copy, Debug)]
pub struct ShowOpening {
    /// The show.
    pub show: ShowId,
    /// Its seats in all.
    pub seats: u32,
    /// The catalog version that describes them.
    pub catalog: u64,
}

/// The fields of the policy hash (formats 1), field and value in turn.
fn policy_fields(state: &PolicyState) -> Vec<String> {
    let policy = &state.policy;
    let millis = |seconds: u32| (u64::from(seconds) * 1000).to_string();
    let flag = |set: bool| u8::from(set).to_string();
    let mut fields = vec![
        ("max_active", policy.max_active.to_string()),
        ("admit_per_second", policy.admit_per_second.to_string()),
        ("active_ms", millis(policy.active_seconds)),
        ("claim_ms", millis(policy.claim_seconds)),
        ("hold_ms", millis(policy.hold_seconds)),
        ("max_seats_per_reservation", policy.max_seats_per_reservation.to_string()),
        ("max_seats_per_user", policy.max_seats_per_user.to_string()),
        ("gate_reserve", flag(policy.gates(Gate::Reserve))),
        ("end_token_on", policy.end_token_on.as_str().to_owned()),
        ("paused", flag(state.paused)),
    ];
    fields.extend(state.opens_at.map(|time| ("opens_at", time.0.to_string())));
    fields.extend(state.closes_at.map(|time| ("closes_at", time.0.to_string())));
    fields.into_iter().flat_map(|(field, value)| [field.to_owned(), value]).collect()
}

fn policy_json(state: &PolicyState) -> String {
    serde_json::to_string(state).expect("a policy is plain data")
}

impl Store {
    /// Writes the first entry of a concert's log, unless it is born already.
    pub async fn open_concert(
        &self,
        concert: ConcertId,
        log_id: Mark,
        policy: &PolicyState,
        deadline: Instant,
    ) -> Result<Birth, Failure> {
        let log = LogName::Concert(concert);
        let keys = [keys::meta(log), keys::log(log), keys::policy(concert)];
        let mut arguments = vec!["0".to_owned(), "1".to_owned(), policy_json(policy)];
        arguments.extend(policy_fields(policy));
        self.open_log(&keys, log_id, &arguments, deadline).await
    }

    /// Writes the first entry of a wallet partition's log, unless it is born already.
    pub async fn open_wallet(
        &self,
        partition: u8,
        log_id: Mark,
        deadline: Instant,
    ) -> Result<Birth, Failure> {
        let log = LogName::Wallet(partition);
        self.open_log(&[keys::meta(log), keys::log(log)], log_id, &[], deadline).await
    }

    async fn open_log(
        &self,
        keys: &[String],
        log_id: Mark,
        arguments: &[String],
        deadline: Instant,
    ) -> Result<Birth, Failure> {
        let mark = Mark(rand::random());
        let build = |_| {
            let mut command = redis::cmd("EVALSHA");
            command.arg(scripts::OPEN_LOG.sha()).arg(keys.len()).arg(keys);
            command.arg(log_id.to_string()).arg(mark.to_string()).arg(0).arg(arguments);
            command
        };
        let evaluated = self.caller().connection().eval(&scripts::OPEN_LOG, deadline, build).await;
        let (value, _) = evaluated?;
        let Value::Array(items) = value else {
            return Err(fault(MalformedReply(format!("{value:?}"))));
        };
        let outcome = Outcome::new(items);
        let read = || -> Result<Birth, MalformedReply> {
            match outcome.name()? {
                "opened" | "exists" => {}
                other => return Err(MalformedReply(other.to_owned())),
            }
            Ok(Birth {
                log_id: outcome.parse(1)?,
                at: Offset { number: outcome.number(2)?, mark: outcome.parse(3)? },
            })
        };
        read().map_err(fault)
    }

    /// Whether Redis answers, for who is about to change something elsewhere: asked again up to the deadline.
    pub async fn check_answers(&self, deadline: Instant) -> Result<(), Failure> {
        self.caller().connection().read(&redis::cmd("PING"), deadline).await?;
        Ok(())
    }

    /// Whether the log of a concert stands, for who is about to change something elsewhere: asked again up to the deadline. It only
    /// looks, so its outcome is never unknown.
    pub async fn check_stands(&self, concert: ConcertId, deadline: Instant) -> Result<(), Failure> {
        loop {
            match self.snapshot_head(concert, deadline).await {
                Ok(_) => return Ok(()),
                Err(Failure::Unavailable(source) | Failure::OutcomeUnknown(source)) => {
                    if Instant::now() + READ_PAUSE >= deadline {
                        return Err(Failure::Unavailable(source));
                    }
                    sleep(READ_PAUSE).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Puts a show on sale, or more seats of it; the same again changes nothing.
    pub async fn open_show(
        &self,
        concert: ConcertId,
        opening: ShowOpening,
        deadline: Instant,
    ) -> Result<Offset, Failure> {
        let arguments = |command: &mut Cmd| {
            command.arg(opening.show.0).arg(opening.seats).arg(opening.catalog);
        };
        let shows = [opening.show];
        let scope = Scope::shows(concert, &shows);
        let decided = self.caller().ask(&scripts::OPEN_SHOW, scope, deadline, arguments).await?;
        only_outcome(&decided, "opened", |_| Ok(decided.offset))
    }

    /// Announces that MySQL holds a newer catalog of the concert.
    pub async fn catalog_changed(
        &self,
        concert: ConcertId,
        catalog: u64,
        deadline: Instant,
    ) -> Result<Offset, Failure> {
        let arguments = |command: &mut Cmd| {
            command.arg(catalog);
        };
        let decided =
            self.caller().ask(&scripts::CATALOG, Scope::concert(concert), deadline, arguments).await?;
        only_outcome(&decided, "announced", |_| Ok(decided.offset))
    }

    /// Replaces the policy made from version `base`. `None`: somebody changed it meanwhile; read it again.
    pub async fn set_policy(
        &self,
        concert: ConcertId,
        base: u64,
        policy: &PolicyState,
        deadline: Instant,
    ) -> Result<Option<Offset>, Failure> {
        let (json, fields) = (policy_json(policy), policy_fields(policy));
        let arguments = |command: &mut Cmd| {
            command.arg(base).arg(&json).arg(&fields);
        };
        let decided =
            self.caller().ask(&scripts::POLICY, Scope::concert(concert), deadline, arguments).await?;
        let stale = decided
            .outcomes
            .first()
            .is_some_and(|outcome| outcome.name().is_ok_and(|name| name == "stale_policy"));
        if stale {
            return Ok(None);
        }
        only_outcome(&decided, "changed", |_| Ok(Some(decided.offset)))
    }

    /// Forgets old requests and ended reservations, a bounded step. Answers how many were forgotten.
    pub async fn tidy(
        &self,
        concert: ConcertId,
        archived: crate::domain::time::Millis,
        deadline: Instant,
    ) -> Result<u64, Failure> {
        let arguments = |command: &mut Cmd| {
            command.arg(archived.0);
        };
        let decided = self.caller().ask(&scripts::TIDY, Scope::concert(concert), deadline, arguments).await?;
        only_outcome(&decided, "tidied", |outcome| Ok(outcome.number::<u64>(1)? + outcome.number::<u64>(2)?))
    }

    /// Forgets old requests of all wallet partitions, a bounded step. Answers how many were forgotten.
    pub async fn tidy_wallets(&self, deadline: Instant) -> Result<u64, Failure> {
        let partitions: Vec<u8> = (0..self.partitions()).collect();
        let scope = Scope { concert: None, shows: &[], wallets: Some(&partitions), top_ups: false };
        let decided = self.caller().ask(&scripts::TIDY_WALLET, scope, deadline, |_| {}).await?;
        let forgotten = decided.outcomes.iter().map(|outcome| outcome.number::<u64>(1));
        forgotten.sum::<Result<u64, _>>().map_err(fault)
    }
}
