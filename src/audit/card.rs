//! Card payments as a concert's log tells them: each begins once, is decided once, and the gateway does what was decided.

use std::collections::{HashMap, HashSet};

use super::by_user::ByUser;
use super::findings::{Check, Findings};
use super::reservation::At;
use crate::domain::event::{Authorising, Card, Event, Paid, VoidReason};
use crate::domain::ids::{ConcertId, Id20, ShowId};

/// A card payment.
#[derive(Clone, Debug)]
struct Made {
    reservation: Id20,
    show: ShowId,
    user: String,
    amount: i64,
    state: &'static str,
    reason: Option<VoidReason>,
    since: i64,
}

/// All card payments of a concert.
#[derive(Debug)]
pub(super) struct Cards {
    concert: ConcertId,
    made: HashMap<Id20, Made>,
    open: HashSet<Id20>,
    of: ByUser,
}

impl Cards {
    pub(super) fn new(concert: ConcertId) -> Self {
        Self { concert, made: HashMap::new(), open: HashSet::new(), of: ByUser::default() }
    }

    /// Takes a step of a card payment in; other events are none of its business.
    pub(super) fn take(&mut self, at: At, event: &Event<'_>, findings: &mut Findings) {
        match event {
            Event::Authorising(begun) => self.begin(at, begun, findings),
            Event::Authorised(paid) => self.authorised(at, paid, findings),
            Event::Voiding { card, reason } => {
                if let Some(made) = self.step(at, card, ("authorising", "void"), findings) {
                    made.reason = Some(*reason);
                }
            }
            Event::Captured(card) => self.end(at, card, ("capture", "captured"), findings),
            Event::Voided(card) => self.end(at, card, ("void", "voided"), findings),
            _ => {}
        }
    }

    /// A user has another name.
    pub(super) fn rename(&mut self, user: &str, name: &str) {
        for payment in self.of.rename(user, name) {
            if let Some(made) = self.made.get_mut(&payment).filter(|made| made.user == user) {
                name.clone_into(&mut made.user);
            }
        }
    }

    fn begin(&mut self, at: At, begun: &Authorising<'_>, findings: &mut Findings) {
        let Authorising { card, amount, .. } = begun;
        let made = Made {
            reservation: card.reservation,
            show: card.show,
            user: card.user.to_owned(),
            amount: *amount,
            state: "authorising",
            reason: None,
            since: at.time.0,
        };
        let before = self.made.insert(card.payment, made);
        self.open.insert(card.payment);
        self.of.add(card.user, card.payment);
        findings.expect(Check::Payments, before.is_none(), || {
            format!("c{}: entry {}: card payment {} begins twice", self.concert, at.number, card.payment)
        });
    }

    fn authorised(&mut self, at: At, paid: &Paid<'_>, findings: &mut Findings) {
        let (reservation, show, user, payment) = (paid.reservation, paid.show, paid.user, paid.payment);
        let card = Card { reservation, show, user, payment };
        let amount = self.step(at, &card, ("authorising", "capture"), findings).map(|made| made.amount);
        findings.expect(Check::Payments, amount.is_none_or(|amount| amount == paid.amount), || {
            format!("card payment {payment} was asked for {amount:?} and pays {}", paid.amount)
        });
    }

    fn end(&mut self, at: At, card: &Card<'_>, step: (&'static str, &'static str), findings: &mut Findings) {
        self.step(at, card, step, findings);
        self.open.remove(&card.payment);
    }

    /// Moves a payment from one state to the next; `None` if it was not there.
    fn step(
        &mut self,
        at: At,
        card: &Card<'_>,
        (from, to): (&'static str, &'static str),
        findings: &mut Findings,
    ) -> Option<&mut Made> {
        let Card { reservation, show, user, payment } = *card;
        let concert = self.concert;
        let made = self.made.get_mut(&payment).filter(|made| {
            made.state == from
                && (made.reservation, made.show, made.user.as_str()) == (reservation, show, user)
        });
        findings.expect(Check::Payments, made.is_some(), || {
            format!("c{concert}: entry {}: card payment {payment} is {to} and was not {from}", at.number)
        });
        let made = made?;
        (made.state, made.since) = (to, at.time.0);
        Some(made)
    }

    /// Whether it has paid this reservation with so much.
    pub(super) fn has_paid(&self, payment: Id20, reservation: Id20, amount: i64) -> bool {
        self.made.get(&payment).is_some_and(|made| {
            ["capture", "captured"].contains(&made.state)
                && (made.reservation, made.amount) == (reservation, amount)
        })
    }

    /// Whether the gateway has taken its money.
    pub(super) fn is_captured(&self, payment: Id20) -> bool {
        self.made.get(&payment).is_some_and(|made| made.state == "captured")
    }

    /// Payments that are not at their end.
    pub(super) fn open(&self) -> impl Iterator<Item = &Id20> {
        self.open.iter()
    }

    /// The record in Redis (formats 7); `None` once the payment is at its end.
    pub(super) fn record(&self, payment: Id20) -> Option<String> {
        let Made { reservation, show, user, amount, state, since, .. } =
            self.made.get(&payment).filter(|_| self.open.contains(&payment))?;
        Some(format!("{state} {reservation} {show} {amount} {since} {user}"))
    }

    /// All payments.
    pub(super) fn all(&self) -> impl Iterator<Item = &Id20> {
        self.made.keys()
    }

    /// The columns of the row in MySQL, as `archive::snapshot` reads them.
    pub(super) fn row(&self, payment: Id20) -> Option<String> {
        let Made { reservation, show, user, amount, state, reason, since } = self.made.get(&payment)?;
        let reason = reason.map_or("~", VoidReason::as_str);
        Some(format!("{reservation}|{show}|{user}|{amount}|{state}|{reason}|{since}"))
    }
}
