//! Who holds, and who pays: the requests of one seat, and the sources that send them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    catalog::{Seat, Seats},
    load::{Answer, Source},
    people::{Person, Turn},
};

/// Reservations that wait to be paid, with the number of their owner. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Basket(Arc<Mutex<VecDeque<(usize, String)>>>);

/// Holds one seat after the other, each for the user whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) buyer: Buyer,
    /// Where the reservations go, if anybody pays them.
    pub(crate) basket: Option<Basket>,
}

/// Pays what is in the basket.
#[derive(Clone, Debug)]
pub(crate) struct Paying {
    pub(crate) buyer: Buyer,
    pub(crate) basket: Basket,
}

/// Holds a seat, pays it, and lets the next user come.
#[derive(Clone, Debug)]
pub(crate) struct Cycling {
    pub(crate) buyer: Buyer,
    /// Of the hold that is to be paid.
    pub(crate) held: Option<String>,
}

/// The users of one connection and the seats that they want.
#[derive(Clone, Debug)]
pub(crate) struct Buyer {
    pub(crate) turn: Turn,
    pub(crate) seats: Seats,
    /// Tells the idempotency keys of connections apart.
    pub(crate) number: usize,
    pub(crate) sent: u64,
}

impl Basket {
    fn put(&self, owner: usize, reservation: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((owner, reservation.to_owned()));
    }

    /// How many there are.
    #[expect(clippy::cast_precision_loss, reason = "no basket has 2^52 reservations")]
    pub(crate) fn count(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as f64
    }

    fn take(&self) -> Option<(usize, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Buyer {
    /// Writes a hold of the next seat for the next user, if one of each is left.
    pub(crate) fn hold(&mut self, request: &mut Vec<u8>) -> bool {
        if self.turn.is_over() {
            return false;
        }
        let Some(seat) = self.seats.take() else {
            return false;
        };
        self.hold_seat(seat, request);
        true
    }

    /// Writes a hold of this seat for the next user.
    pub(crate) fn hold_seat(&mut self, seat: Seat, request: &mut Vec<u8>) {
        let (show, label) = (seat.show, seat.label());
        let person = self.turn.advance();
        self.sent += 1;
        let body = format!("{{\"showId\":{show},\"seats\":[\"{label}\"]}}");
        post(request, "/v1/reservations", person, (self.number, self.sent), &body);
    }

    fn pay(&mut self, owner: usize, reservation: &str, request: &mut Vec<u8>) {
        self.sent += 1;
        let body = format!("{{\"reservationId\":\"{reservation}\"}}");
        post(request, "/v1/payments", self.turn.person(owner), (self.number, self.sent), &body);
    }
}

/// Every POST has all that a client of ours sends: both tokens, a key and a body.
fn post(request: &mut Vec<u8>, path: &str, person: &Person, key: (usize, u64), body: &str) {
    let Person { identity, queue, .. } = person;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {identity}\r\nQueue-Token: {queue}\r\n\
         Idempotency-Key: {}-{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        key.0,
        key.1,
        body.len()
    );
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body.as_bytes());
}

impl Source for Holding {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        self.buyer.hold(request)
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        if let (Some(basket), Some(reservation)) = (&self.basket, answer.text("reservationId")) {
            basket.put(self.buyer.turn.latest(), reservation);
        }
        answer.status == 201
    }
}

impl Source for Paying {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some((owner, reservation)) = self.basket.take() else {
            return false;
        };
        self.buyer.pay(owner, &reservation, request);
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == 200
    }
}

impl Source for Cycling {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some(reservation) = self.held.take() else {
            return self.buyer.hold(request);
        };
        self.buyer.pay(self.buyer.turn.latest(), &reservation, request);
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        if answer.status == 201 {
            self.held = answer.text("reservationId").map(str::to_owned);
        }
        answer.status == 200 || self.held.is_some()
    }
}
