//! Refunds to cards: a row each, for the report of a cancelled show and for people who look after one that the gateway refuses.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlConnection;

use super::reservation::Place;
use super::rows::{self, Query, Row};
use super::{Archive, Error};
use crate::domain::event::{Card, CardRefund, Event, OpenRefund};
use crate::domain::ids::{ConcertId, Id20, PaymentId};
use crate::domain::time::Millis;

impl Archive {
    /// Whether a refund, by its own name, is here.
    pub async fn has_card_refund(&self, name: PaymentId) -> Result<bool, Error> {
        let select = "select exists (select 1 from card_refunds where concert = ? and refund = ?)";
        let query = sqlx::query_scalar(select).bind(name.reservation.concert.0).bind(name.id.as_str());
        Ok(query.fetch_one(&self.pool).await?)
    }
}

/// What one transaction does to a refund.
#[derive(Debug)]
struct Changed<'a> {
    concert: ConcertId,
    refund: Id20,
    card: Card<'a>,
    amount: i64,
    state: &'static str,
    /// `None`: in an earlier transaction, so the row exists.
    decided: Option<Millis>,
    at: Millis,
}

/// The refunds to cards that one transaction changes.
#[derive(Debug, Default)]
pub(super) struct CardRefunds<'a>(BTreeMap<(ConcertId, Id20), Changed<'a>>);

impl<'a> CardRefunds<'a> {
    /// Takes a step of one in; other events are none of its business.
    pub(super) fn take(&mut self, place: Place, event: &Event<'a>) {
        let Event::CardRefund(step) = event else {
            return;
        };
        let (open, state) = match step {
            CardRefund::Decided { back, payment, .. } => {
                let (reservation, show, user) = (back.reservation, back.show, back.user);
                let card = Card { reservation, show, user, payment: *payment };
                (OpenRefund { card, refund: back.refund, amount: back.amount }, "refund")
            }
            CardRefund::Refused(open) => (*open, "refused"),
            CardRefund::Returned(open) => (*open, "returned"),
        };
        let OpenRefund { card, refund, amount } = open;
        let concert = place.concert;
        let fresh = Changed { concert, refund, card, amount, state, decided: None, at: place.at };
        let changed = self.0.entry((concert, refund)).or_insert(fresh);
        (changed.state, changed.at) = (state, place.at);
        if state == "refund" {
            changed.decided = Some(place.at);
        }
    }

    /// Writes them.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let changed: Vec<_> = self.0.into_values().collect();
        rows::write(connection, &changed).await.map(drop)
    }
}

impl Row for Changed<'_> {
    const HEAD: &'static str = "insert into card_refunds (concert, refund, payment, reservation, show_id, user, amount, state, \
                                decided_at, changed_at) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const TAIL: &'static str =
        "on duplicate key update state = values(state), changed_at = values(changed_at)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query
            .bind(self.concert.0)
            .bind(self.refund.as_str())
            .bind(self.card.payment.as_str())
            .bind(self.card.reservation.as_str())
            .bind(self.card.show.0)
            .bind(self.card.user.as_bytes())
            .bind(self.amount)
            .bind(self.state)
            // 0 only where the row exists and keeps its own.
            .bind(self.decided.unwrap_or_default().0)
            .bind(self.at.0)
    }
}
