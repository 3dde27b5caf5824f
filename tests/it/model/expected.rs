//! What Redis must hold if the model is right, line by line.

use std::collections::BTreeMap;

use super::redis::Look;
use super::rules::{Card, Model, Requests, Reservation, Status};
use super::sale::seats_text;

type Lines = BTreeMap<String, String>;

impl Model {
    /// Takes over which of the reservations that are over somebody has looked at: the model doesn't say when that is.
    pub(super) fn adopt_expired(&mut self, look: &Look) {
        let now = self.now;
        for (id, r) in &mut self.reservations {
            let over = r.status == Status::Pending && now >= r.stop;
            if over
                && look.lines.get(&format!("res/{id}")).is_some_and(|record| record.starts_with("expired "))
            {
                r.status = Status::Expired(now);
                if self.cancelled.iter().any(|(show, _)| *show == r.show) {
                    self.blocked.extend(r.seats.iter().map(|(index, _)| (r.show, *index)));
                }
            }
        }
    }

    /// Everything but the logs.
    pub(super) fn lines(&self) -> Lines {
        let mut lines = Lines::new();
        self.meta_lines(&mut lines);
        for (seq, user) in &self.queue {
            lines.insert(format!("queue/{user}"), seq.to_string());
        }
        for (user, place) in &self.places {
            let record = format!("{} {} {} {}", place.seq, place.admitted, place.stop, place.claim_by);
            lines.insert(format!("place/{user}"), record);
            lines.insert(format!("active/{user}"), place.stop.to_string());
            if place.claim_by > 0 {
                lines.insert(format!("unclaimed/{user}"), place.claim_by.to_string());
            }
        }
        self.reservation_lines(&mut lines);
        for (payment, Card { state, reservation, show, amount, since, of, user }) in &self.cards {
            let record = format!("{state} {reservation} {show} {amount} {since} {of}{user}");
            lines.insert(format!("cards/{payment}"), record);
        }
        request_lines("", &self.requests, &mut lines);
        for (partition, wallet) in self.wallets.iter().enumerate() {
            for (user, (balance, updated)) in &wallet.balances {
                let mark = if wallet.leaving.contains(user) { " leaving" } else { "" };
                lines
                    .insert(format!("w{partition:02}:balances/{user}"), format!("{balance} {updated}{mark}"));
            }
            for (charge, top_up) in &wallet.top_ups {
                lines.insert(format!("w{partition:02}:top_ups/{charge}"), top_up.record());
            }
            request_lines(&format!("w{partition:02}:"), &wallet.requests, &mut lines);
        }
        lines
    }

    fn meta_lines(&self, lines: &mut Lines) {
        let revenue: i64 = self.confirmed().flat_map(Reservation::left).map(|(_, price)| price).sum();
        let mut meta = vec![
            ("catalog", self.catalog.to_string()),
            ("policy", self.policy_version.to_string()),
            ("seq", self.seq.to_string()),
            ("shows", self.shows.len().to_string()),
            ("sellable", self.sellable().to_string()),
            ("revenue", revenue.to_string()),
        ];
        if let Some((credit, at)) = self.credit {
            meta.extend([("credit", format!("{credit:.6}")), ("credit_at", at.to_string())]);
        }
        for (show, at) in &self.cancelled {
            lines.insert(format!("meta/x:{show}"), format!("{at} rain"));
        }
        if !self.cancelled.is_empty() {
            let shows: Vec<_> = self.cancelled.iter().map(|(show, _)| show.to_string()).collect();
            meta.push(("cancelled", format!(" {} ", shows.join(" "))));
        }
        if self.stopped {
            meta.push(("stopped", "test".to_owned()));
        }
        lines.extend(meta.into_iter().map(|(field, value)| (format!("meta/{field}"), value)));
        lines.insert("policy/json".to_owned(), "{}".to_owned());
        lines.extend(
            self.policy.fields().into_iter().map(|(field, value)| (format!("policy/{field}"), value)),
        );
    }

    /// Records, and what follows from them: bytes, holders, counts, indexes.
    fn reservation_lines(&self, lines: &mut Lines) {
        let mut bytes: BTreeMap<u32, Vec<u8>> = self
            .shows
            .iter()
            .map(|(show, seats)| (*show, vec![b'0'; usize::try_from(*seats).unwrap()]))
            .collect();
        let mut owned: BTreeMap<String, usize> = BTreeMap::new();
        let mut pending: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, r) in &self.reservations {
            lines.insert(format!("res/{id}"), record(r));
            let byte = match r.status {
                Status::Pending => b'1',
                Status::Confirmed => b'2',
                Status::Expired(at) | Status::Cancelled(at) | Status::Refunded(at) => {
                    lines.insert(format!("ended/{id}"), at.to_string());
                    continue;
                }
            };
            if r.status == Status::Pending {
                lines.insert(format!("expiry/{id}"), r.stop.to_string());
                pending.entry(&r.user).or_default().push(id);
            }
            *owned.entry(format!("owned:{}/{}", r.show, r.user)).or_default() += r.left().count();
            for (index, _) in r.left() {
                let place = &mut bytes.get_mut(&r.show).unwrap()[usize::try_from(*index).unwrap()];
                assert_eq!(*place, b'0', "seat {index} of show {} has two owners", r.show);
                *place = byte;
                lines.insert(format!("holder:{}/{index}", r.show), id.clone());
            }
        }
        for (show, seat) in &self.blocked {
            let place = &mut bytes.get_mut(show).unwrap()[usize::try_from(*seat).unwrap()];
            assert_eq!(*place, b'0', "seat {seat} of show {show} is blocked and has an owner");
            *place = b'3';
        }
        lines.extend(owned.into_iter().map(|(path, count)| (path, count.to_string())));
        lines.extend(pending.into_iter().map(|(user, ids)| (format!("pending/{user}"), ids.join(" "))));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        lines.extend(bytes.into_iter().map(|(show, bytes)| (format!("seats:{show}"), text(bytes))));
    }
}

/// Formats 1.
fn record(r: &Reservation) -> String {
    let status = match r.status {
        Status::Pending => "pending",
        Status::Confirmed => "confirmed",
        Status::Expired(_) => "expired",
        Status::Cancelled(_) => "cancelled",
        Status::Refunded(_) => "refunded",
    };
    let paid = matches!(r.status, Status::Confirmed | Status::Refunded(_));
    let mut extras: Vec<_> = paid.then(|| format!("balance={}", r.balance)).into_iter().collect();
    extras.extend(r.cards_text());
    let gone = r.seats.iter().filter(|(index, _)| r.refunded.contains(index));
    let gone: Vec<_> = gone.map(|(index, _)| index.to_string()).collect();
    if !gone.is_empty() {
        extras.push(format!("refunded={}", gone.join(";")));
    }
    let ext = if extras.is_empty() { "-".to_owned() } else { extras.join(",") };
    let seats = seats_text(&r.seats);
    let Reservation { show, created, stop, catalog, payment, user, .. } = r;
    format!("{status} {show} {} {created} {stop} {catalog} {payment} {seats} {ext} {user}", r.amount())
}

fn request_lines(prefix: &str, requests: &Requests, lines: &mut Lines) {
    let mut of_user: BTreeMap<&str, usize> = BTreeMap::new();
    for (request, (fingerprint, result, stop, user)) in requests {
        lines.insert(format!("{prefix}idem/{request}"), format!("{fingerprint} {result}"));
        lines.insert(format!("{prefix}idem_end/{request}"), stop.to_string());
        // What became of a top-up is no key of his own.
        if !request.starts_with(&format!("{}:{user}ended:", user.len())) {
            *of_user.entry(user).or_default() += 1;
        }
    }
    let counts = of_user.into_iter();
    lines.extend(counts.map(|(user, count)| (format!("{prefix}idem_user/{user}"), count.to_string())));
}
