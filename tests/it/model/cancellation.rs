//! Cancelled shows of the model: nothing of them is sold, and what comes back is blocked.

use super::rules::{Model, Status};

/// Seats of one page.
const PAGE: u32 = 100;

impl Model {
    pub(super) fn is_cancelled(&self, show: u32) -> bool {
        self.cancelled.iter().any(|(other, _)| *other == show)
    }

    /// Seats of a reservation that has just ended, if they are not to be sold again.
    pub(super) fn give(&mut self, id: &str) {
        let r = &self.reservations[id];
        if self.is_cancelled(r.show) {
            let (show, seats) = (r.show, r.seats.clone());
            self.blocked.extend(seats.into_iter().map(|(index, _)| (show, index)));
        }
    }

    pub(super) fn cancel(&mut self, show: u32) -> String {
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        if !self.is_cancelled(show) {
            self.cancelled.push((show, self.now));
        }
        "cancelled".to_owned()
    }

    pub(super) fn clear(&mut self, show: u32, first: u32) -> String {
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        if !self.is_cancelled(show) {
            return "not_cancelled".to_owned();
        }
        let total = self.shows.get(&show).copied().unwrap_or(0);
        let end = total.min(first + PAGE).max(first);
        let mut told = format!("cleared {end} {total}");
        let (mut met, mut free) = (Vec::new(), Vec::new());
        for seat in first..end {
            let holds = |status: Status| matches!(status, Status::Pending | Status::Confirmed);
            let mut of_show = self.reservations.iter().filter(|(_, r)| r.show == show && holds(r.status));
            match of_show.find(|(_, r)| r.left().any(|(index, _)| *index == seat)) {
                Some((id, _)) if met.contains(id) => {}
                Some((id, _)) => met.push(id.clone()),
                None => free.push((show, seat)),
            }
        }
        self.blocked.extend(free);
        let now = self.now;
        for id in met {
            let r = self.reservations.get_mut(&id).unwrap();
            if r.status == Status::Confirmed {
                told = format!("{told} {id} {}", r.user);
                continue;
            }
            r.status = if r.is_live(now) { Status::Cancelled(now) } else { Status::Expired(now) };
            self.give(&id);
        }
        told
    }
}
