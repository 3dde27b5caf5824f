//! Which open payments a worker looks at, and in what order.
//!
//! First those of which the gateway has only to be told what was decided, then those that it was not asked about for longest: a tick
//! that ends before all had their turn passes over none for good, however long each takes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::card::{CardPayment, CardState};
use crate::domain::ids::{ConcertId, PaymentId};
use crate::domain::time::Millis;
use crate::domain::top_up::{TopUp, TopUpState};

/// So many periods a payment is looked at in each, then in every eighth: most are over by then, or wait for a buyer.
const EAGER: i64 = 16;
const SELDOM: i64 = 8;

/// What waits for the gateway.
pub(super) trait Open {
    /// Since when it is in its state.
    fn since(&self) -> Millis;
    /// Whether the gateway is to be asked, not told.
    fn is_asked(&self) -> bool;
}

impl Open for CardPayment {
    fn since(&self) -> Millis {
        self.since
    }

    fn is_asked(&self) -> bool {
        self.state == CardState::Authorising
    }
}

impl Open for TopUp {
    fn since(&self) -> Millis {
        self.since
    }

    fn is_asked(&self) -> bool {
        self.state == TopUpState::Authorising
    }
}

/// When each open payment of a concert, or top-up of a wallet partition, was last looked at.
#[derive(Debug)]
pub(super) struct Looks<G = ConcertId, P = PaymentId>(Mutex<HashMap<G, HashMap<P, Millis>>>);

impl<G, P> Default for Looks<G, P> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<G: Copy + Eq + Hash, P: Copy + Eq + Hash> Looks<G, P> {
    fn lock(&self) -> MutexGuard<'_, HashMap<G, HashMap<P, Millis>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of a concert's open payments that are due at `now`, in the order of their turn. One in whose state nothing has moved for
    /// `period` is; those that are not open any more are forgotten.
    pub(super) fn due<T: Open>(
        &self,
        of: G,
        open: HashMap<P, T>,
        now: Millis,
        period: Duration,
    ) -> Vec<(P, T)> {
        let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut all = self.lock();
        let looked = all.entry(of).or_default();
        looked.retain(|payment, _| open.contains_key(payment));
        let turn = |payment: &P, open: &T| {
            looked.get(payment).copied().filter(|at| *at >= open.since()).unwrap_or(open.since())
        };
        let is_due = |(payment, open): &(P, T)| {
            let (age, last) = (now.0 - open.since().0, turn(payment, open));
            let rest = if age < EAGER * period { period } else { SELDOM * period };
            // Ticks come a little early or late; the first look does not, since who began it is at it.
            age >= period && now.0 - last.0 >= if last == open.since() { period } else { rest - period / 2 }
        };
        let mut due: Vec<_> = open.into_iter().filter(is_due).collect();
        due.sort_by_key(|(payment, open)| (open.is_asked(), turn(payment, open).0));
        due
    }

    /// Notes that an open payment is looked at.
    pub(super) fn note(&self, of: G, payment: P, now: Millis) {
        self.lock().entry(of).or_default().insert(payment, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Id20, ReservationId, ShowId};

    const CONCERT: ConcertId = ConcertId(7);
    const PERIOD: Duration = Duration::from_secs(1);

    fn id(digit: u8) -> Id20 {
        char::from(b'0' + digit).to_string().repeat(20).parse().unwrap()
    }

    fn payment(digit: u8) -> PaymentId {
        PaymentId {
            reservation: ReservationId { concert: CONCERT, show: ShowId(1), id: id(0) },
            id: id(digit),
        }
    }

    /// A payment that is so since that ms.
    fn open(all: &[(u8, CardState, i64)]) -> HashMap<PaymentId, CardPayment> {
        let card = |&(digit, state, since): &(u8, CardState, i64)| {
            let record = format!("{} {} 1 5 {since} u", state.as_str(), id(0));
            (payment(digit), CardPayment::decode(&record).unwrap())
        };
        all.iter().map(card).collect()
    }

    fn due(looks: &Looks, all: &[(u8, CardState, i64)], now: i64) -> Vec<u8> {
        let due = looks.due(CONCERT, open(all), Millis(now), PERIOD);
        due.iter().map(|(payment, _)| payment.id.as_str().as_bytes()[0] - b'0').collect()
    }

    #[test]
    fn what_was_decided_comes_first_and_then_who_waited_longest() {
        let looks = Looks::default();
        let all = [
            (1, CardState::Authorising, 100),
            (2, CardState::Authorising, 50),
            (3, CardState::Capture, 900),
            (4, CardState::Void, 800),
            (5, CardState::Void, 2500),
        ];
        assert_eq!(due(&looks, &all, 3000), [4, 3, 2, 1]);
        // The tick ended before 1 had its turn.
        for (digit, at) in [(4, 3000), (3, 3001), (2, 3002)] {
            looks.note(CONCERT, payment(digit), Millis(at));
        }
        assert_eq!(due(&looks, &all, 3400), [1]);
        assert_eq!(due(&looks, &all, 4000), [5, 4, 3, 1, 2]);
    }

    /// Ticks that take several periods each still look, whatever the age.
    #[test]
    fn an_old_payment_is_looked_at_every_eight_periods_whenever_the_ticks_fall() {
        for tick in [1000, 2000, 3000, 4000, 5000, 7000] {
            let (looks, all) = (Looks::default(), [(1, CardState::Authorising, 500)]);
            let mut looked = Vec::new();
            for now in (0..200_000).step_by(tick) {
                if due(&looks, &all, now) == [1] {
                    looks.note(CONCERT, payment(1), Millis(now));
                    looked.push(now);
                }
            }
            let late = |pair: &&[i64]| pair[0] >= 17_000;
            let most = 8000 + i64::try_from(tick).unwrap();
            assert!(
                looked.windows(2).filter(late).all(|pair| pair[1] - pair[0] <= most),
                "{tick}: {looked:?}"
            );
            assert!(
                looked.windows(2).filter(late).all(|pair| pair[1] - pair[0] >= 7500),
                "{tick}: {looked:?}"
            );
            assert!(looked.len() > 10, "{tick}: {looked:?}");
        }
    }

    #[test]
    fn a_payment_that_has_moved_or_gone_begins_anew() {
        let looks = Looks::default();
        looks.note(CONCERT, payment(1), Millis(30_000));
        assert!(due(&looks, &[(1, CardState::Authorising, 0)], 31_000).is_empty());
        assert!(due(&looks, &[(1, CardState::Capture, 30_500)], 31_499).is_empty());
        assert_eq!(due(&looks, &[(1, CardState::Capture, 30_500)], 31_500), [1]);
        assert!(due(&looks, &[], 31_500).is_empty());
        assert!(looks.lock()[&CONCERT].is_empty());
    }
}
