//! Holds a seat, gives it back, holds it again: for as long as one likes, in a hall however small.
//!
//! The policy asks for no queue token, so that nothing but the hall's size and the number of concerts changes from one load to the next.

use std::sync::Arc;

use crate::{
    catalog::Seat,
    load::{Answer, Source},
    people::{Person, Turn},
};

/// No tokens are asked for, and nothing lapses.
pub(crate) const UNGATED: &str = "{ gated: [], holdSeconds: 86400, maxSeatsPerUser: 1000 }";

/// One connection, with seats that are nobody else's.
#[derive(Clone, Debug)]
pub(crate) struct Turnover {
    turn: Turn,
    seats: Arc<[Seat]>,
    next: usize,
    held: Option<String>,
    sent: u64,
}

impl Turnover {
    /// Whose turn it is, and the seats.
    pub(crate) fn new(turn: Turn, seats: Vec<Seat>) -> Self {
        Self { turn, seats: seats.into(), next: 0, held: None, sent: 0 }
    }

    fn hold(&mut self, request: &mut Vec<u8>) {
        let seat = self.seats[self.next % self.seats.len()];
        self.next += 1;
        self.sent += 1;
        let Person { identity, .. } = self.turn.advance();
        hold(request, identity, seat, self.sent);
    }
}

/// Writes a hold without a queue token; `key` is said once for a seat.
pub(crate) fn hold(request: &mut Vec<u8>, identity: &str, seat: Seat, key: u64) {
    let body = format!("{{\"showId\":{},\"seats\":[\"{}\"]}}", seat.show, seat.label());
    let text = format!(
        "POST /v1/reservations HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {identity}\r\nIdempotency-Key: t-{}-{}-{key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        seat.show,
        seat.index,
        body.len()
    );
    request.extend_from_slice(text.as_bytes());
}

impl Source for Turnover {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some(reservation) = &self.held else {
            self.hold(request);
            return true;
        };
        let Person { identity, .. } = self.turn.person(self.turn.latest());
        let head = format!(
            "DELETE /v1/reservations/{reservation} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {identity}\r\n\r\n"
        );
        request.extend_from_slice(head.as_bytes());
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        if self.held.take().is_some() {
            return answer.status == 204;
        }
        self.held = answer.text("reservationId").map(str::to_owned);
        answer.status == 201 && self.held.is_some()
    }
}
