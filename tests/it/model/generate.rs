//! Random batches, seeded: users, seats, keys and bounds of time collide as often as not.

mod forget;
mod idle;
mod money;
mod payment;
mod seats;

use self::forget::Forgetting;
use self::idle::Retention;
use super::batch::{Authorise, Batch, Block, Charge, Hold, Pay, PlaceOf, Refund, SHOWS, TopUp};
use super::random::Random;
use super::rules::{Model, Policy, Status};

/// Ids hold what formats split on elsewhere.
const USERS: [&str; 9] = ["a", "b|c", "d e", "한글", "7:x", "5", "-", "pay:k1", "u u u"];

/// Requests of one batch at most.
const BATCH_MAX: u64 = 12;

/// Makes the batches of one episode.
pub(super) struct Generator {
    random: Random,
    ids: u64,
    holds: Vec<Hold>,
    pays: Vec<Pay>,
    cards: Vec<Authorise>,
    refunds: Vec<Refund>,
    blocks: Vec<Block>,
    charges: Vec<Charge>,
    top_ups: Vec<TopUp>,
    forgetting: Forgetting,
    retention: Retention,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            retention: Retention::new(&mut random),
            random,
            ids: 0,
            holds: Vec::new(),
            pays: Vec::new(),
            cards: Vec::new(),
            refunds: Vec::new(),
            blocks: Vec::new(),
            charges: Vec::new(),
            top_ups: Vec::new(),
            forgetting: Forgetting::default(),
        }
    }

    pub(super) fn policy(&mut self, now: i64) -> Policy {
        let random = &mut self.random;
        let opens = random.percent(5).then(|| now + random.between(-2000, 4000));
        let closes = random.percent(5).then(|| now + random.between(0, 60_000));
        Policy {
            max_active: random.pick(&[0, 1, 2, 3, 5, 8, 8, 8]),
            admit_per_second: random.pick(&[0.0, 0.5, 3.0, 20.0, 1000.0, 1000.0, 1000.0, 1000.0]),
            active_ms: random.pick(&[2000, 20_000, 600_000, 600_000]),
            claim_ms: random.pick(&[0, 3000, 3000]),
            hold_ms: random.pick(&[1000, 5000, 30_000, 300_000]),
            max_seats_per_reservation: random.pick(&[1, 2, 3, 4]),
            max_seats_per_user: random.pick(&[1, 3, 4, 6]),
            gate_reserve: random.percent(70),
            end_token_on: random.pick(&["payment", "payment", "reservation", "never"]),
            opens_at: opens,
            closes_at: closes,
            paused: random.percent(5),
        }
    }

    /// Where the clock stands at the next call: on, a little back, or at a bound.
    pub(super) fn clock(&mut self, clock: i64, model: &Model) -> i64 {
        if self.retention.is_later() {
            return clock + super::rules::DAY_MS + self.random.between(0, 2000);
        }
        match self.random.below(100) {
            0..45 => clock,
            45..83 => clock + self.random.between(1, 30),
            83..88 => clock + self.random.between(100, 2000),
            88..90 => clock - self.random.between(1, 500),
            90..98 => {
                let mut bounds: Vec<_> = bounds(model).into_iter().filter(|bound| *bound > clock).collect();
                bounds.sort_unstable();
                bounds.truncate(4);
                if bounds.is_empty() { clock } else { self.random.pick(&bounds) + self.random.between(-1, 1) }
            }
            98 => clock + self.random.between(30_000, 700_000),
            _ => clock + if self.random.percent(20) { super::rules::DAY_MS } else { 5000 },
        }
    }

    pub(super) fn batch(&mut self, model: &Model) -> Batch {
        if let Some(call) = self.retain(model) {
            return call;
        }
        if self.random.percent(self.forgetting.share())
            && let Some(call) = self.forget(model)
        {
            return call;
        }
        match self.random.below(100) {
            0..7 => Batch::Join(self.some(|it, _| it.user(), model)),
            7..10 => self.money(model),
            10..13 | 77..80 => Batch::Authorise(self.some(Self::authorise, model)),
            13..16 => Batch::Claim(self.some(Self::place, model)),
            16..20 => Batch::Confirm(self.some(Self::confirm, model)),
            20..22 => Batch::Leave(self.some(Self::place, model)),
            22..25 => Batch::Settle(self.some(Self::settle, model)),
            25..38 => Batch::Admit,
            38..60 => Batch::Hold(self.some(Self::hold, model)),
            60..65 => Batch::Release(self.some(Self::release, model)),
            65..68 => Batch::Due(self.random.pick(&[1, 5, 100])),
            68..71 => Batch::Expire(self.some(Self::reservation_of_any, model)),
            71..77 => Batch::Pay(self.some(Self::pay, model)),
            80..83 => self.refunds(model),
            83..85 => Batch::Block(self.some(Self::block, model)),
            85..90 => Batch::Charge(self.some(Self::charge, model)),
            90..94 => {
                let base = model.policy_version - u64::from(self.random.percent(20));
                Batch::Policy(base, self.policy(model.now))
            }
            94..96 => self.open_show(model),
            96 => match self.random.below(8) {
                0 | 1 => Batch::Cancel(self.show(model)),
                2 => Batch::Clear(self.show(model), 0),
                _ => Batch::Catalog(model.catalog + self.random.below(2)),
            },
            97 => Batch::Tidy(model.now + self.random.between(-2000, 2000)),
            98 | 99 if !model.cancelled.is_empty() => {
                let first = if self.random.percent(70) { 0 } else { self.random.below(6) };
                Batch::Clear(model.cancelled[0].0, u32::try_from(first).unwrap())
            }
            _ => Batch::TidyWallets,
        }
    }

    /// One that is on sale.
    fn show(&mut self, model: &Model) -> u32 {
        let shows: Vec<_> = model.shows.keys().copied().collect();
        self.random.pick(&shows)
    }

    /// A show that every sale begins with, or one that grows.
    pub(super) fn open_show(&mut self, model: &Model) -> Batch {
        let show = self.random.pick(&SHOWS);
        let known = model.shows.get(&show).copied().unwrap_or(4);
        let seats = i64::from(known) + self.random.between(-1, 6);
        Batch::OpenShow(show, u32::try_from(seats).unwrap(), model.catalog.max(1) - self.random.below(2))
    }

    /// Money for most, so that many can pay, and not for long.
    pub(super) fn funds(&mut self) -> Batch {
        let funded: Vec<_> = USERS.into_iter().filter(|_| self.random.percent(80)).collect();
        Batch::Charge(funded.into_iter().map(|user| self.charge_of(user, user, 200)).collect())
    }

    fn some<T>(&mut self, mut make: impl FnMut(&mut Self, &Model) -> T, model: &Model) -> Vec<T> {
        let count = 1 + self.random.below(BATCH_MAX);
        (0..count).map(|_| make(self, model)).collect()
    }

    fn user(&mut self) -> String {
        self.random.pick(&USERS).to_owned()
    }

    /// Users are called `a` and `5`, too.
    fn id(&mut self) -> String {
        self.ids += 1;
        format!("a5{:018}", self.ids)
    }

    /// `verb` is `hold:`, `pay:` or `charge:<n>:<charged user>`; one in three has no key.
    fn request(&mut self, user: &str, verb: &str) -> String {
        format!("{}:{user}{verb}k{}", user.len(), self.random.below(25))
    }

    fn fingerprint(&mut self) -> String {
        format!("{:016x}", self.random.below(2))
    }

    /// The place that a user has, or one that he never had.
    fn place(&mut self, model: &Model) -> PlaceOf {
        let user = self.user();
        self.place_of(user, model)
    }

    fn place_of(&mut self, user: String, model: &Model) -> PlaceOf {
        let waiting = model.waiting(&user);
        let has = model.places.get(&user).map(|place| place.seq).or(waiting);
        let seq = if self.random.percent(93) { has } else { None };
        PlaceOf { seq: seq.unwrap_or_else(|| self.random.below(model.seq + 2)), user }
    }
}

/// The times at which something ends or begins.
fn bounds(model: &Model) -> Vec<i64> {
    let places = model.places.values().flat_map(|place| [place.stop, place.claim_by]);
    let holds = model.reservations.values().filter(|r| r.status == Status::Pending).map(|r| r.stop);
    let sale = [model.policy.opens_at, model.policy.closes_at].into_iter().flatten();
    let top_ups = model.wallets.iter().flat_map(|wallet| wallet.top_ups.values()).map(|top_up| top_up.end);
    places.chain(holds).chain(sale).chain(top_ups).collect()
}
