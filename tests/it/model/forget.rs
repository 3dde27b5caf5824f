//! Forgetting in the model (decision 0010): what has a user's name gets the pseudonym, in the concert and in his wallet partition.

use std::collections::BTreeSet;

use onsale::domain::fields::prefixed;
use onsale::domain::forgetting::{only, renamed_request};

use super::batch::{SHOWS, partition};
use super::line::is_over;
use super::rules::{DAY_MS, Model, Requests, Reservation, Status, Wallet};
use super::sale::seats_text;
use crate::lua::call::Call;

/// How far a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Look,
    Freeze,
    Forget,
    /// What was made until then, ms.
    Sweep(i64),
    /// Only if he has made and moved nothing since, ms, and nothing of his is live.
    Idle(i64),
}

/// Whom to forget, and what was read of him.
#[derive(Clone, Debug)]
pub(super) struct Forget {
    pub(super) user: String,
    pub(super) pseudonym: String,
    pub(super) mode: Mode,
    /// None for a wallet.
    pub(super) reservations: Vec<String>,
    pub(super) requests: Vec<String>,
    /// Of a wallet charges through the gateway.
    pub(super) cards: Vec<String>,
}

/// Whether its owner has been forgotten.
pub(super) fn is_pseudonym(user: &str) -> bool {
    user.starts_with("forgotten-")
}

/// Whether its owner has this name in one log alone.
pub(super) fn is_anonymous(user: &str) -> bool {
    user.starts_with("anonymous-")
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Freeze => "freeze",
            Self::Forget => "forget",
            Self::Sweep(_) => "sweep",
            Self::Idle(_) => "idle",
        }
    }
}

impl Forget {
    fn arguments(&self, lists: &[&[String]]) -> Vec<String> {
        let before = if let Mode::Sweep(before) | Mode::Idle(before) = self.mode { before } else { 0 };
        let head =
            [self.user.clone(), self.pseudonym.clone(), self.mode.name().to_owned(), before.to_string()];
        let lists = lists.iter().flat_map(|list| [&[list.len().to_string()], *list].concat());
        head.into_iter().chain(lists).collect()
    }

    pub(super) fn call(&self) -> Call {
        let arguments = self.arguments(&[&self.reservations, &self.requests, &self.cards]);
        Call::one("forget", &arguments.iter().map(String::as_str).collect::<Vec<_>>()).shows(&SHOWS)
    }

    pub(super) fn wallet_call(&self) -> Call {
        let arguments = self.arguments(&[&self.requests, &self.cards]);
        let call = Call::one("forget_wallet", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        call.without_concert().wallets(&[partition(&self.user)]).top_ups()
    }

    /// Those of the requests named that are remembered, about him and not too young, with the names that they get. The rule for
    /// the names is the archive's own: what Redis called otherwise would not be what the log tells once it is rewritten.
    fn requests_in(&self, kept: &Requests, now: i64) -> Vec<(String, String)> {
        let before = if let Mode::Sweep(before) = self.mode { before } else { now };
        let named: BTreeSet<_> = self.requests.iter().collect();
        let known =
            named.into_iter().filter(|name| kept.get(*name).is_some_and(|kept| kept.2 <= before + DAY_MS));
        known
            .filter_map(|name| {
                Some((name.clone(), renamed_request(name, only(&self.user, &self.pseudonym))?))
            })
            .collect()
    }

    fn rename_requests(&self, found: &[(String, String)], kept: &mut Requests) {
        for (old, new) in found {
            let mut request = kept.remove(old).unwrap();
            if request.3 == self.user {
                request.3.clone_from(&self.pseudonym);
            }
            kept.insert(new.clone(), request);
        }
    }

    /// Where nothing has his name the last entry must not have it either: it is never trimmed.
    fn end_of_log(&self, changed: bool, last: &str) -> Option<String> {
        let name = if changed { &self.user } else { &self.pseudonym };
        let told = format!("forgotten {} {}", prefixed(name), prefixed(&self.pseudonym));
        (changed || last.contains(&prefixed(&self.user))).then_some(told)
    }
}

impl Model {
    pub(super) fn forget(&mut self, request: &Forget) -> String {
        self.events.clear();
        self.reasons.clear();
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        let now = self.now;
        let (mine, requests) = (self.his(request), request.requests_in(&self.requests, now));
        let cards = self.his_cards(request, &mine);
        let stands = self.places.get(&request.user).is_some_and(|place| !is_over(place, now))
            || self.waiting(&request.user).is_some();
        let holds = mine.iter().filter(|id| self.reservations[*id].is_live(now)).count();
        let (seq, places) = (self.seq, u8::from(stands));
        let told = format!("{} {} {seq} {holds} {places} {}", mine.len(), requests.len(), cards.len());
        let renames = mine.len() + requests.len() + cards.len() > 0;
        match request.mode {
            Mode::Look | Mode::Freeze => return format!("found {told}"),
            Mode::Idle(before) => {
                self.reasons = self.reasons(&request.user, &mine, (holds, stands, before));
                if !self.reasons.is_empty() {
                    return format!("found {told}");
                }
            }
            Mode::Forget | Mode::Sweep(_) => {}
        }
        if !matches!(request.mode, Mode::Sweep(_)) {
            let unnamed = |(id, r): (&String, &Reservation)| {
                r.user == request.user && r.status == Status::Confirmed && !mine.contains(id)
            };
            if self.reservations.iter().any(unnamed) {
                return "incomplete".to_owned();
            }
            self.end_live(request, &mine);
        }
        for id in &mine {
            self.reservations.get_mut(id).unwrap().user.clone_from(&request.pseudonym);
        }
        for name in &cards {
            self.cards.get_mut(name).unwrap().user.clone_from(&request.pseudonym);
        }
        request.rename_requests(&requests, &mut self.requests);
        let changed = match request.mode {
            Mode::Idle(_) => true,
            mode => mode == Mode::Forget && renames,
        };
        self.events.extend(request.end_of_log(changed, self.last.get("c7").map_or("", String::as_str)));
        format!("forgotten {told}")
    }

    /// His reservations among those named, and all that are PENDING.
    fn his(&self, request: &Forget) -> BTreeSet<String> {
        let swept = matches!(request.mode, Mode::Sweep(_));
        let pending = |r: &Reservation| !swept && r.status == Status::Pending;
        let his = self.reservations.iter().filter(|(_, r)| r.user == request.user);
        his.filter(|(id, r)| pending(r) || request.reservations.contains(id))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// His card payments and refunds to cards among those named, and those that his reservations name.
    fn his_cards(&self, request: &Forget, mine: &BTreeSet<String>) -> BTreeSet<String> {
        let named = mine.iter().flat_map(|id| self.reservations[id].cards_named());
        let named = request.cards.iter().chain(named);
        named
            .filter(|name| self.cards.get(*name).is_some_and(|card| card.user == request.user))
            .cloned()
            .collect()
    }

    /// His holds are given back and his place is left; what is over ends as such.
    fn end_live(&mut self, request: &Forget, mine: &BTreeSet<String>) {
        let (now, user) = (self.now, prefixed(&request.user));
        for id in mine {
            let r = self.reservations.get_mut(id).unwrap();
            if r.status != Status::Pending {
                continue;
            }
            let freed = format!("{id} {} {user} {}", r.show, seats_text(&r.seats));
            let indexes: Vec<_> = r.seats.iter().map(|(index, _)| index.to_string()).collect();
            let blocked = format!("blocked {} {} 0: -", r.show, indexes.join(","));
            let event = if r.is_live(now) {
                r.status = Status::Cancelled(now);
                format!("released {freed} user")
            } else {
                r.status = Status::Expired(now);
                format!("expired {freed}")
            };
            self.events.push(event);
            if self.is_cancelled(self.reservations[id].show) {
                self.events.push(blocked);
            }
            self.give(id);
        }
        if let Some(place) = self.places.remove(&request.user) {
            let lapsed = if now >= place.stop { "lapsed" } else { "unclaimed" };
            let reason = if is_over(&place, now) { lapsed } else { "left" };
            self.events.push(format!("ended {} {user} {reason}", place.seq));
        }
        if let Some(seq) = self.waiting(&request.user) {
            self.queue.remove(&seq);
            self.events.push(format!("ended {seq} {user} left"));
        }
    }

    pub(super) fn forget_wallet(&mut self, request: &Forget) -> String {
        self.events.clear();
        self.reasons.clear();
        let Forget { user, pseudonym, mode, .. } = request;
        let at = partition(user);
        let last = self.last.get(&format!("w{at:02}")).map_or("", String::as_str);
        let wallet = &mut self.wallets[usize::from(at)];
        // Once the pseudonym has a balance all that comes under the old name is a new user's.
        let done = wallet.balances.contains_key(pseudonym);
        let moves = wallet.balances.get(user).copied().filter(|_| !done);
        let requests = request.requests_in(&wallet.requests, wallet.now);
        let his = |name: &&String| !done && wallet.top_ups.get(*name).is_some_and(|open| open.user == *user);
        let open: BTreeSet<_> = request.cards.iter().filter(his).cloned().collect();
        let balance = moves.map_or(0, |(balance, _)| balance);
        let told = format!("{} {} {balance} {}", u8::from(moves.is_some()), requests.len(), open.len());
        match mode {
            Mode::Look => return format!("found {told}"),
            Mode::Freeze => {
                if !done && wallet.leaving.insert(user.clone()) {
                    wallet.balances.entry(user.clone()).or_insert((0, wallet.now));
                    self.events.push(format!("leaving {}", prefixed(user)));
                }
                return format!("found {told}");
            }
            // Given again: what there is now is a new user's.
            Mode::Forget if done => return format!("found {told}"),
            Mode::Idle(before) => {
                self.reasons = wallet.reasons(request, (!open.is_empty(), *before));
                if !self.reasons.is_empty() {
                    return format!("found {told}");
                }
            }
            Mode::Forget | Mode::Sweep(_) => {}
        }
        if !matches!(mode, Mode::Sweep(_)) {
            wallet.rename(request, &open);
        }
        request.rename_requests(&requests, &mut wallet.requests);
        let renames = moves.is_some() || !requests.is_empty() || !open.is_empty();
        let changed = match mode {
            Mode::Idle(_) => true,
            mode => *mode == Mode::Forget && renames,
        };
        self.events.extend(request.end_of_log(changed, last));
        format!("forgotten {told}")
    }

    /// Whether nothing of this can go back now since its owner is being forgotten.
    pub(super) fn waits_for_its_balance(&self, r: &Reservation) -> bool {
        let wallet = &self.wallets[usize::from(partition(&r.user))];
        let has_balance = wallet.balances.contains_key(&r.user);
        if r.is_paid_by_card() {
            return wallet.leaving.contains(&r.user) || is_pseudonym(&r.user) && !has_balance;
        }
        !has_balance && !is_anonymous(&r.user)
    }
}

impl Wallet {
    /// His balance, without the mark, and these charges.
    fn rename(&mut self, Forget { user, pseudonym, .. }: &Forget, open: &BTreeSet<String>) {
        for charge in open {
            self.top_ups.get_mut(charge).unwrap().user.clone_from(pseudonym);
        }
        if let Some(balance) = self.balances.remove(user) {
            self.leaving.remove(user);
            self.balances.insert(pseudonym.clone(), balance);
        }
    }
}
