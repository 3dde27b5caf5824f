//! What a worker asks of a log that is over (decision 0015): whoever is idle in it gets a name that its key makes. Mostly asked in a
//! calm, when a day has gone by, what the gateway owes is done and what is remembered is tidied; others go on in it, too.

use onsale::domain::ids::UserId;
use onsale::domain::pseudonym::pseudonym;
use onsale::domain::retention::RetentionKey;

use super::{Generator, USERS};
use crate::model::batch::{Batch, Confirm, PARTITIONS, Settle, partition};
use crate::model::forget::{Forget, Mode, is_anonymous, is_pseudonym};
use crate::model::idle::is_remembered;
use crate::model::random::Random;
use crate::model::rules::{DAY_MS, Model, Requests, Reservation, Status};

/// Steps of a calm.
const CALM_STEPS: u32 = 16;

/// The keys of the logs, and how far the calm is.
#[derive(Debug)]
pub(super) struct Retention {
    concert: RetentionKey,
    wallets: [RetentionKey; 2],
    /// Steps that are left of it.
    calm: u32,
    /// The next step is a day later.
    later: bool,
}

impl Retention {
    pub(super) fn new(random: &mut Random) -> Self {
        Self { concert: key(random), wallets: [key(random), key(random)], calm: 0, later: false }
    }

    /// Says so once.
    pub(super) fn is_later(&mut self) -> bool {
        std::mem::take(&mut self.later)
    }
}

/// Whether he has a new name, of a run or of a log.
fn is_renamed(user: &str) -> bool {
    is_pseudonym(user) || is_anonymous(user)
}

/// Who keeps his name in the concert for his hold, and for nothing else.
fn holders(model: &Model) -> Vec<String> {
    let live = model.reservations.values().filter(|r| r.is_live(model.now) && model.cards.is_empty());
    let alone = |user: &&String| {
        let stands = model.places.contains_key(*user) || model.waiting(user).is_some();
        !stands && !is_renamed(user) && !is_remembered(&model.requests, user)
    };
    live.map(|r| &r.user).filter(alone).cloned().collect()
}

fn key(random: &mut Random) -> RetentionKey {
    RetentionKey([(); 32].map(|()| random.next().to_le_bytes()[0]))
}

impl Generator {
    /// The call of a worker, if it is to make one now.
    pub(super) fn retain(&mut self, model: &Model) -> Option<Batch> {
        // Few have paid by card whose name is another since.
        let to_card = model.confirmed().any(|r| r.is_paid_by_card() && is_anonymous(&r.user));
        if to_card && self.random.percent(if self.retention.calm > 0 { 20 } else { 8 }) {
            return Some(self.refunds(model));
        }
        // Few hold seats and have nothing else.
        let holders = holders(model);
        if !holders.is_empty() && self.random.percent(20) {
            let user = self.random.pick(&holders);
            return Some(Batch::Forget(self.idle_of(user, model)));
        }
        if self.retention.calm > 0 {
            self.retention.calm -= 1;
            return match self.random.below(100) {
                0..15 => None,
                15..17 => Some(self.freeze(model)),
                17..20 => Some(self.refunds(model)),
                20..60 => self.ask(model),
                _ => self.tidied(model).or_else(|| self.ask(model)),
            };
        }
        // A balance of 0 does not stay for long, and few have paid by card.
        let is_empty = |(user, (balance, _)): (&String, &(i64, i64))| *balance == 0 && !is_renamed(user);
        let empty = model.wallets.iter().flat_map(|wallet| &wallet.balances).any(is_empty);
        let by_card = model.confirmed().any(|r| r.is_paid_by_card() && !is_renamed(&r.user));
        let chance = 5 + if empty { 15 } else { 0 } + if by_card { 20 } else { 0 };
        match self.random.below(1000) {
            permille if permille < chance => {
                (self.retention.calm, self.retention.later) = (CALM_STEPS, true);
                // What is due again has another key; what has broken off has not.
                if self.random.percent(50) {
                    let Retention { calm, later, .. } = self.retention;
                    self.retention = Retention { calm, later, ..Retention::new(&mut self.random) };
                }
                None
            }
            950..965 => self.ask(model),
            _ => None,
        }
    }

    /// What has to be done before anybody is idle; `None`: nothing.
    fn tidied(&mut self, model: &Model) -> Option<Batch> {
        let requests_first = self.random.percent(50);
        Self::tidied_requests(model)
            .filter(|_| requests_first)
            .or_else(|| self.tidied_cards(model))
            .or_else(|| Self::tidied_requests(model))
    }

    fn tidied_cards(&mut self, model: &Model) -> Option<Batch> {
        let (asked, decided): (Vec<_>, Vec<_>) =
            model.cards.iter().partition(|(_, card)| card.state == "authorising");
        if !asked.is_empty() {
            let verdict = self.random.pick(&["pending", "declined"]);
            let confirm = asked.into_iter().map(|(payment, card)| Confirm {
                user: card.user.clone(),
                payment: payment.clone(),
                verdict,
            });
            return Some(Batch::Confirm(confirm.collect()));
        }
        if !decided.is_empty() {
            let settle = decided.into_iter().map(|(payment, card)| {
                let done = match card.state {
                    "capture" => "captured",
                    "void" => "voided",
                    _ => "returned",
                };
                Settle { payment: payment.clone(), done }
            });
            return Some(Batch::Settle(settle.collect()));
        }
        None
    }

    fn tidied_requests(model: &Model) -> Option<Batch> {
        let due = |requests: &Requests, now: i64| requests.values().any(|kept| kept.2 <= now);
        if due(&model.requests, model.now) {
            return Some(Batch::Tidy(model.now));
        }
        let wallets = model.wallets.iter().any(|wallet| due(&wallet.requests, wallet.now));
        wallets.then_some(Batch::TidyWallets)
    }

    /// Of somebody; the kind that chance names first may have nobody.
    fn ask(&mut self, model: &Model) -> Option<Batch> {
        (0..4).find_map(|_| {
            if self.random.percent(50) {
                return self.idle_in_concert(model).map(Batch::Forget);
            }
            self.idle_in_wallet(model).map(Batch::ForgetWallet)
        })
    }

    /// A run of `onsale forget` that has come no further, of one who has nothing.
    fn freeze(&mut self, model: &Model) -> Batch {
        let has_nothing = |user: &&&str| model.balance_of(user).unwrap_or(0) == 0;
        let users: Vec<_> = USERS.iter().filter(has_nothing).map(|user| (*user).to_owned()).collect();
        let user = if users.is_empty() { self.user() } else { self.random.pick(&users) };
        let random = &mut self.random;
        let bits = || u128::from(random.next()) << 64 | u128::from(random.next());
        let pseudonym = pseudonym(&UserId::new(&user).unwrap(), PARTITIONS, bits).to_string();
        let (reservations, requests, cards) = (Vec::new(), Vec::new(), Vec::new());
        Batch::ForgetWallet(Forget { user, pseudonym, mode: Mode::Freeze, reservations, requests, cards })
    }

    /// None that is a new name already: the archive leaves those out.
    fn one_of(&mut self, users: Vec<String>) -> Option<String> {
        let known: Vec<_> = users.into_iter().filter(|user| !is_renamed(user)).collect();
        (!known.is_empty()).then(|| self.random.pick(&known))
    }

    fn idle_in_concert(&mut self, model: &Model) -> Option<Forget> {
        let reservations = |fits: fn(&Reservation) -> bool| {
            let of = model.reservations.values().filter(move |r| fits(r));
            of.map(|r| r.user.clone()).collect::<Vec<_>>()
        };
        let users = match self.random.below(100) {
            0..48 => reservations(|r| r.status == Status::Confirmed && r.is_paid_by_card()),
            48..70 => reservations(|r| r.status == Status::Confirmed),
            70..76 => reservations(|r| r.status == Status::Pending),
            76..80 => model.places.keys().chain(model.queue.values()).cloned().collect(),
            80..88 => model.cards.values().map(|card| card.user.clone()).collect(),
            _ => vec![self.user()],
        };
        let user = self.one_of(users)?;
        Some(self.idle_of(user, model))
    }

    fn idle_of(&mut self, user: String, model: &Model) -> Forget {
        let his = model.reservations.iter().filter(|(_, r)| r.user == user);
        let created: Vec<_> = his.clone().map(|(_, r)| r.created).collect();
        let mut reservations: Vec<_> = his.map(|(id, _)| id.clone()).collect();
        match self.random.below(100) {
            0..15 => reservations.clear(),
            15..35 => reservations.retain(|_| self.random.percent(50)),
            35..50 => {
                reservations.extend(model.reservations.keys().next().cloned());
                reservations.push("0".repeat(20));
            }
            _ => {}
        }
        let before = self.before(created.into_iter().max(), model.now);
        let mut cards = Vec::new();
        if self.random.percent(20) {
            cards.extend(model.cards.keys().cloned());
        }
        let key = self.retention.concert;
        idle(user, key, before, [reservations, Vec::new(), cards])
    }

    fn idle_in_wallet(&mut self, model: &Model) -> Option<Forget> {
        let of = |users: &mut dyn Iterator<Item = &String>| users.cloned().collect::<Vec<_>>();
        let balances = || model.wallets.iter().flat_map(|wallet| &wallet.balances);
        let users = match self.random.below(100) {
            0..45 => of(&mut balances().filter(|(_, (balance, _))| *balance == 0).map(|(user, _)| user)),
            45..55 => {
                let leaving = model.wallets.iter().flat_map(|wallet| &wallet.leaving);
                of(&mut leaving.filter(|user| model.balance_of(user) == Some(0)))
            }
            55..65 => {
                let top_ups = model.wallets.iter().flat_map(|wallet| wallet.top_ups.values());
                of(&mut top_ups
                    .map(|open| &open.user)
                    .filter(|user| model.balance_of(user).unwrap_or(0) == 0))
            }
            65..72 => {
                let name = |user: &str| self.name_in_wallet(user);
                let named = |user: &&&str| model.balance_of(&name(user)).is_some();
                USERS.iter().filter(named).map(|user| (*user).to_owned()).collect()
            }
            72..85 => USERS
                .iter()
                .filter(|user| model.balance_of(user).is_none())
                .map(|user| (*user).to_owned())
                .collect(),
            _ => vec![self.user()],
        };
        let user = self.one_of(users)?;
        let at = usize::from(partition(&user));
        let wallet = &model.wallets[at];
        let before = self.before(wallet.balances.get(&user).map(|(_, moved)| *moved), wallet.now);
        let mut cards = Vec::new();
        if self.random.percent(80) {
            cards.extend(wallet.top_ups.keys().cloned());
        }
        let mut requests = Vec::new();
        if self.random.percent(30) {
            requests.extend(wallet.requests.keys().cloned());
        }
        let key = self.retention.wallets[at];
        Some(idle(user, key, before, [Vec::new(), requests, cards]))
    }

    fn name_in_wallet(&self, user: &str) -> String {
        let key = self.retention.wallets[usize::from(partition(user))];
        key.name(&UserId::new(user).unwrap(), PARTITIONS).to_string()
    }

    /// Earlier than the last that he did, or at that very time, or long since.
    fn before(&mut self, last: Option<i64>, now: i64) -> i64 {
        let last = last.unwrap_or(now - DAY_MS);
        self.random.pick(&[last - 1, last - 1, last, now, now])
    }
}

fn idle(user: String, key: RetentionKey, before: i64, named: [Vec<String>; 3]) -> Forget {
    let pseudonym = key.name(&UserId::new(&user).unwrap(), PARTITIONS).to_string();
    let [reservations, requests, cards] = named;
    Forget { user, pseudonym, mode: Mode::Idle(before), reservations, requests, cards }
}
