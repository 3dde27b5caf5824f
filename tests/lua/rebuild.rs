//! The state that a log tells, entry by entry: what Redis must hold, made from the log alone.
//!
//! Written from formats 1 and 2, not from the scripts, and read with the decoder of the server: a change of state without
//! its event, or an event without its change, shows as a difference.

mod card;
mod forget;
mod top_up;

use std::collections::BTreeMap;

use onsale::domain::event::{Blocking, Entry, Event, Freed, Held, LogKind, Paid, Refunded};
use onsale::domain::fields::{Fields, prefixed};

use super::state::State;

/// Path to value, as [`State`] names them.
type Lines = BTreeMap<String, String>;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Panics unless the state is what the logs of the concert and of these wallets (`w00`) tell.
///
/// Put aside is what no event tells: the numbers of the policy, the credit of admission, the stop.
#[track_caller]
pub(crate) fn tells_all(state: &State, wallets: &[&str]) {
    let mut told = rebuild("", LogKind::Concert, state);
    for wallet in wallets {
        told.extend(rebuild(&format!("{wallet}:"), LogKind::Wallet, state));
    }
    let untold = |path: &str| {
        let wallets_log = || wallets.iter().any(|name| path.starts_with(&format!("{name}:log/")));
        let aside = ["meta/credit", "meta/credit_at", "meta/stopped"];
        path.starts_with("log/")
            || wallets_log()
            || aside.contains(&path)
            || (path.starts_with("policy/") && path != "policy/json")
    };
    let held = state.paths().filter(|path| !untold(path));
    let held: Lines = held.map(|path| (path.to_owned(), state.get(path).unwrap().to_owned())).collect();
    let only_told: Vec<_> = told.iter().filter(|(path, value)| held.get(*path) != Some(value)).collect();
    let only_held: Vec<_> = held.iter().filter(|(path, value)| told.get(*path) != Some(value)).collect();
    assert!(told == held, "the log tells {only_told:#?}\nbut Redis holds {only_held:#?}");
}

fn rebuild(prefix: &str, kind: LogKind, state: &State) -> Lines {
    let mut rebuilt = Rebuilt { prefix, now: 0, number: 0, lines: Lines::new() };
    let mut previous = "0".repeat(16);
    while let Some(text) = state.get(&format!("{prefix}log/{}-0", rebuilt.number + 1)) {
        let entry = Entry::decode(kind, text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(entry.previous.to_string(), previous, "the chain of marks at {text}");
        previous = entry.mark.to_string();
        rebuilt.now = entry.at.0;
        rebuilt.number += 1;
        for event in &entry.events {
            rebuilt.apply(event);
        }
        rebuilt.set("meta/number", &{ rebuilt.number });
        rebuilt.set("meta/mark", &previous);
        rebuilt.set("meta/time", &{ rebuilt.now });
    }
    rebuilt.lines
}

struct Rebuilt<'a> {
    /// Of its paths: empty for the concert, `w00:` for a wallet.
    prefix: &'a str,
    now: i64,
    number: u64,
    lines: Lines,
}

impl Rebuilt<'_> {
    fn apply(&mut self, event: &Event<'_>) {
        match event {
            Event::Opened { log_id, epoch } => self.born(&log_id.to_string(), *epoch),
            Event::Show { show, seats, catalog } => self.show(show.0, *seats as usize, *catalog),
            Event::Catalog { catalog } => self.set("meta/catalog", catalog),
            Event::Policy { version, json } => {
                self.set("meta/policy", version);
                self.set("policy/json", json);
            }
            Event::Joined { seq, user } => {
                self.set("meta/seq", seq);
                self.set(&format!("queue/{user}"), seq);
            }
            Event::Admitted { seq, user, end, claim_by } => {
                self.remove(&format!("queue/{user}"));
                let (now, end, claim_by) = (self.now, end.0, claim_by.0);
                let seq = i64::try_from(*seq).unwrap();
                self.set_place(user, [seq, now, end, claim_by]);
            }
            Event::Claimed { user, .. } => {
                let [seq, admitted, end, _] = self.place(user);
                self.set_place(user, [seq, admitted, end, 0]);
            }
            Event::Stretched { user, end, .. } => {
                let [seq, admitted, _, claim_by] = self.place(user);
                self.set_place(user, [seq, admitted, end.0, claim_by]);
            }
            Event::Ended { user, .. } => {
                for key in ["queue", "place", "active", "unclaimed"] {
                    self.remove(&format!("{key}/{user}"));
                }
            }
            Event::Held(held) => self.held(held),
            Event::Released(freed) => self.freed(freed, "cancelled"),
            Event::Expired(freed) => self.freed(freed, "expired"),
            Event::Paid(paid) => {
                let cards = match self.extras(paid.reservation).as_str() {
                    "-" => String::new(),
                    cards => format!(",{}", cards.replacen("card=", "overtaken=", 1)),
                };
                self.paid(paid, &cards);
            }
            Event::Blocked(blocking) => self.blocking(blocking, "blocked"),
            Event::Unblocked(blocking) => self.blocking(blocking, "unblocked"),
            Event::Cancelled { show, reason } => {
                let list = self.get("meta/cancelled").unwrap_or_else(|| " ".to_owned());
                self.set("meta/cancelled", &format!("{list}{show} "));
                self.set(&format!("meta/x:{show}"), &format!("{} {reason}", self.now));
            }
            Event::Refunded(refunded) => self.refunded(refunded),
            Event::Returned(back) => {
                self.set_balance(back.user, back.balance);
            }
            Event::Charged { charge, user, amount, balance, request, fingerprint } => {
                self.set_balance(user, *balance);
                self.remember(request, &format!("{fingerprint} {charge} {amount} {balance}"));
            }
            Event::Spent { user, balance, .. } => {
                self.set_balance(user, *balance);
            }
            Event::Leaving { user } => self.leaving(user),
            Event::Forgotten(forgotten) => self.forget(forgotten),
            other => self.apply_card(other),
        }
    }

    fn born(&mut self, log_id: &str, epoch: u32) {
        self.set("meta/format", "1");
        self.set("meta/log_id", &log_id);
        self.set("meta/epoch", &epoch);
        self.set("meta/trim", &0);
        if self.prefix.is_empty() {
            for field in ["catalog", "seq", "shows", "sellable", "revenue"] {
                self.set(&format!("meta/{field}"), &0);
            }
        }
    }

    fn show(&mut self, show: u32, seats: usize, catalog: u64) {
        let key = format!("seats:{show}");
        let known = self.get(&key).unwrap_or_default();
        let fresh = known.is_empty();
        self.add("meta/shows", i64::from(fresh));
        self.add("meta/sellable", i64::try_from(seats - known.len()).unwrap());
        self.set("meta/catalog", &catalog);
        self.set(&key, &format!("{known:0<seats$}"));
        self.touch(show);
    }

    fn held(&mut self, held: &Held<'_>) {
        let Held { reservation, show, user, amount, end, catalog, seats, request, fingerprint } = held;
        let (now, end) = (self.now, end.0);
        let record = format!("pending {show} {amount} {now} {end} {catalog} - {seats} - {user}");
        self.set(&format!("res/{reservation}"), &record);
        self.set(&format!("expiry/{reservation}"), &end);
        let others = self.get(&format!("pending/{user}")).map_or_else(String::new, |list| list + " ");
        self.set(&format!("pending/{user}"), &format!("{others}{reservation}"));
        for index in seats.indexes() {
            self.set_seat(show.0, index, "1");
            self.set(&format!("holder:{show}/{index}"), reservation);
        }
        self.add(&format!("owned:{show}/{user}"), i64::try_from(seats.0.len()).unwrap());
        self.touch(show.0);
        self.remember(request, &format!("{fingerprint} {reservation} {end}"));
    }

    fn freed(&mut self, freed: &Freed<'_>, status: &str) {
        let Freed { reservation, show, user, seats } = freed;
        let record = self.get(&format!("res/{reservation}")).expect("it was held");
        self.set(&format!("res/{reservation}"), &record.replacen("pending", status, 1));
        self.set(&format!("ended/{reservation}"), &{ self.now });
        self.not_pending(&reservation.to_string(), user);
        for index in seats.indexes() {
            self.set_seat(show.0, index, "0");
            self.remove(&format!("holder:{show}/{index}"));
        }
        self.add(&format!("owned:{show}/{user}"), -i64::try_from(seats.0.len()).unwrap());
        self.remove_if(&format!("owned:{show}/{user}"), "0");
        self.touch(show.0);
    }

    /// `more` stands behind the balance.
    fn paid(&mut self, paid: &Paid<'_>, more: &str) {
        let Paid { reservation, show, user, payment, amount, balance, seats, request, fingerprint } = paid;
        let record = self.get(&format!("res/{reservation}")).expect("it was held");
        let mut fields: Vec<_> = record.splitn(10, ' ').collect();
        let (payment, extras) = (payment.to_string(), format!("balance={balance}{more}"));
        (fields[0], fields[6], fields[8]) = ("confirmed", &payment, &extras);
        self.set(&format!("res/{reservation}"), &fields.join(" "));
        self.not_pending(&reservation.to_string(), user);
        for index in seats.indexes() {
            self.set_seat(show.0, index, "2");
        }
        self.add("meta/sellable", -i64::try_from(seats.0.len()).unwrap());
        self.add("meta/revenue", *amount);
        self.touch(show.0);
        self.remember(request, &format!("{fingerprint} {payment} {reservation}"));
    }

    fn refunded(&mut self, back: &Refunded<'_>) {
        let (path, show, user) = (format!("res/{}", back.reservation), back.show, back.user);
        let record = self.get(&path).expect("it was paid");
        let (before, after) = record.split_once(" balance=").expect("it was paid");
        // Up to the user, less those that were refunded before.
        let extras = after.split(' ').next().and_then(|extras| extras.split(",refunded=").next());
        let extras = extras.expect("it was paid").to_owned();
        let list: Vec<_> = back.refunded.indexes().map(|index| index.to_string()).collect();
        let before = before.replacen("confirmed", back.status.as_str(), 1);
        self.set(&path, &format!("{before} balance={extras},refunded={} {user}", list.join(";")));
        if back.status.as_str() == "refunded" {
            self.set(&format!("ended/{}", back.reservation), &{ self.now });
        }
        let seats = i64::try_from(back.seats.0.len()).unwrap();
        for index in back.seats.indexes() {
            self.set_seat(show.0, index, "0");
            self.remove(&format!("holder:{show}/{index}"));
        }
        self.add(&format!("owned:{show}/{user}"), -seats);
        self.remove_if(&format!("owned:{show}/{user}"), "0");
        self.add("meta/sellable", seats);
        self.add("meta/revenue", -back.amount);
        self.touch(show.0);
        let (refund, reservation, request) = (back.refund, back.reservation, back.request);
        let told =
            format!("{refund} {reservation} {show} {} {} {}", back.seats, back.amount, back.status.as_str());
        self.remember(request, &format!("{} {told}", back.fingerprint));
    }

    fn blocking(&mut self, blocking: &Blocking<'_>, word: &str) {
        let (byte, sellable) = if word == "blocked" { ("3", -1) } else { ("0", 1) };
        for index in &blocking.seats {
            self.set_seat(blocking.show.0, *index, byte);
            self.add("meta/sellable", sellable);
        }
        self.touch(blocking.show.0);
        self.remember(blocking.request, &format!("{} {word}", blocking.fingerprint));
    }

    fn not_pending(&mut self, reservation: &str, user: &str) {
        self.remove(&format!("expiry/{reservation}"));
        let list = self.get(&format!("pending/{user}")).expect("it was pending");
        let left: Vec<_> = list.split(' ').filter(|other| *other != reservation).collect();
        self.set(&format!("pending/{user}"), &left.join(" "));
        self.remove_if(&format!("pending/{user}"), "");
    }

    fn remember(&mut self, request: &str, kept: &str) {
        if request.is_empty() {
            return;
        }
        let user = Fields::new(request).text("user").expect("a request begins with its user");
        self.keep_result(request, kept);
        self.add(&format!("idem_user/{user}"), 1);
        assert!(request.starts_with(&prefixed(user)), "{request}");
    }

    fn keep_result(&mut self, request: &str, kept: &str) {
        self.set(&format!("idem/{request}"), &kept);
        self.set(&format!("idem_end/{request}"), &(self.now + DAY_MS));
    }

    fn place(&self, user: &str) -> [i64; 4] {
        let record = self.get(&format!("place/{user}")).expect("he has a place");
        let numbers: Vec<_> = record.split(' ').map(|field| field.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }

    fn set_place(&mut self, user: &str, [seq, admitted, end, claim_by]: [i64; 4]) {
        self.set(&format!("place/{user}"), &format!("{seq} {admitted} {end} {claim_by}"));
        self.set(&format!("active/{user}"), &end);
        self.set(&format!("unclaimed/{user}"), &claim_by);
        self.remove_if(&format!("unclaimed/{user}"), "0");
    }

    fn set_seat(&mut self, show: u32, index: u32, status: &str) {
        let key = format!("seats:{show}");
        let mut seats = self.get(&key).expect("the show is on sale");
        let index = index as usize;
        seats.replace_range(index..=index, status);
        self.set(&key, &seats);
    }

    fn touch(&mut self, show: u32) {
        self.set(&format!("meta/v:{show}"), &{ self.number });
    }

    fn get(&self, name: &str) -> Option<String> {
        self.lines.get(&format!("{}{name}", self.prefix)).cloned()
    }

    fn set(&mut self, name: &str, value: &(impl ToString + ?Sized)) {
        self.lines.insert(format!("{}{name}", self.prefix), value.to_string());
    }

    fn add(&mut self, name: &str, amount: i64) {
        let before: i64 = self.get(name).map_or(0, |value| value.parse().expect("a count"));
        self.set(name, &(before + amount));
    }

    fn remove(&mut self, name: &str) {
        self.lines.remove(&format!("{}{name}", self.prefix));
    }

    fn remove_if(&mut self, name: &str, value: &str) {
        if self.get(name).as_deref() == Some(value) {
            self.remove(name);
        }
    }
}
