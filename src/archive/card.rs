//! Card payments: a row each, so that one that was voided is told of when Redis has forgotten it.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::error::stored;
use super::reservation::Place;
use super::rows::{self, Query, Row};
use super::{Archive, Error};
use crate::domain::event::{Card, Event, VoidReason};
use crate::domain::ids::{ConcertId, Id20, PaymentId};
use crate::domain::time::Millis;

/// How far a card payment is, as the archive has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredCardState {
    /// Not decided.
    Authorising,
    /// It has paid; whether the gateway has been told is the loops' affair.
    Paid,
    /// It buys nothing.
    Void(VoidReason),
}

/// A card payment as the archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCard {
    /// Who pays.
    pub user: String,
    /// Minor units.
    pub amount: i64,
    /// How far it is.
    pub state: StoredCardState,
}

/// What one transaction does to a card payment.
#[derive(Debug)]
struct Changed<'a> {
    concert: ConcertId,
    card: Card<'a>,
    /// Amount and time; `None`: begun in an earlier transaction, so the row exists.
    begun: Option<(i64, Millis)>,
    state: &'static str,
    reason: Option<VoidReason>,
    at: Millis,
}

/// The card payments that one transaction changes.
#[derive(Debug, Default)]
pub(super) struct Cards<'a>(BTreeMap<(ConcertId, Id20), Changed<'a>>);

impl<'a> Cards<'a> {
    /// Takes a step of a card payment in; other events are none of its business.
    pub(super) fn take(&mut self, place: Place, event: &Event<'a>) {
        let (card, state) = match event {
            Event::Authorising(begun) => (begun.card, "authorising"),
            Event::Authorised(paid) => {
                let (reservation, show, user, payment) =
                    (paid.reservation, paid.show, paid.user, paid.payment);
                (Card { reservation, show, user, payment }, "capture")
            }
            Event::Voiding { card, .. } => (*card, "void"),
            Event::Captured(card) => (*card, "captured"),
            Event::Voided(card) => (*card, "voided"),
            _ => return,
        };
        let fresh = Changed { concert: place.concert, card, begun: None, state, reason: None, at: place.at };
        let changed = self.0.entry((place.concert, card.payment)).or_insert(fresh);
        (changed.state, changed.at) = (state, place.at);
        match event {
            Event::Authorising(begun) => changed.begun = Some((begun.amount, place.at)),
            Event::Voiding { reason, .. } => changed.reason = Some(*reason),
            _ => {}
        }
    }

    /// Writes them.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let changed: Vec<_> = self.0.into_values().collect();
        rows::write(connection, &changed).await.map(drop)
    }
}

impl Row for Changed<'_> {
    const HEAD: &'static str = "insert into card_payments (concert, payment, reservation, show_id, user, amount, state, reason, \
                                begun_at, changed_at) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const TAIL: &'static str = "on duplicate key update \
        state = values(state), reason = coalesce(values(reason), reason), changed_at = values(changed_at)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        // Zeros only where the row exists and keeps its own.
        let (amount, begun) = self.begun.unwrap_or_default();
        query
            .bind(self.concert.0)
            .bind(self.card.payment.as_str())
            .bind(self.card.reservation.as_str())
            .bind(self.card.show.0)
            .bind(self.card.user.as_bytes())
            .bind(amount)
            .bind(self.state)
            .bind(self.reason.map(VoidReason::as_str))
            .bind(begun.0)
            .bind(self.at.0)
    }
}

impl Archive {
    /// A card payment, as fresh as the archive. The caller compares its owner.
    pub async fn card(&self, id: PaymentId) -> Result<Option<StoredCard>, Error> {
        let select = "select user, amount, state, reason from card_payments \
                      where concert = ? and payment = ? and reservation = ? and show_id = ?";
        let query = sqlx::query(select)
            .bind(id.reservation.concert.0)
            .bind(id.id.as_str())
            .bind(id.reservation.id.as_str())
            .bind(id.reservation.show.0);
        let Some(row) = query.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let (state, reason): (String, Option<String>) = (row.try_get("state")?, row.try_get("reason")?);
        let known = |reason: &str| VoidReason::ALL.into_iter().find(|known| known.as_str() == reason);
        let state = match (state.as_str(), reason.as_deref().and_then(known)) {
            ("authorising", _) => StoredCardState::Authorising,
            ("capture" | "captured", _) => StoredCardState::Paid,
            ("void" | "voided", Some(reason)) => StoredCardState::Void(reason),
            _ => return Err(stored("card_payments", state)),
        };
        let user = super::log::read_text(&row, "user")?;
        Ok(Some(StoredCard { user, amount: row.try_get("amount")?, state }))
    }
}
