//! The model: one concert as the contract describes it, in plain maps. It knows nothing of Redis, batches or undoing.
//!
//! A reservation whose time is over counts for nobody from that millisecond on; who tidies it, and when, is none of the
//! model's business: seats, limits and records follow from the reservations. Places are kept until somebody looks,
//! since capacity counts those that nobody has swept.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Batch, SHOWS};
use super::idle::Reasons;

/// How long requests and ended reservations are remembered, ms.
pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;

/// How many of each one call of the upkeep forgets.
const FORGET_MAX: usize = 100;

/// The numbers of the policy that scripts read.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) max_active: usize,
    pub(super) admit_per_second: f64,
    pub(super) active_ms: i64,
    pub(super) claim_ms: i64,
    pub(super) hold_ms: i64,
    pub(super) max_seats_per_reservation: usize,
    pub(super) max_seats_per_user: usize,
    pub(super) gate_reserve: bool,
    pub(super) end_token_on: &'static str,
    pub(super) opens_at: Option<i64>,
    pub(super) closes_at: Option<i64>,
    pub(super) paused: bool,
}

impl Policy {
    /// The fields of the policy hash.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("max_active", self.max_active.to_string()),
            ("admit_per_second", self.admit_per_second.to_string()),
            ("active_ms", self.active_ms.to_string()),
            ("claim_ms", self.claim_ms.to_string()),
            ("hold_ms", self.hold_ms.to_string()),
            ("max_seats_per_reservation", self.max_seats_per_reservation.to_string()),
            ("max_seats_per_user", self.max_seats_per_user.to_string()),
            ("gate_reserve", u8::from(self.gate_reserve).to_string()),
            ("end_token_on", self.end_token_on.to_owned()),
            ("paused", u8::from(self.paused).to_string()),
        ];
        fields.extend(self.opens_at.map(|time| ("opens_at", time.to_string())));
        fields.extend(self.closes_at.map(|time| ("closes_at", time.to_string())));
        fields
    }
}

/// An active place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) admitted: i64,
    pub(super) stop: i64,
    /// 0 once claimed.
    pub(super) claim_by: i64,
}

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Confirmed,
    /// Since, ms.
    Expired(i64),
    /// Since, ms.
    Cancelled(i64),
    /// Since, ms.
    Refunded(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Reservation {
    pub(super) status: Status,
    pub(super) show: u32,
    pub(super) user: String,
    pub(super) seats: Vec<(u32, i64)>,
    pub(super) created: i64,
    pub(super) stop: i64,
    pub(super) catalog: u64,
    pub(super) payment: String,
    /// The owner's balance after it was paid.
    pub(super) balance: i64,
    /// The card payment that began last, unless it was declined.
    pub(super) card: Option<String>,
    /// Those that were declined, the last one first.
    pub(super) declined: Vec<String>,
    /// Seats that went back after it was paid.
    pub(super) refunded: Vec<u32>,
}

/// A card payment that is not at its end.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) state: &'static str,
    pub(super) reservation: String,
    pub(super) show: u32,
    pub(super) amount: i64,
    /// Of its last step, ms.
    pub(super) since: i64,
    /// Of a refund: payment and what that paid, each with a space behind; else empty.
    pub(super) of: String,
    pub(super) user: String,
}

/// Requests that have an answer: fingerprint, result, ms from which they may be forgotten, whose they are.
pub(super) type Requests = BTreeMap<String, (String, String, i64, String)>;

/// A charge through the gateway that is not at its end.
#[derive(Clone, Debug)]
pub(super) struct OpenTopUp {
    pub(super) state: &'static str,
    pub(super) amount: i64,
    pub(super) end: i64,
    /// Of its last step, ms.
    pub(super) since: i64,
    pub(super) user: String,
}

/// The balances of a partition, with the ms of their last change, and its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Wallet {
    pub(super) now: i64,
    pub(super) balances: BTreeMap<String, (i64, i64)>,
    /// Whose balance has the mark of one who is being forgotten.
    pub(super) leaving: BTreeSet<String>,
    pub(super) requests: Requests,
    /// By charge.
    pub(super) top_ups: BTreeMap<String, OpenTopUp>,
}

/// The concert.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// Of this call.
    pub(super) now: i64,
    pub(super) policy: Policy,
    pub(super) policy_version: u64,
    pub(super) catalog: u64,
    pub(super) stopped: bool,
    pub(super) seq: u64,
    /// Places saved up, six digits; `None` until the first is given.
    pub(super) credit: Option<(f64, i64)>,
    pub(super) queue: BTreeMap<u64, String>,
    pub(super) places: BTreeMap<String, Place>,
    /// Seats of each show.
    pub(super) shows: BTreeMap<u32, u32>,
    pub(super) reservations: BTreeMap<String, Reservation>,
    pub(super) cards: BTreeMap<String, Card>,
    /// Show and index.
    pub(super) blocked: BTreeSet<(u32, u32)>,
    /// Since, ms, in the order of the calls.
    pub(super) cancelled: Vec<(u32, i64)>,
    pub(super) requests: Requests,
    pub(super) wallets: [Wallet; 2],
    /// The last entry of each log, as it was before this call.
    pub(super) last: BTreeMap<String, String>,
    /// What a call of `forget` or `forget_wallet` tells.
    pub(super) events: Vec<String>,
    /// Why such a call, of the mode `idle`, has changed nothing.
    pub(super) reasons: Reasons,
}

impl Model {
    /// A concert just born, no show yet.
    pub(super) fn born(policy: Policy, now: i64) -> Self {
        Self {
            now,
            policy,
            policy_version: 1,
            catalog: 0,
            stopped: false,
            seq: 0,
            credit: None,
            queue: BTreeMap::new(),
            places: BTreeMap::new(),
            shows: BTreeMap::new(),
            reservations: BTreeMap::new(),
            cards: BTreeMap::new(),
            blocked: BTreeSet::new(),
            cancelled: Vec::new(),
            requests: BTreeMap::new(),
            wallets: <[Wallet; 2]>::default(),
            last: BTreeMap::new(),
            events: Vec::new(),
            reasons: Reasons::new(),
        }
    }

    /// Decides a batch, one request after the other, and tells the outcomes as the scripts word them.
    pub(super) fn decide(&mut self, batch: &Batch) -> Vec<String> {
        match batch {
            Batch::Join(users) => users.iter().map(|user| self.join(user)).collect(),
            Batch::Claim(places) => places.iter().map(|place| self.claim(place)).collect(),
            Batch::Leave(places) => places.iter().map(|place| self.leave(place)).collect(),
            Batch::Admit => vec![self.admit()],
            Batch::Hold(holds) => holds.iter().map(|hold| self.hold(hold)).collect(),
            Batch::Release(releases) => releases.iter().map(|release| self.release(release)).collect(),
            Batch::Due(limit) => self.due(*limit),
            Batch::Expire(ids) => ids.iter().map(|id| self.expire(id)).collect(),
            Batch::Authorise(all) => all.iter().map(|request| self.authorise(request)).collect(),
            Batch::Confirm(all) => all.iter().map(|request| self.confirm(request)).collect(),
            Batch::Settle(all) => all.iter().map(|request| self.settle(request)).collect(),
            Batch::Block(blocks) => blocks.iter().map(|block| self.block(block)).collect(),
            Batch::Cancel(show) => vec![self.cancel(*show)],
            Batch::Clear(show, first) => vec![self.clear(*show, *first)],
            Batch::Refund(refunds) => refunds.iter().map(|refund| self.refund(refund)).collect(),
            Batch::Pay(pays) => pays.iter().map(|pay| self.pay(pay)).collect(),
            Batch::Charge(charges) => charges.iter().map(|charge| self.charge(charge)).collect(),
            Batch::TopUp(all) => all.iter().map(|request| self.top_up(request)).collect(),
            Batch::Credit(all) => all.iter().map(|request| self.credit(request)).collect(),
            Batch::Policy(base, policy) => vec![self.set_policy(*base, policy)],
            Batch::OpenShow(show, seats, catalog) => vec![self.open_show(*show, *seats, *catalog)],
            Batch::Catalog(catalog) => {
                self.catalog = self.catalog.max(*catalog);
                vec!["announced".to_owned()]
            }
            Batch::Tidy(archived) => vec![self.tidy(*archived)],
            Batch::TidyWallets => {
                let forgotten =
                    self.wallets.each_mut().map(|wallet| forget(&mut wallet.requests, wallet.now));
                forgotten.map(|count| format!("tidied {count}")).to_vec()
            }
            Batch::Forget(request) => vec![self.forget(request)],
            Batch::ForgetWallet(request) => vec![self.forget_wallet(request)],
        }
    }

    /// Why nothing may be sold to anybody now.
    pub(super) fn closed(&self) -> Option<String> {
        if self.stopped {
            return Some("sales_stopped".to_owned());
        }
        let opens_at = self.policy.opens_at;
        let early = opens_at.is_some_and(|opens| self.now < opens);
        let opens = opens_at.map_or_else(|| "''".to_owned(), |opens| opens.to_string());
        (early || self.has_ended()).then(|| format!("sale_not_open {opens}"))
    }

    /// Whether the end of the sale has come.
    pub(super) fn has_ended(&self) -> bool {
        self.policy.closes_at.is_some_and(|closes| self.now >= closes)
    }

    fn set_policy(&mut self, base: u64, policy: &Policy) -> String {
        if base != self.policy_version {
            return format!("stale_policy {}", self.policy_version);
        }
        self.policy = policy.clone();
        self.policy_version += 1;
        format!("changed {}", self.policy_version)
    }

    fn open_show(&mut self, show: u32, seats: u32, catalog: u64) -> String {
        let known = self.shows.get(&show).copied().unwrap_or(0);
        if seats < known {
            return format!("too_few_seats {known}");
        }
        self.shows.insert(show, seats);
        self.catalog = self.catalog.max(catalog);
        "opened".to_owned()
    }

    fn tidy(&mut self, archived: i64) -> String {
        let requests = forget(&mut self.requests, self.now);
        if requests == FORGET_MAX {
            // Reservations wait until no request names them any more.
            return format!("tidied {requests} 0");
        }
        let before = archived.min(self.now) - DAY_MS;
        let ended = |r: &Reservation| match r.status {
            Status::Expired(at) | Status::Cancelled(at) | Status::Refunded(at) => Some(at),
            Status::Pending | Status::Confirmed => None,
        };
        let over = |r: &Reservation| ended(r).is_some_and(|at| at <= before);
        let count = self.reservations.values().filter(|r| over(r)).count();
        assert!(count < FORGET_MAX, "an episode is short enough for one call to forget all");
        self.reservations.retain(|_, r| !over(r));
        format!("tidied {requests} {count}")
    }

    /// Seats that are neither booked nor blocked, of all shows.
    pub(super) fn sellable(&self) -> i64 {
        let booked = self.confirmed().map(|r| r.left().count()).sum::<usize>() + self.blocked.len();
        i64::from(SHOWS.iter().filter_map(|show| self.shows.get(show)).sum::<u32>())
            - i64::try_from(booked).unwrap()
    }

    /// Those that are paid.
    pub(super) fn confirmed(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.values().filter(|r| r.status == Status::Confirmed)
    }
}

/// Forgets what is over, at most 100.
fn forget(requests: &mut Requests, now: i64) -> usize {
    let mut due: Vec<_> =
        requests.iter().filter(|(_, kept)| kept.2 <= now).map(|(id, kept)| (kept.2, id.clone())).collect();
    due.sort();
    due.truncate(FORGET_MAX);
    for (_, id) in &due {
        requests.remove(id);
    }
    due.len()
}
