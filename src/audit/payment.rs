//! Payments and refunds stand in two logs: the concert's and the wallet's. Here each finds its counterpart.
//!
//! Wallets are read first, then concerts, then what the wallets have got since: both are written by one script, so a payment
//! read in a wallet is in its concert's log when that is read later, and the other way round. Only what the last
//! reading brings may still want its counterpart. Some 100 bytes a payment until that is found.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use super::findings::{Check, Findings};
use crate::domain::event::{Event, Paid, Passed, Refunded, Returned};
use crate::domain::ids::{ConcertId, Id20, LogName, ReservationId, ShowId, UserId};
use crate::domain::pseudonym::is_anonymous;

/// What both logs say of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    show: ShowId,
    reservation: Id20,
    /// `None`: he has another name in this log than in others (0015).
    user: Option<u64>,
    amount: i64,
    balance: i64,
}

#[derive(Debug)]
struct Half {
    log: LogName,
    /// Where its counterpart has to be.
    partner: LogName,
    terms: Terms,
}

/// Payments whose counterpart has not been met.
#[derive(Debug)]
pub(super) struct Pairs {
    partitions: u8,
    hasher: RandomState,
    open: HashMap<(ConcertId, Id20), Half>,
    /// Whether what wallets tell now may be newer than what was read of the concerts.
    closing: bool,
}

impl Pairs {
    pub(super) fn new(partitions: u8) -> Self {
        Self { partitions, hasher: RandomState::new(), open: HashMap::new(), closing: false }
    }

    /// From here on wallets tell of payments that their concerts need not have told.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    pub(super) fn take_paid(&mut self, concert: ConcertId, paid: &Paid<'_>, findings: &mut Findings) {
        let partner = UserId::new(paid.user).map_or(0, |user| user.partition(self.partitions));
        let terms = Terms {
            show: paid.show,
            reservation: paid.reservation,
            user: self.known(paid.user),
            amount: paid.amount,
            balance: paid.balance,
        };
        let half = Half { log: LogName::Concert(concert), partner: LogName::Wallet(partner), terms };
        self.take(concert, paid.payment, half, findings);
    }

    pub(super) fn take_spent(&mut self, partition: u8, spent: &Event<'_>, findings: &mut Findings) {
        let Event::Spent { payment, user, reservation, amount, balance } = *spent else {
            return;
        };
        let ReservationId { concert, show, id } = reservation;
        let user = self.known(user);
        let terms = Terms { show, reservation: id, user, amount, balance };
        let half = Half { log: LogName::Wallet(partition), partner: LogName::Concert(concert), terms };
        self.take(concert, payment, half, findings);
    }

    pub(super) fn take_passed(&mut self, partition: u8, passed: &Passed<'_>, findings: &mut Findings) {
        let Passed { payment, user, reservation, amount, balance } = *passed;
        let ReservationId { concert, show, id } = reservation;
        let user = self.known(user);
        let terms = Terms { show, reservation: id, user, amount, balance };
        let half = Half { log: LogName::Wallet(partition), partner: LogName::Concert(concert), terms };
        self.take(concert, payment, half, findings);
    }

    pub(super) fn take_refunded(&mut self, concert: ConcertId, back: &Refunded<'_>, findings: &mut Findings) {
        let partner = UserId::new(back.user).map_or(0, |user| user.partition(self.partitions));
        let terms = Terms {
            show: back.show,
            reservation: back.reservation,
            user: self.known(back.user),
            // Below 0: a refund is no counterpart of a payment.
            amount: -back.amount,
            balance: back.balance,
        };
        let half = Half { log: LogName::Concert(concert), partner: LogName::Wallet(partner), terms };
        self.take(concert, back.refund, half, findings);
    }

    pub(super) fn take_returned(&mut self, partition: u8, back: &Returned<'_>, findings: &mut Findings) {
        let ReservationId { concert, show, id } = back.reservation;
        let (user, amount) = (self.known(back.user), -back.amount);
        let terms = Terms { show, reservation: id, user, amount, balance: back.balance };
        let half = Half { log: LogName::Wallet(partition), partner: LogName::Concert(concert), terms };
        self.take(concert, back.refund, half, findings);
    }

    fn known(&self, user: &str) -> Option<u64> {
        (!is_anonymous(user)).then(|| self.hasher.hash_one(user))
    }

    fn take(&mut self, concert: ConcertId, payment: Id20, half: Half, findings: &mut Findings) {
        let Some(other) = self.open.remove(&(concert, payment)) else {
            if !(self.closing && matches!(half.log, LogName::Wallet(_))) {
                self.open.insert((concert, payment), half);
            }
            return;
        };
        let user = other.terms.user.and(half.terms.user);
        let terms = |terms: Terms| Terms { user: user.and(terms.user), ..terms };
        let agree =
            other.log == half.partner && half.log == other.partner && terms(other.terms) == terms(half.terms);
        findings.expect(Check::Payments, agree, || {
            format!(
                "payment or refund {payment} of concert {concert} is not the same in {} and {}",
                other.log, half.log
            )
        });
    }

    /// What has no counterpart, unless the log that should hold it can't be followed.
    pub(super) fn finish(self, unproven: &HashSet<LogName>, findings: &mut Findings) {
        for ((concert, payment), half) in self.open {
            if !unproven.contains(&half.partner) {
                let (log, partner) = (half.log, half.partner);
                let text = format!(
                    "payment or refund {payment} of concert {concert} is in {log} and not in {partner}"
                );
                findings.violated(Check::Payments, text);
            }
        }
    }
}
