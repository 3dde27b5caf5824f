//! Seats and reservations of a concert as its log tells them: never two on one seat, never paid too late.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use super::by_user::ByUser;
use super::findings::{Check, Findings};
use crate::domain::event::{Authorising, Blocking, Card, Extended, Freed, Held, Paid, Refunded};
use crate::domain::ids::{ConcertId, Id20, ShowId};
use crate::domain::reservation::{Seats, Status};
use crate::domain::time::Millis;

/// Where an event stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) number: u64,
    pub(super) time: Millis,
}

/// A payment of a reservation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payment {
    pub(super) id: Id20,
    pub(super) balance: i64,
    pub(super) at: Millis,
}

/// A reservation.
#[derive(Clone, Debug)]
pub(super) struct Reservation {
    pub(super) status: Status,
    pub(super) show: ShowId,
    pub(super) user: String,
    pub(super) amount: i64,
    pub(super) created: Millis,
    pub(super) end: Millis,
    pub(super) catalog: u64,
    pub(super) seats: Seats,
    /// The card payment that began last.
    pub(super) card: Option<Id20>,
    /// Those that were declined, the last one first.
    pub(super) declined: Vec<Id20>,
    pub(super) payment: Option<Payment>,
    pub(super) ended: Option<Millis>,
    /// Those of its seats that went back after the payment.
    pub(super) refunded: Seats,
    /// Numbers of the entries that changed it, as MySQL has them: `12,15`.
    pub(super) entries: String,
}

/// A show.
#[derive(Clone, Debug, Default)]
pub(super) struct Show {
    pub(super) seats: u32,
    /// The last entry that changed its seat map.
    pub(super) version: u64,
    pub(super) holders: HashMap<u32, Id20>,
    pub(super) owned: HashMap<String, usize>,
    /// Seats that are not for sale.
    pub(super) blocked: HashSet<u32>,
}

/// All seats and reservations of a concert.
#[derive(Debug)]
pub(super) struct Sale {
    pub(super) concert: ConcertId,
    pub(super) shows: BTreeMap<ShowId, Show>,
    pub(super) reservations: HashMap<Id20, Reservation>,
    of: ByUser,
    /// User → his PENDING ones in the order they were made.
    pub(super) pending: HashMap<String, Vec<Id20>>,
    /// Those EXPIRED, CANCELLED or REFUNDED.
    pub(super) ended: HashSet<Id20>,
    pub(super) count_pending: usize,
    pub(super) revenue: i64,
    pub(super) booked: i64,
    pub(super) catalog: u64,
    /// Cancelled shows with the reason.
    pub(super) cancelled: BTreeMap<ShowId, String>,
}

impl Sale {
    pub(super) fn new(concert: ConcertId) -> Self {
        Self {
            concert,
            shows: BTreeMap::new(),
            reservations: HashMap::new(),
            of: ByUser::default(),
            pending: HashMap::new(),
            ended: HashSet::new(),
            count_pending: 0,
            revenue: 0,
            booked: 0,
            catalog: 0,
            cancelled: BTreeMap::new(),
        }
    }

    fn violated(&self, findings: &mut Findings, at: At, text: &str) {
        findings.violated(Check::Seats, format!("c{}: entry {}: {text}", self.concert, at.number));
    }

    pub(super) fn open_show(&mut self, at: At, show: ShowId, seats: u32, catalog: u64) {
        let opened = self.shows.entry(show).or_default();
        opened.seats = opened.seats.max(seats);
        opened.version = at.number;
        self.catalog = self.catalog.max(catalog);
    }

    pub(super) fn hold(&mut self, at: At, held: &Held<'_>, findings: &mut Findings) {
        let id = held.reservation;
        if self.reservations.contains_key(&id) {
            let text = format!("c{}: entry {}: reservation {id} was made twice", self.concert, at.number);
            findings.violated(Check::Requests, text);
            return;
        }
        let show = self.shows.entry(held.show).or_default();
        let mut wrong = Vec::new();
        for seat in held.seats.indexes() {
            findings.checked(Check::Seats, 1);
            if seat >= show.seats {
                wrong.push(format!("{id} holds seat {seat} of show {}, which has none", held.show));
            }
            if show.blocked.contains(&seat) {
                wrong.push(format!("{id} holds seat {seat} of show {}, which is blocked", held.show));
            }
            if let Some(other) = show.holders.insert(seat, id) {
                wrong.push(format!("{id} holds seat {seat} of show {}, which {other} has", held.show));
            }
        }
        show.version = at.number;
        *show.owned.entry(held.user.to_owned()).or_default() += held.seats.0.len();
        if held.seats.total() != held.amount {
            wrong.push(format!("{id} is {} for seats of {}", held.amount, held.seats.total()));
        }
        for text in wrong {
            self.violated(findings, at, &text);
        }
        self.pending.entry(held.user.to_owned()).or_default().push(id);
        self.of.add(held.user, id);
        self.count_pending += 1;
        let made = Reservation {
            status: Status::Pending,
            show: held.show,
            user: held.user.to_owned(),
            amount: held.amount,
            created: at.time,
            end: held.end,
            catalog: held.catalog,
            seats: held.seats.clone(),
            card: None,
            declined: Vec::new(),
            payment: None,
            ended: None,
            refunded: Seats::default(),
            entries: at.number.to_string(),
        };
        self.reservations.insert(id, made);
    }

    pub(super) fn free(&mut self, at: At, freed: &Freed<'_>, status: Status, findings: &mut Findings) {
        let id = freed.reservation;
        let Some(before) = self.leave_pending(at, id, status) else {
            self.violated(findings, at, &format!("{id} is {} and was not pending", status.as_str()));
            return;
        };
        let same =
            (before.show, before.user.as_str(), &before.seats) == (freed.show, freed.user, &freed.seats);
        findings.expect(Check::Seats, same, || format!("entry {}: {id} ends as another", at.number));
        if status == Status::Expired && at.time < before.end {
            self.violated(findings, at, &format!("{id} expired before its end"));
        }
        let made = self.reservations.get_mut(&id).expect("it was pending");
        made.ended = Some(at.time);
        self.ended.insert(id);
        self.give_back(at, before.show, &before.user, &before.seats);
    }

    /// These seats have no holder any more.
    fn give_back(&mut self, at: At, show: ShowId, user: &str, seats: &Seats) {
        let show = self.shows.entry(show).or_default();
        show.version = at.number;
        for seat in seats.indexes() {
            show.holders.remove(&seat);
        }
        if let Some(owned) = show.owned.get_mut(user) {
            *owned = owned.saturating_sub(seats.0.len());
            if *owned == 0 {
                show.owned.remove(user);
            }
        }
    }

    /// Takes a refund in; `card` is the payment whose card the money goes to, where it goes to one.
    pub(super) fn refund(
        &mut self,
        at: At,
        back: &Refunded<'_>,
        card: Option<Id20>,
        findings: &mut Findings,
    ) {
        let id = back.reservation;
        let is_paid = |made: &&mut Reservation| made.status == Status::Confirmed;
        let Some(made) = self.reservations.get_mut(&id).filter(is_paid) else {
            self.violated(findings, at, &format!("{id} was refunded and not confirmed"));
            return;
        };
        let before = std::mem::take(&mut made.refunded);
        let left = made.seats.without(&before);
        let same = (made.show, made.user.as_str()) == (back.show, back.user)
            && back.seats.0.iter().all(|seat| left.0.contains(seat))
            && back.refunded == made.seats.without(&left.without(&back.seats))
            && back.amount == back.seats.total();
        let by_card = made.payment.map(|paid| paid.id).filter(|paid| made.card == Some(*paid));
        findings.expect(Check::Payments, card == by_card, || {
            format!("entry {}: {id} was paid by card {by_card:?} and gives back to {card:?}", at.number)
        });
        let all = left.0.len() == back.seats.0.len();
        findings.expect(Check::Payments, same && (back.status == Status::Refunded) == all, || {
            format!("entry {}: {id} had {left} and got back {} for {}", at.number, back.amount, back.seats)
        });
        made.refunded = back.refunded.clone();
        made.status = back.status;
        write!(made.entries, ",{}", at.number).expect("a string takes what is written");
        if back.status == Status::Refunded {
            made.ended = Some(at.time);
            self.ended.insert(id);
        }
        self.revenue -= back.amount;
        self.booked -= i64::try_from(back.seats.0.len()).unwrap_or(i64::MAX);
        self.give_back(at, back.show, back.user, &back.seats);
    }

    pub(super) fn extend(&mut self, at: At, extended: &Extended<'_>, findings: &mut Findings) {
        let Extended { reservation, show, user, end } = *extended;
        // Once, before its end: whatever bound the script keeps, a hold never grows twice.
        let fits = |made: &&mut Reservation| {
            (made.show, made.user.as_str(), made.card) == (show, user, None)
                && made.status == Status::Pending
                && at.time < made.end
                && made.end < end
        };
        let Some(made) = self.reservations.get_mut(&reservation).filter(fits) else {
            self.violated(findings, at, &format!("the hold of {reservation} was extended and may not be"));
            return;
        };
        made.end = end;
        write!(made.entries, ",{}", at.number).expect("a string takes what is written");
    }

    pub(super) fn authorise(&mut self, at: At, begun: &Authorising<'_>, findings: &mut Findings) {
        let (card, amount) = (&begun.card, begun.amount);
        let fits = |made: &&mut Reservation| {
            (made.show, made.user.as_str(), made.amount) == (card.show, card.user, amount)
                && made.status == Status::Pending
                && at.time < made.end
        };
        let Some(made) = self.reservations.get_mut(&card.reservation).filter(fits) else {
            let text = format!("{} is to be paid by card and may not be", card.reservation);
            self.violated(findings, at, &text);
            return;
        };
        made.card = Some(card.payment);
    }

    /// Takes in that a card payment was declined.
    pub(super) fn decline(&mut self, card: &Card<'_>) {
        if let Some(made) = self.reservations.get_mut(&card.reservation) {
            made.declined.insert(0, card.payment);
        }
    }

    pub(super) fn pay(&mut self, at: At, paid: &Paid<'_>, findings: &mut Findings) {
        let id = paid.reservation;
        let Some(before) = self.leave_pending(at, id, Status::Confirmed) else {
            self.violated(findings, at, &format!("{id} was paid and not pending"));
            return;
        };
        findings.expect(Check::PaidInTime, at.time < before.end, || {
            format!(
                "c{}: entry {}: {id} was paid at {}, its end was {}",
                self.concert, at.number, at.time.0, before.end.0
            )
        });
        let same = (before.show, before.user.as_str(), &before.seats, before.amount)
            == (paid.show, paid.user, &paid.seats, paid.amount);
        findings.expect(Check::Seats, same, || format!("entry {}: {id} was paid as another", at.number));
        let made = self.reservations.get_mut(&id).expect("it was pending");
        made.payment = Some(Payment { id: paid.payment, balance: paid.balance, at: at.time });
        self.shows.entry(before.show).or_default().version = at.number;
        self.revenue += paid.amount;
        self.booked += i64::try_from(before.seats.0.len()).unwrap_or(i64::MAX);
    }

    pub(super) fn block(&mut self, at: At, seats: &Blocking<'_>, blocked: bool, findings: &mut Findings) {
        let show = self.shows.entry(seats.show).or_default();
        show.version = at.number;
        let mut wrong = Vec::new();
        for seat in &seats.seats {
            let changed = if blocked { show.blocked.insert(*seat) } else { show.blocked.remove(seat) };
            if !changed || *seat >= show.seats || show.holders.contains_key(seat) {
                wrong.push(*seat);
            }
        }
        findings.expect(Check::Seats, wrong.is_empty(), || {
            format!("entry {}: seats {wrong:?} of show {} could not become that", at.number, seats.show)
        });
    }

    /// A user has another name; nothing of his is PENDING then.
    pub(super) fn rename(&mut self, user: &str, name: &str) {
        for id in self.of.rename(user, name) {
            let Some(made) = self.reservations.get_mut(&id).filter(|made| made.user == user) else {
                continue;
            };
            name.clone_into(&mut made.user);
            let Some(show) = self.shows.get_mut(&made.show) else { continue };
            if let Some(seats) = show.owned.remove(user) {
                *show.owned.entry(name.to_owned()).or_default() += seats;
            }
        }
    }

    /// Gives a PENDING reservation its next status and answers what it was; `None` if it was not PENDING.
    fn leave_pending(&mut self, at: At, id: Id20, status: Status) -> Option<Reservation> {
        let made = self.reservations.get_mut(&id).filter(|made| made.status == Status::Pending)?;
        let before = made.clone();
        made.status = status;
        write!(made.entries, ",{}", at.number).expect("a string takes what is written");
        self.count_pending -= 1;
        if let Some(ids) = self.pending.get_mut(&before.user) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.pending.remove(&before.user);
            }
        }
        Some(before)
    }

    /// Seats available or held, over all shows.
    pub(super) fn sellable(&self) -> i64 {
        let unblocked =
            |show: &Show| i64::from(show.seats) - i64::try_from(show.blocked.len()).unwrap_or(i64::MAX);
        self.shows.values().map(unblocked).sum::<i64>() - self.booked
    }

    /// The byte of a seat in the map (formats 1).
    pub(super) fn byte(&self, show: &Show, seat: u32) -> u8 {
        let holder = show.holders.get(&seat).and_then(|id| self.reservations.get(id));
        match holder.map(|made| made.status) {
            Some(Status::Pending) => b'1',
            Some(Status::Confirmed) => b'2',
            _ if show.blocked.contains(&seat) => b'3',
            _ => b'0',
        }
    }
}
