//! Charges through the payment gateway: a row each, so that one is told of when Redis has forgotten it.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::error::stored;
use super::rows::{self, Query, Row};
use super::wallet::Place;
use super::{Archive, Error};
use crate::domain::event::{Event, TopUp, TopUpStep};
use crate::domain::ids::{ChargeId, Id20, LogName};
use crate::domain::time::Millis;
use crate::domain::top_up::{GivenUp, TopUpEnd};

/// A top-up as the archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTopUp {
    /// Whose balance it is for.
    pub user: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// How it has ended; `None`: not yet.
    pub end: Option<TopUpEnd>,
}

/// What one transaction does to a top-up.
#[derive(Debug)]
struct Changed<'a> {
    log: LogName,
    charge: Id20,
    user: &'a str,
    /// Amount, currency and time; `None`: begun in an earlier transaction, so the row exists.
    begun: Option<(i64, &'a str, Millis)>,
    state: &'static str,
    reason: Option<GivenUp>,
    balance: Option<i64>,
    at: Millis,
}

/// The top-ups that one transaction changes.
#[derive(Debug, Default)]
pub(super) struct TopUps<'a>(BTreeMap<(LogName, Id20), Changed<'a>>);

impl<'a> TopUps<'a> {
    /// Takes a step of a top-up in; other events are none of its business.
    pub(super) fn take(&mut self, place: Place, event: &Event<'a>) {
        let Event::TopUp(TopUp { charge, user, step }) = *event else {
            return;
        };
        let Place { log, at, .. } = place;
        let fresh =
            Changed { log, charge, user, begun: None, state: "", reason: None, balance: None, at: place.at };
        let changed = self.0.entry((log, charge)).or_insert(fresh);
        changed.at = at;
        changed.state = match step {
            TopUpStep::Charging { amount, currency, .. } => {
                changed.begun = Some((amount, currency, at));
                "authorising"
            }
            TopUpStep::Capturing => "capture",
            TopUpStep::Voiding(reason) => reason.as_str(),
            TopUpStep::Credited { balance, .. } => {
                changed.balance = Some(balance);
                "credited"
            }
            TopUpStep::Voided { reason, .. } => {
                changed.reason = Some(reason);
                "voided"
            }
        };
    }

    /// Writes them.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let changed: Vec<_> = self.0.into_values().collect();
        rows::write(connection, &changed).await.map(drop)
    }
}

impl Row for Changed<'_> {
    const HEAD: &'static str = "insert into top_ups (log, charge, user, amount, currency, state, reason, balance, begun_at, \
                                changed_at) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const TAIL: &'static str = "on duplicate key update \
        state = values(state), reason = values(reason), balance = values(balance), changed_at = values(changed_at)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        // Zeros only where the row exists and keeps its own.
        let (amount, currency, begun) = self.begun.unwrap_or_default();
        query
            .bind(self.log.to_string())
            .bind(self.charge.as_str())
            .bind(self.user.as_bytes())
            .bind(amount)
            .bind(currency)
            .bind(self.state)
            .bind(self.reason.map(GivenUp::as_str))
            .bind(self.balance)
            .bind(begun.0)
            .bind(self.at.0)
    }
}

impl Archive {
    /// A charge through the gateway, as fresh as the archive. The caller compares its owner.
    pub async fn top_up(&self, id: ChargeId) -> Result<Option<StoredTopUp>, Error> {
        let select =
            "select user, amount, currency, state, reason, balance from top_ups where log = ? and charge = ?";
        let query = sqlx::query(select).bind(LogName::Wallet(id.partition).to_string()).bind(id.id.as_str());
        let Some(row) = query.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let amount = row.try_get("amount")?;
        let (state, reason): (String, Option<String>) = (row.try_get("state")?, row.try_get("reason")?);
        let end = match (state.as_str(), row.try_get("balance")?, reason.map(|reason| reason.parse())) {
            ("credited", Some(balance), None) => Some(TopUpEnd::Credited { amount, balance }),
            ("voided", None, Some(Ok(reason))) => Some(TopUpEnd::Voided { amount, reason }),
            ("authorising" | "capture" | "declined" | "expired", None, None) => None,
            _ => return Err(stored("top_ups", state)),
        };
        let user = super::log::read_text(&row, "user")?;
        Ok(Some(StoredTopUp { user, amount, currency: row.try_get("currency")?, end }))
    }
}
