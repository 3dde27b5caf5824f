//! Random batches, seeded: users, seats, keys and bounds of time collide as often as not.

mod forget;
mod money;

use self::forget::Forgetting;
use super::batch::{
    Authorise, Batch, Block, Charge, Confirm, Hold, Pay, PlaceOf, Refund, Release, SHOWS, Settle, TopUp,
};
use super::forget::is_pseudonym;
use super::random::Random;
use super::rules::{Model, Policy, Reservation, Status};

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
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
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
            80..83 => {
                // Few, so that something is left of what was paid.
                let mut refunds = self.some(Self::refund, model);
                refunds.truncate(6);
                Batch::Refund(refunds)
            }
            83..85 => Batch::Block(self.some(Self::block, model)),
            85..90 => Batch::Charge(self.some(|it, _| it.charge(), model)),
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

    /// Money for everybody, so that many can pay, and not for long.
    pub(super) fn funds(&mut self) -> Batch {
        Batch::Charge(USERS.iter().map(|user| self.charge_of(user, user, 200)).collect())
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

    fn hold(&mut self, model: &Model) -> Hold {
        if !self.holds.is_empty() && self.random.percent(12) {
            let again = self.random.pick(&self.holds);
            return Hold { fingerprint: self.fingerprint(), ..again };
        }
        let show = self.random.pick(&SHOWS);
        // A show that is not on sale has no seats to ask for: the server knows no label of it.
        let show = if model.shows.contains_key(&show) { show } else { *model.shows.keys().next().unwrap() };
        let seats = u64::from(model.shows[&show]);
        let (first, count) = (self.random.below(seats), 1 + self.random.below(4));
        let seats = (0..count.min(seats))
            .map(|i| u32::try_from((first + i * 3) % seats).unwrap())
            .collect::<std::collections::BTreeSet<_>>();
        let active: Vec<_> = model.places.keys().cloned().collect();
        let user = if active.is_empty() || self.random.percent(12) {
            self.user()
        } else {
            self.random.pick(&active)
        };
        let PlaceOf { user, seq } = self.place_of(user, model);
        let request = if self.random.percent(60) { self.request(&user, "hold:") } else { String::new() };
        let hold = Hold {
            seq: self.random.percent(90).then_some(seq),
            show,
            catalog: model.catalog - u64::from(model.catalog > 0 && self.random.percent(3)),
            id: self.id(),
            request,
            fingerprint: self.fingerprint(),
            seats: seats.into_iter().map(|seat| (seat, 60 + i64::from(seat))).collect(),
            user,
        };
        self.holds.push(hold.clone());
        hold
    }

    /// Id, show and owner of a reservation, mostly one that is PENDING; at times one that nobody made.
    fn reservation(&mut self, model: &Model) -> (String, u32, String) {
        let kind = self.random.below(100);
        let chosen = |r: &Reservation| match kind {
            0..50 => r.is_live(model.now),
            50..80 => r.status == Status::Pending,
            _ => true,
        };
        let found: Vec<_> = model.reservations.iter().filter(|(_, r)| chosen(r)).collect();
        if found.is_empty() || kind == 99 {
            return ("0".repeat(20), SHOWS[0], self.user());
        }
        let (id, r) = self.random.pick(&found);
        (id.clone(), r.show, r.user.clone())
    }

    fn reservation_of_any(&mut self, model: &Model) -> String {
        self.reservation(model).0
    }

    fn release(&mut self, model: &Model) -> Release {
        let (id, show, owner) = self.reservation(model);
        Release { id, show: if self.random.percent(4) { 12 } else { show }, user: self.owner_or_other(owner) }
    }

    fn owner_or_other(&mut self, owner: String) -> String {
        if self.random.percent(95) { owner } else { self.user() }
    }

    fn pay(&mut self, model: &Model) -> Pay {
        if !self.pays.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.pays);
            return Pay { fingerprint: self.fingerprint(), ..again };
        }
        let leaving = self.hold_of_one_who_leaves(model);
        let (id, show, owner) = leaving.unwrap_or_else(|| self.reservation(model));
        let user = self.owner_or_other(owner);
        let request = if self.random.percent(60) { self.request(&user, "pay:") } else { String::new() };
        let pay = Pay { user, show, id, payment: self.id(), request, fingerprint: self.fingerprint() };
        self.pays.push(pay.clone());
        pay
    }

    fn authorise(&mut self, model: &Model) -> Authorise {
        if !self.cards.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.cards);
            return Authorise { fingerprint: self.fingerprint(), ..again };
        }
        // Few are live at a time: left to chance, some seeds would meet too few payments.
        let live: Vec<_> = model.reservations.iter().filter(|(_, r)| r.is_live(model.now)).collect();
        let (id, show, owner) = if live.is_empty() || self.random.percent(25) {
            self.reservation(model)
        } else {
            let (id, r) = self.random.pick(&live);
            (id.clone(), r.show, r.user.clone())
        };
        let user = self.owner_or_other(owner);
        let request = if self.random.percent(60) { self.request(&user, "card:") } else { String::new() };
        let card = Authorise { user, show, id, payment: self.id(), request, fingerprint: self.fingerprint() };
        self.cards.push(card.clone());
        card
    }

    /// The user and name of a card payment, mostly one that is not at its end.
    fn card(&mut self, model: &Model) -> (String, String) {
        let open: Vec<_> = model.cards.iter().map(|(id, card)| (card.user.clone(), id.clone())).collect();
        if open.is_empty() || self.random.percent(15) {
            let ended = self.cards.last().map(|card| (card.user.clone(), card.payment.clone()));
            return ended.unwrap_or_else(|| (self.user(), self.id()));
        }
        self.random.pick(&open)
    }

    fn confirm(&mut self, model: &Model) -> Confirm {
        let waiting: Vec<_> = model.cards.iter().filter(|(_, card)| card.state == "authorising").collect();
        let (user, payment) = if waiting.is_empty() || self.random.percent(15) {
            self.card(model)
        } else {
            let (id, card) = self.random.pick(&waiting);
            (card.user.clone(), id.clone())
        };
        let verdicts = ["authorised", "authorised", "authorised", "pending", "pending", "declined"];
        let verdict = self.random.pick(&verdicts);
        Confirm { user, payment, verdict }
    }

    fn settle(&mut self, model: &Model) -> Settle {
        let refunds: Vec<_> = model.cards.iter().filter(|(_, card)| card.state.starts_with("ref")).collect();
        if !refunds.is_empty() && self.random.percent(70) {
            let (refund, _) = self.random.pick(&refunds);
            return Settle {
                payment: refund.clone(),
                done: self.random.pick(&["returned", "returned", "refused"]),
            };
        }
        let (_, payment) = self.card(model);
        Settle { payment, done: self.random.pick(&["captured", "voided", "returned", "refused"]) }
    }

    fn refund(&mut self, model: &Model) -> Refund {
        if !self.refunds.is_empty() && self.random.percent(25) {
            let again = self.random.pick(&self.refunds);
            return Refund { fingerprint: self.fingerprint(), ..again };
        }
        let paid: Vec<_> = model.reservations.iter().filter(|(_, r)| r.status == Status::Confirmed).collect();
        let (id, show, owner) = if paid.is_empty() || self.random.percent(15) {
            self.reservation(model)
        } else {
            // Few are paid by card, few are of those who are or were forgotten.
            let (by_card, of_pseudonyms) = (self.random.percent(40), self.random.percent(40));
            let (waits, whole) = (self.random.percent(30), self.random.percent(70));
            let mut few = paid.clone();
            few.retain(|(_, r)| {
                if waits {
                    return model.waits_for_its_balance(r);
                }
                (!by_card || r.is_paid_by_card())
                    && (!of_pseudonyms || is_pseudonym(&r.user))
                    && (!whole || r.refunded.is_empty())
            });
            let few = if few.is_empty() { paid } else { few };
            let (id, r) = self.random.pick(&few);
            (id.clone(), r.show, r.user.clone())
        };
        let known = model.reservations.get(&id);
        let mut seats: Vec<_> = known.into_iter().flat_map(|r| &r.seats).map(|(index, _)| *index).collect();
        let first = seats.first().copied().filter(|_| self.random.percent(60));
        seats.retain(|_| self.random.percent(40));
        seats.extend(first.filter(|_| seats.is_empty()));
        let (user, by) = (self.owner_or_other(owner), self.user());
        let request = if self.random.percent(60) { self.request(&by, "refund:") } else { String::new() };
        let refund =
            Refund { user, show, id, name: self.id(), request, fingerprint: self.fingerprint(), by, seats };
        self.refunds.push(refund.clone());
        refund
    }

    fn block(&mut self, model: &Model) -> Block {
        if !self.blocks.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.blocks);
            return Block { fingerprint: self.fingerprint(), ..again };
        }
        let show = self.random.pick(&SHOWS);
        let blocked: Vec<_> =
            model.blocked.iter().filter(|(of, _)| *of == show).map(|(_, seat)| *seat).collect();
        // Seats come back sooner than they go, so that there is something left to sell.
        let word = if blocked.is_empty() || self.random.percent(20) { "blocked" } else { "unblocked" };
        let end = model.shows.get(&show).copied().unwrap_or(0) + 1;
        let any = u32::try_from(self.random.below(u64::from(end))).unwrap();
        let mut seats = if word == "blocked" || self.random.percent(10) { vec![any] } else { blocked };
        if word == "blocked" && self.random.percent(30) {
            seats.push(any + 1);
        }
        let by = if self.random.percent(80) { self.user() } else { String::new() };
        let request = format!("{}:{by}block:k{}", by.len(), self.random.below(25));
        let block = Block { word, show, request, fingerprint: self.fingerprint(), by, seats };
        self.blocks.push(block.clone());
        block
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
