//! Places in line: a row each, whatever happened to it within one transaction written once.

use std::collections::HashMap;

use sqlx::mysql::MySqlConnection;

use super::rows::{self, Query, Row};
use crate::domain::event::Event;
use crate::domain::ids::ConcertId;
use crate::domain::time::Millis;

/// What one transaction does to a place. `None`: stays as it was.
#[derive(Debug)]
struct Place<'a> {
    concert: ConcertId,
    seq: u64,
    user: &'a str,
    /// `None`: joined in an earlier transaction, so the row exists.
    issued: Option<Millis>,
    admitted: Option<Millis>,
    active_until: Option<Millis>,
    claim_by: Option<Millis>,
    claimed: Option<Millis>,
    ended: Option<(Millis, &'static str)>,
}

/// The places that one transaction changes.
#[derive(Debug, Default)]
pub(super) struct Places<'a> {
    places: Vec<Place<'a>>,
    by_seq: HashMap<(ConcertId, u64), usize>,
}

impl<'a> Places<'a> {
    /// Takes an event of the line in; the others are none of its business.
    pub(super) fn take(&mut self, concert: ConcertId, at: Millis, event: &Event<'a>) {
        match *event {
            Event::Joined { seq, user } => self.place(concert, seq, user).issued = Some(at),
            Event::Admitted { seq, user, end, claim_by } => {
                let place = self.place(concert, seq, user);
                place.admitted = Some(at);
                place.active_until = Some(end);
                place.claim_by = Some(claim_by);
                if claim_by == Millis(0) {
                    place.claimed = Some(at);
                }
            }
            Event::Claimed { seq, user } => self.place(concert, seq, user).claimed = Some(at),
            Event::Stretched { seq, user, end } => self.place(concert, seq, user).active_until = Some(end),
            Event::Ended { seq, user, reason } => {
                self.place(concert, seq, user).ended = Some((at, reason.as_str()));
            }
            _ => {}
        }
    }

    fn place(&mut self, concert: ConcertId, seq: u64, user: &'a str) -> &mut Place<'a> {
        let places = &mut self.places;
        let index = *self.by_seq.entry((concert, seq)).or_insert_with(|| {
            places.push(Place {
                concert,
                seq,
                user,
                issued: None,
                admitted: None,
                active_until: None,
                claim_by: None,
                claimed: None,
                ended: None,
            });
            places.len() - 1
        });
        &mut self.places[index]
    }

    /// Writes them: rows for the new places, changes to the others.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let (new, known): (Vec<_>, Vec<_>) =
            self.places.into_iter().partition(|place| place.issued.is_some());
        let new: Vec<_> = new.into_iter().map(New).collect();
        let known: Vec<_> = known.into_iter().map(Known).collect();
        rows::write(connection, &new).await?;
        rows::write(connection, &known).await?;
        Ok(())
    }
}

const HEAD: &str = "insert into queue_tokens (concert, seq, user, issued_at, admitted_at, active_until, claim_by, \
                    claimed_at, ended_at, end_reason) values";
const VALUES: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A place that has no row yet; a second row for it is refused by the primary key.
struct New<'a>(Place<'a>);

/// A place that has a row.
struct Known<'a>(Place<'a>);

impl Row for New<'_> {
    const HEAD: &'static str = HEAD;
    const VALUES: &'static str = VALUES;

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        bind(&self.0, query)
    }
}

impl Row for Known<'_> {
    const HEAD: &'static str = HEAD;
    const VALUES: &'static str = VALUES;
    const TAIL: &'static str = "on duplicate key update \
        admitted_at = coalesce(values(admitted_at), admitted_at), \
        active_until = coalesce(values(active_until), active_until), \
        claim_by = coalesce(values(claim_by), claim_by), \
        claimed_at = coalesce(values(claimed_at), claimed_at), \
        ended_at = coalesce(values(ended_at), ended_at), \
        end_reason = coalesce(values(end_reason), end_reason)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        bind(&self.0, query)
    }
}

fn bind<'q>(place: &'q Place<'_>, query: Query<'q>) -> Query<'q> {
    query
        .bind(place.concert.0)
        .bind(place.seq)
        .bind(place.user.as_bytes())
        // 0 only where the row exists and keeps its own.
        .bind(place.issued.unwrap_or_default().0)
        .bind(place.admitted.map(|at| at.0))
        .bind(place.active_until.map(|at| at.0))
        .bind(place.claim_by.map(|at| at.0))
        .bind(place.claimed.map(|at| at.0))
        .bind(place.ended.map(|(at, _)| at.0))
        .bind(place.ended.map(|(_, reason)| reason))
}
