//! Refunds to cards as a concert's log tells them: each is decided once, of a payment by card and never more than it took, and the
//! gateway is told only when it has taken that.

use std::collections::{HashMap, HashSet};

use super::by_user::ByUser;
use super::card::Cards;
use super::findings::{Check, Findings};
use super::reservation::At;
use crate::domain::event::{CardRefund, OpenRefund};
use crate::domain::ids::{ConcertId, Id20, ShowId};

/// A refund.
#[derive(Clone, Debug)]
struct Made {
    payment: Id20,
    paid: i64,
    reservation: Id20,
    show: ShowId,
    user: String,
    amount: i64,
    state: &'static str,
    decided: i64,
    since: i64,
}

/// All refunds to cards of a concert.
#[derive(Debug)]
pub(super) struct CardRefunds {
    concert: ConcertId,
    made: HashMap<Id20, Made>,
    open: HashSet<Id20>,
    of: ByUser,
    /// What each payment has given back, minor units.
    given_back: HashMap<Id20, i64>,
}

impl CardRefunds {
    pub(super) fn new(concert: ConcertId) -> Self {
        let (made, open, given_back) = (HashMap::new(), HashSet::new(), HashMap::new());
        Self { concert, made, open, of: ByUser::default(), given_back }
    }

    /// Takes a step of one in; `cards` are the payments as the log has told them so far.
    pub(super) fn take(&mut self, at: At, step: &CardRefund<'_>, cards: &Cards, findings: &mut Findings) {
        match step {
            CardRefund::Decided { back, payment, paid } => {
                let made = Made {
                    payment: *payment,
                    paid: *paid,
                    reservation: back.reservation,
                    show: back.show,
                    user: back.user.to_owned(),
                    amount: back.amount,
                    state: "refund",
                    decided: at.time.0,
                    since: at.time.0,
                };
                self.decide(at, back.refund, made, cards, findings);
            }
            CardRefund::Refused(open) => self.step(at, open, "refused", cards, findings),
            CardRefund::Returned(open) => {
                self.step(at, open, "returned", cards, findings);
                self.open.remove(&open.refund);
            }
        }
    }

    /// A user has another name.
    pub(super) fn rename(&mut self, user: &str, name: &str) {
        for refund in self.of.rename(user, name) {
            if let Some(made) = self.made.get_mut(&refund).filter(|made| made.user == user) {
                name.clone_into(&mut made.user);
            }
        }
    }

    fn decide(&mut self, at: At, refund: Id20, made: Made, cards: &Cards, findings: &mut Findings) {
        let (concert, payment, paid) = (self.concert, made.payment, made.paid);
        let paid_so = cards.has_paid(payment, made.reservation, paid);
        findings.expect(Check::Payments, paid_so, || {
            format!(
                "c{concert}: entry {}: {payment} has not paid {paid}, of which {refund} gives back",
                at.number
            )
        });
        let given_back = self.given_back.entry(payment).or_default();
        *given_back += made.amount;
        let given_back = *given_back;
        findings.expect(Check::Payments, given_back <= paid, || {
            format!(
                "c{concert}: entry {}: card payment {payment} of {paid} gives back {given_back}",
                at.number
            )
        });
        self.of.add(&made.user, refund);
        let before = self.made.insert(refund, made);
        self.open.insert(refund);
        findings.expect(Check::Payments, before.is_none(), || {
            format!("c{concert}: entry {}: refund {refund} is decided twice", at.number)
        });
    }

    fn step(
        &mut self,
        at: At,
        open: &OpenRefund<'_>,
        state: &'static str,
        cards: &Cards,
        findings: &mut Findings,
    ) {
        let OpenRefund { card, refund, amount } = *open;
        let told = (card.payment, card.reservation, card.show, card.user, amount);
        let made = self.made.get_mut(&refund).filter(|made| {
            made.state != "returned"
                && made.state != state
                && (made.payment, made.reservation, made.show, made.user.as_str(), made.amount) == told
        });
        let fits = made.is_some() && cards.is_captured(card.payment);
        let concert = self.concert;
        findings.expect(Check::Payments, fits, || {
            format!("c{concert}: entry {}: refund {refund} is {state} and could not be", at.number)
        });
        if let Some(made) = made {
            (made.state, made.since) = (state, at.time.0);
        }
    }

    /// Refunds that are not at their end.
    pub(super) fn open(&self) -> impl Iterator<Item = &Id20> {
        self.open.iter()
    }

    /// The record in Redis (formats 7); `None` once the refund is at its end.
    pub(super) fn record(&self, refund: Id20) -> Option<String> {
        let Made { payment, paid, reservation, show, user, amount, state, since, .. } =
            self.made.get(&refund).filter(|_| self.open.contains(&refund))?;
        Some(format!("{state} {reservation} {show} {amount} {since} {payment} {paid} {user}"))
    }

    /// All refunds.
    pub(super) fn all(&self) -> impl Iterator<Item = &Id20> {
        self.made.keys()
    }

    /// The columns of the row in MySQL, as `archive::snapshot` reads them.
    pub(super) fn row(&self, refund: Id20) -> Option<String> {
        let Made { payment, reservation, show, user, amount, state, decided, since, .. } =
            self.made.get(&refund)?;
        Some(format!("{payment}|{reservation}|{show}|{user}|{amount}|{state}|{decided}|{since}"))
    }
}
