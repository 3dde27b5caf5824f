//! What must hold whatever the model says, told from the logs alone.

use std::collections::{BTreeMap, BTreeSet};

use onsale::domain::event::{CardRefund, Entry, Event, Forgotten, LogKind, TopUp, TopUpStep};
use onsale::domain::ids::ShowId;

use super::redis::{LogEnd, Look};
use crate::lua::call::CONCERT;

/// The line as its log tells it: numbers of places.
#[derive(Debug, Default)]
pub(crate) struct LineWatch {
    waiting: BTreeSet<u64>,
    active: BTreeSet<u64>,
    last: u64,
}

impl LineWatch {
    /// Takes the next event. Panics if a place comes in out of turn, or to `max_active` others, or ends twice.
    pub(crate) fn take(&mut self, event: &Event<'_>, max_active: usize) {
        match event {
            Event::Joined { seq, .. } => {
                assert_eq!(*seq, self.last + 1, "joins where somebody stands");
                self.last = *seq;
                self.waiting.insert(*seq);
            }
            Event::Admitted { seq, .. } => {
                assert!(self.active.len() < max_active, "{seq} comes in to {:?}", self.active);
                assert_eq!(self.waiting.pop_first(), Some(*seq), "out of turn");
                self.active.insert(*seq);
            }
            Event::Ended { seq, .. } => {
                assert!(self.active.remove(seq) || self.waiting.remove(seq), "{seq} ends twice");
            }
            _ => {}
        }
    }

    /// Places that have not ended.
    pub(crate) fn places(&self) -> usize {
        self.waiting.len() + self.active.len()
    }
}

/// The logs so far, as sums.
#[derive(Default)]
pub(super) struct Watch {
    ends: BTreeMap<String, LogEnd>,
    /// The last entry of each log.
    last: BTreeMap<String, String>,
    line: LineWatch,
    /// Seat to reservation, and whether it is booked.
    seats: BTreeMap<(ShowId, u32), (String, bool)>,
    blocked: BTreeSet<(ShowId, u32)>,
    balances: BTreeMap<String, i64>,
    /// What `cash` gave, less what the concert got.
    cash: i64,
    /// Refunds to cards by id: what is to go back, and whether it has.
    card_refunds: BTreeMap<String, (i64, bool)>,
    /// What each card has paid and got back.
    cards: BTreeMap<String, (i64, i64)>,
}

impl Watch {
    /// Takes the entries that one call has written. `clock` is what it read; at most `max_active` places may be taken.
    pub(super) fn take(&mut self, look: &Look, clock: i64, max_active: usize) {
        for (log, entries) in &look.entries {
            assert!(entries.len() <= 1 || !self.ends.contains_key(log), "{log}: {} entries", entries.len());
            for (id, text) in entries {
                self.entry(log, id, text, (clock, max_active));
            }
            assert_eq!(self.ends.get(log), look.ends.get(log), "end of {log}");
        }
        self.check_sums(look);
    }

    fn entry(&mut self, log: &str, id: &str, text: &str, (clock, max_active): (i64, usize)) {
        let kind = if log == CONCERT { LogKind::Concert } else { LogKind::Wallet };
        let entry = Entry::decode(kind, text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let end = self.ends.entry(log.to_owned()).or_default();
        end.number += 1;
        assert_eq!(id, format!("{}-0", end.number), "{log}");
        assert!(end.mark.is_empty() || entry.previous.to_string() == end.mark, "chain of {log} at {text}");
        assert_eq!(entry.at.0, end.time.max(clock), "time of {log} at {text}");
        (end.mark, end.time) = (entry.mark.to_string(), entry.at.0);
        for event in &entry.events {
            match (kind, event) {
                (LogKind::Wallet, Event::Forgotten(forgotten)) => self.forgotten(forgotten),
                _ => self.event(event, max_active),
            }
        }
        self.last.insert(log.to_owned(), text.to_owned());
    }

    /// Money has another name from here on; what comes under the old one since is somebody else's.
    fn forgotten(&mut self, &Forgotten { user, pseudonym }: &Forgotten<'_>) {
        if self.balances.contains_key(pseudonym) {
            return;
        }
        if let Some(balance) = self.balances.remove(user) {
            self.balances.insert(pseudonym.to_owned(), balance);
        }
    }

    /// By log.
    pub(super) fn last_entries(&self) -> &BTreeMap<String, String> {
        &self.last
    }

    fn event(&mut self, event: &Event<'_>, max_active: usize) {
        self.line.take(event, max_active);
        match event {
            Event::Held(held) => {
                for (index, _) in &held.seats.0 {
                    let before =
                        self.seats.insert((held.show, *index), (held.reservation.to_string(), false));
                    assert_eq!(before, None, "seat {index} twice");
                }
            }
            Event::Released(freed) | Event::Expired(freed) => {
                for (index, _) in &freed.seats.0 {
                    let before = self.seats.remove(&(freed.show, *index));
                    assert_eq!(before, Some((freed.reservation.to_string(), false)), "seat {index}");
                }
            }
            Event::Paid(paid) | Event::Authorised(paid) => {
                // A card pays from outside, straight to the concert.
                if matches!(event, Event::Paid(_)) {
                    self.cash -= paid.amount;
                } else {
                    self.cards.insert(paid.payment.to_string(), (paid.amount, 0));
                }
                for (index, _) in &paid.seats.0 {
                    let before = self.seats.insert((paid.show, *index), (paid.reservation.to_string(), true));
                    assert_eq!(before, Some((paid.reservation.to_string(), false)), "seat {index}");
                }
            }
            Event::Refunded(back) | Event::CardRefund(CardRefund::Decided { back, .. }) => {
                // To a card it goes outside again, past every balance.
                match event {
                    Event::CardRefund(CardRefund::Decided { payment, .. }) => {
                        self.decided(back.refund.as_str(), payment.as_str(), back.amount);
                    }
                    _ => self.cash += back.amount,
                }
                for (index, _) in &back.seats.0 {
                    let before = self.seats.remove(&(back.show, *index));
                    assert_eq!(before, Some((back.reservation.to_string(), true)), "seat {index}");
                }
            }
            Event::Blocked(blocking) => {
                for index in &blocking.seats {
                    assert!(self.blocked.insert((blocking.show, *index)), "seat {index} is blocked twice");
                    assert_eq!(self.seats.get(&(blocking.show, *index)), None, "seat {index}");
                }
            }
            Event::Unblocked(blocking) => {
                for index in &blocking.seats {
                    assert!(self.blocked.remove(&(blocking.show, *index)), "seat {index} was not blocked");
                }
            }
            Event::CardRefund(step) => self.card_refund(step),
            Event::Returned(back) => self.moves(back.user, back.amount, back.balance),
            Event::Charged { user, amount, balance, .. }
            | Event::TopUp(TopUp { user, step: TopUpStep::Credited { amount, balance }, .. }) => {
                self.cash += amount;
                self.moves(user, *amount, *balance);
            }
            Event::Spent { user, amount, balance, .. } => self.moves(user, -amount, *balance),
            Event::Leaving { user } => drop(self.balances.entry((*user).to_owned()).or_default()),
            _ => {}
        }
    }

    /// What the gateway did of a refund: it gives back once, never what it was not told.
    fn card_refund(&mut self, step: &CardRefund<'_>) {
        let (CardRefund::Returned(open) | CardRefund::Refused(open)) = step else {
            return;
        };
        let (amount, returned) = self.card_refunds.get_mut(open.refund.as_str()).expect("it was decided");
        assert_eq!((*amount, *returned), (open.amount, false), "{open:?}");
        *returned = matches!(step, CardRefund::Returned(_));
    }

    fn decided(&mut self, refund: &str, payment: &str, amount: i64) {
        assert_eq!(self.card_refunds.insert(refund.to_owned(), (amount, false)), None, "{refund} twice");
        let (paid, back) = self.cards.get_mut(payment).expect("a card paid");
        *back += amount;
        assert!(*back <= *paid, "{payment} gives back {back} of {paid}");
    }

    /// How many refunds to cards were decided, and how many of them were given back.
    pub(super) fn card_refunds(&self) -> (u64, u64) {
        let returned = self.card_refunds.values().filter(|(_, returned)| *returned).count();
        (self.card_refunds.len() as u64, returned as u64)
    }

    fn moves(&mut self, user: &str, amount: i64, balance: i64) {
        let before = self.balances.entry(user.to_owned()).or_default();
        *before += amount;
        assert_eq!(*before, balance, "balance of {user}");
        assert!(balance >= 0, "{user} owes");
    }

    fn check_sums(&self, look: &Look) {
        assert_eq!(self.balances.values().sum::<i64>(), self.cash, "the ledger does not sum to zero");
        let told = |path: &str| path.split_once(":balances/").map(|(_, user)| user.to_owned());
        let balance = |record: &String| record.split_once(' ').unwrap().0.parse().unwrap();
        let held: BTreeMap<String, i64> =
            look.lines.iter().filter_map(|(path, record)| Some((told(path)?, balance(record)))).collect();
        assert_eq!(held, self.balances, "balances against the ledger");
        for (path, bytes) in look.lines.iter().filter(|(path, _)| path.starts_with("seats:")) {
            let show = ShowId(path["seats:".len()..].parse().unwrap());
            for (index, byte) in (0..).zip(bytes.bytes()) {
                let free = if self.blocked.contains(&(show, index)) { b'3' } else { b'0' };
                let told =
                    self.seats.get(&(show, index)).map_or(free, |(_, booked)| b'1' + u8::from(*booked));
                assert_eq!(byte, told, "seat {index} of {path}");
            }
        }
    }
}
