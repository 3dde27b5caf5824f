//! The sale of the model: hold, release, expire, pay, charge.

use super::batch::{Block, Charge, Hold, Pay, Refund, Release, partition};
use super::forget::is_anonymous;
use super::rules::{DAY_MS, Model, Requests, Reservation, Status};

/// Balances stay below, so that Lua counts them exactly.
pub(super) const AMOUNT_END: i64 = 1 << 53;

/// `index:price,…`
pub(super) fn seats_text(seats: &[(u32, i64)]) -> String {
    seats.iter().map(|(index, price)| format!("{index}:{price}")).collect::<Vec<_>>().join(",")
}

/// The first answer's result, or a refusal.
pub(super) fn recall(
    requests: &Requests,
    request: &str,
    fingerprint: &str,
) -> Option<Result<String, String>> {
    let (known, result, ..) = requests.get(request).filter(|_| !request.is_empty())?;
    let same = known == fingerprint;
    Some(if same { Ok(result.clone()) } else { Err("idempotency_key_reused".to_owned()) })
}

impl Reservation {
    pub(super) fn amount(&self) -> i64 {
        self.seats.iter().map(|(_, price)| price).sum()
    }

    fn told_held(&self, outcome: &str, id: &str, stop: &str) -> String {
        let seats = seats_text(&self.seats);
        format!("{outcome} {id} {} {seats} {} {} {stop}", self.show, self.amount(), self.created)
    }

    fn told_paid(&self, outcome: &str, id: &str) -> String {
        let seats = seats_text(&self.seats);
        format!("{outcome} {id} {} {} {seats} {} {}", self.show, self.payment, self.amount(), self.balance)
    }

    /// Whether it holds its seats and can be paid.
    pub(super) fn is_live(&self, now: i64) -> bool {
        self.status == Status::Pending && now < self.stop
    }

    /// Its seats that were not refunded.
    pub(super) fn left(&self) -> impl Iterator<Item = &(u32, i64)> {
        self.seats.iter().filter(|(index, _)| !self.refunded.contains(index))
    }

    pub(super) fn counts(&self, now: i64) -> bool {
        self.status == Status::Confirmed || self.is_live(now)
    }
}

impl Model {
    pub(super) fn hold(&mut self, request: &Hold) -> String {
        match recall(&self.requests, &request.request, &request.fingerprint) {
            Some(Err(refused)) => return refused,
            Some(Ok(result)) => {
                let (id, stop) = result.split_once(' ').unwrap();
                return self.reservations[id].told_held("replayed", id, stop);
            }
            None => {}
        }
        if let Some(known) = self.reservations.get(&request.id) {
            return known.told_held("replayed", &request.id, &known.stop.to_string());
        }
        if let Some(closed) = self.closed() {
            return closed;
        }
        if self.is_cancelled(request.show) {
            return "sale_not_open ''".to_owned();
        }
        let gated = match self.gate(request) {
            Ok(gated) => gated,
            Err(refused) => return refused,
        };
        if let Some(unsold) = self.unsold(request) {
            return unsold;
        }
        let reservation = Reservation {
            status: Status::Pending,
            show: request.show,
            user: request.user.clone(),
            seats: request.seats.clone(),
            created: self.now,
            stop: self.now + self.policy.hold_ms,
            catalog: request.catalog,
            payment: "-".to_owned(),
            balance: 0,
            card: None,
            declined: Vec::new(),
            refunded: Vec::new(),
        };
        let stop = reservation.stop;
        let told = reservation.told_held("held", &request.id, &stop.to_string());
        self.reservations.insert(request.id.clone(), reservation);
        let result = format!("{} {stop}", request.id);
        self.remember(&request.request, &request.fingerprint, result, &request.user);
        self.settle_hold(request, gated, stop);
        told
    }

    /// Whether the user has an active place of that number, or why he may not hold.
    fn gate(&mut self, request: &Hold) -> Result<bool, String> {
        let Some(seq) = request.seq else {
            return if self.policy.gate_reserve { Err("queue_token_invalid".to_owned()) } else { Ok(false) };
        };
        if self.live_place(&request.user).is_some_and(|place| place.seq == seq) {
            return Ok(true);
        }
        if !self.policy.gate_reserve {
            return Ok(false);
        }
        if self.waiting(&request.user) == Some(seq) {
            return Err(format!("queue_token_not_active {}", self.position(seq)));
        }
        Err("queue_token_expired".to_owned())
    }

    fn unsold(&self, request: &Hold) -> Option<String> {
        if request.catalog < self.catalog {
            return Some("stale_catalog".to_owned());
        }
        let wanted = request.seats.len();
        let limit = self.policy.max_seats_per_reservation;
        if wanted > limit {
            return Some(format!("too_many_seats {limit}"));
        }
        let of_show = || self.reservations.values().filter(|r| r.show == request.show && r.counts(self.now));
        let owned: usize = of_show().filter(|r| r.user == request.user).map(|r| r.left().count()).sum();
        let limit = self.policy.max_seats_per_user;
        if owned + wanted > limit {
            return Some(format!("purchase_limit {limit} {owned}"));
        }
        let booked = |seat: u32| of_show().any(|r| r.left().any(|(other, _)| *other == seat));
        let taken = |seat: u32| booked(seat) || self.blocked.contains(&(request.show, seat));
        let taken: Vec<_> =
            request.seats.iter().filter(|(seat, _)| taken(*seat)).map(|(seat, _)| seat.to_string()).collect();
        (!taken.is_empty()).then(|| format!("seat_unavailable {}", taken.join(" ")))
    }

    /// Up to the end of a hold of his, and never for longer than a hold made in its last moment.
    pub(super) fn stretch_place(&mut self, user: &str, stop: i64) {
        let most = self.policy.active_ms + self.policy.hold_ms;
        let place = self.places.get_mut(user).unwrap();
        place.stop = place.stop.max(stop.min(place.admitted + most));
    }

    pub(super) fn remember(&mut self, request: &str, fingerprint: &str, result: String, user: &str) {
        if !request.is_empty() {
            let kept = (fingerprint.to_owned(), result, self.now + DAY_MS, user.to_owned());
            self.requests.insert(request.to_owned(), kept);
        }
    }

    pub(super) fn release(&mut self, request: &Release) -> String {
        let now = self.now;
        let of_user = |r: &&mut Reservation| r.user == request.user && r.show == request.show;
        let Some(r) = self.reservations.get_mut(&request.id).filter(of_user) else {
            return "not_found".to_owned();
        };
        if r.status == Status::Confirmed {
            return "reservation_not_pending".to_owned();
        }
        if r.is_live(now) {
            r.status = Status::Cancelled(now);
            self.give(&request.id);
        }
        "released".to_owned()
    }

    pub(super) fn due(&self, limit: usize) -> Vec<String> {
        let over =
            self.reservations.iter().filter(|(_, r)| r.status == Status::Pending && self.now >= r.stop);
        let mut over: Vec<_> = over.map(|(id, r)| (r.stop, id, r.show)).collect();
        over.sort();
        over.into_iter().take(limit).map(|(_, id, show)| format!("due {id} {show}")).collect()
    }

    pub(super) fn expire(&mut self, id: &str) -> String {
        let now = self.now;
        let over = |r: &&mut Reservation| r.status == Status::Pending && now >= r.stop;
        let Some(r) = self.reservations.get_mut(id).filter(over) else {
            return "kept".to_owned();
        };
        r.status = Status::Expired(now);
        self.give(id);
        "expired".to_owned()
    }

    pub(super) fn pay(&mut self, request: &Pay) -> String {
        match recall(&self.requests, &request.request, &request.fingerprint) {
            Some(Err(refused)) => return refused,
            Some(Ok(result)) => {
                let (_, id) = result.split_once(' ').unwrap();
                return self.reservations[id].told_paid("replayed", id);
            }
            None => {}
        }
        let known = self.reservations.get(&request.id);
        if let Some(r) = known.filter(|r| r.payment == request.payment) {
            return r.told_paid("replayed", &request.id);
        }
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        if let Some(reason) = self.unpayable(&request.id, &request.user, request.show) {
            return format!("invalid_reservation {reason}");
        }
        let wallet = &mut self.wallets[usize::from(partition(&request.user))];
        if wallet.leaving.contains(&request.user) {
            return "request_in_progress".to_owned();
        }
        let r = self.reservations.get_mut(&request.id).unwrap();
        let current = wallet.balances.get(&request.user).map_or(0, |(balance, _)| *balance);
        if current < r.amount() {
            return format!("insufficient_balance {current} {}", r.amount());
        }
        r.balance = current - r.amount();
        r.payment.clone_from(&request.payment);
        r.status = Status::Confirmed;
        wallet.balances.insert(request.user.clone(), (r.balance, wallet.now));
        let told = r.told_paid("paid", &request.id);
        let result = format!("{} {}", request.payment, request.id);
        self.remember(&request.request, &request.fingerprint, result, &request.user);
        self.settle_pay(&request.user);
        told
    }

    pub(super) fn unpayable(&mut self, id: &str, user: &str, show: u32) -> Option<&'static str> {
        let now = self.now;
        let of_user = |r: &&Reservation| r.user == user && r.show == show;
        let Some(r) = self.reservations.get(id).filter(of_user) else {
            return Some("not_found");
        };
        if r.is_live(now) && self.is_cancelled(r.show) {
            self.reservations.get_mut(id).unwrap().status = Status::Cancelled(now);
            self.give(id);
            return Some("cancelled");
        }
        match r.status {
            Status::Confirmed => Some("already_paid"),
            Status::Refunded(_) => Some("refunded"),
            Status::Cancelled(_) => Some("cancelled"),
            Status::Expired(_) => Some("expired"),
            Status::Pending => (!r.is_live(self.now)).then_some("expired"),
        }
    }

    pub(super) fn refund(&mut self, request: &Refund) -> String {
        match recall(&self.requests, &request.request, &request.fingerprint) {
            Some(Err(refused)) => return refused,
            Some(Ok(result)) => return format!("replayed {result}"),
            None => {}
        }
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        let of_user = |r: &&Reservation| r.user == request.user && r.show == request.show;
        let Some(r) = self.reservations.get(&request.id).filter(of_user) else {
            return "invalid_reservation not_found".to_owned();
        };
        let reason = match r.status {
            Status::Confirmed => None,
            Status::Refunded(_) => Some("refunded"),
            Status::Cancelled(_) => Some("cancelled"),
            Status::Pending if r.is_live(self.now) => Some("not_found"),
            Status::Pending | Status::Expired(_) => Some("expired"),
        };
        if let Some(reason) = reason {
            return format!("invalid_reservation {reason}");
        }
        let wanted = |index: u32| request.seats.is_empty() || request.seats.contains(&index);
        let back: Vec<_> = r.left().copied().filter(|(index, _)| wanted(*index)).collect();
        if !request.seats.is_empty() && back.len() != request.seats.len() {
            return "invalid_reservation refunded".to_owned();
        }
        if !r.is_paid_by_card() && is_anonymous(&r.user) {
            return "invalid_reservation anonymous".to_owned();
        }
        if self.waits_for_its_balance(r) {
            return "request_in_progress".to_owned();
        }
        let amount: i64 = back.iter().map(|(_, price)| price).sum();
        if r.is_paid_by_card() {
            self.owe_card(&request.name, &request.id, amount);
        } else {
            let wallet = &mut self.wallets[usize::from(partition(&request.user))];
            let balance = wallet.balances.get(&request.user).map_or(0, |(balance, _)| *balance) + amount;
            if balance >= AMOUNT_END {
                return "amount_out_of_range".to_owned();
            }
            wallet.balances.insert(request.user.clone(), (balance, wallet.now));
        }
        let now = self.now;
        let r = self.reservations.get_mut(&request.id).unwrap();
        r.refunded.extend(back.iter().map(|(index, _)| index));
        let all = r.left().next().is_none();
        if all {
            r.status = Status::Refunded(now);
        }
        let status = if all { "refunded" } else { "confirmed" };
        let (show, cancelled) = (r.show, self.cancelled.iter().any(|(other, _)| *other == r.show));
        if cancelled {
            self.blocked.extend(back.iter().map(|(index, _)| (show, *index)));
        }
        let r = &self.reservations[&request.id];
        let told =
            format!("{} {} {} {} {amount} {status}", request.name, request.id, r.show, seats_text(&back));
        self.remember(&request.request, &request.fingerprint, told.clone(), &request.by);
        format!("refunded {told}")
    }

    pub(super) fn block(&mut self, request: &Block) -> String {
        match recall(&self.requests, &request.request, &request.fingerprint) {
            Some(Err(refused)) => return refused,
            Some(Ok(_)) => return "replayed".to_owned(),
            None => {}
        }
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        let (show, blocks) = (request.show, request.word == "blocked");
        if self.is_cancelled(show) {
            return "sale_not_open ''".to_owned();
        }
        let of_show = || self.reservations.values().filter(|r| r.show == show && r.counts(self.now));
        let taken = |seat: u32| of_show().any(|r| r.left().any(|(other, _)| *other == seat));
        let fits = |seat: u32| match (blocks, self.blocked.contains(&(show, seat))) {
            (true, false) => !taken(seat) && self.shows.get(&show).is_some_and(|seats| seat < *seats),
            (false, true) => true,
            _ => false,
        };
        let unfit: Vec<_> =
            request.seats.iter().filter(|seat| !fits(**seat)).map(ToString::to_string).collect();
        if !unfit.is_empty() {
            return format!("seat_unavailable {}", unfit.join(" "));
        }
        for seat in &request.seats {
            if blocks {
                self.blocked.insert((show, *seat));
            } else {
                self.blocked.remove(&(show, *seat));
            }
        }
        self.remember(&request.request, &request.fingerprint, request.word.to_owned(), &request.by);
        request.word.to_owned()
    }

    pub(super) fn charge(&mut self, request: &Charge) -> String {
        let wallet = &mut self.wallets[usize::from(partition(&request.user))];
        match recall(&wallet.requests, &request.request, &request.fingerprint) {
            Some(Err(refused)) => return refused,
            Some(Ok(result)) => return format!("replayed {result}"),
            None => {}
        }
        if !request.refusal.is_empty() {
            return request.refusal.to_owned();
        }
        let balance = wallet.balances.get(&request.user).map_or(0, |(balance, _)| *balance) + request.amount;
        if balance >= AMOUNT_END {
            return "amount_out_of_range".to_owned();
        }
        wallet.balances.insert(request.user.clone(), (balance, wallet.now));
        let told = format!("{} {} {balance}", request.id, request.amount);
        let kept = (request.fingerprint.clone(), told.clone(), wallet.now + DAY_MS, request.by.clone());
        wallet.requests.insert(request.request.clone(), kept);
        format!("charged {told}")
    }
}
