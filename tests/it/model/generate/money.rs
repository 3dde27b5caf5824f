//! Money that comes into balances: by cashiers, and through the gateway.

use super::Generator;
use crate::model::batch::{Batch, Charge, Credit, TopUp, partition};
use crate::model::forget::is_pseudonym;
use crate::model::rules::Model;

impl Generator {
    pub(super) fn charge(&mut self, model: &Model) -> Charge {
        if !self.charges.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.charges);
            let (fingerprint, refusal) = (self.fingerprint(), self.refusal());
            return Charge { fingerprint, refusal, ..again };
        }
        let (user, by) = (self.user(), self.user());
        // Who has spent all has nothing for a while.
        let has_nothing = |user: &String| model.balance_of(user) == Some(0);
        let user = if has_nothing(&user) && self.random.percent(70) { self.user() } else { user };
        let by = if self.random.percent(80) { user.clone() } else { by };
        // A balance near 2^53 stays for the rest of the episode, exact to the last unit.
        let near_end = self.random.percent(2);
        let few = self.random.between(1, 60);
        let charge = self.charge_of(&user, &by, if near_end { (1 << 53) - few } else { few });
        self.charges.push(charge.clone());
        Charge { refusal: self.refusal(), ..charge }
    }

    /// Mostly none.
    fn refusal(&mut self) -> &'static str {
        let found =
            ["sales_stopped", "queue_token_invalid", "queue_token_not_active 12", "queue_token_expired"];
        if self.random.percent(90) { "" } else { self.random.pick(&found) }
    }

    pub(super) fn charge_of(&mut self, user: &str, by: &str, amount: i64) -> Charge {
        let request = self.request(by, &format!("charge:{}:{user}", user.len()));
        let (user, by, fingerprint) = (user.to_owned(), by.to_owned(), self.fingerprint());
        Charge { user, id: self.id(), amount, request, fingerprint, by, refusal: "" }
    }

    /// A step of charges through the gateway.
    pub(super) fn money(&mut self, model: &Model) -> Batch {
        if self.random.percent(40) {
            return Batch::TopUp(self.some(Self::top_up, model));
        }
        Batch::Credit(self.some(Self::credit, model))
    }

    fn top_up(&mut self, model: &Model) -> TopUp {
        if !self.top_ups.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.top_ups);
            let (fingerprint, refusal) = (self.fingerprint(), self.refusal());
            // The server makes another id for a request that nobody remembers.
            let kept = &model.wallets[usize::from(partition(&again.user))].requests;
            let id = if kept.contains_key(&again.request) { again.id } else { self.id() };
            return TopUp { id, fingerprint, refusal, ..again };
        }
        let user = self.user();
        let few = self.random.between(1, 60);
        let amount = if self.random.percent(2) { (1 << 53) - few } else { few };
        let (request, fingerprint) = (self.request(&user, "topup:"), self.fingerprint());
        let within = self.random.pick(&[50, 5000, 60_000, 300_000]);
        let top_up = TopUp { user, id: self.id(), amount, within, request, fingerprint, refusal: "" };
        self.top_ups.push(top_up.clone());
        TopUp { refusal: self.refusal(), ..top_up }
    }

    /// Of one that is open, of one that is not any more, seldom of another's.
    fn credit(&mut self, model: &Model) -> Credit {
        let open: Vec<_> = model
            .wallets
            .iter()
            .flat_map(|wallet| &wallet.top_ups)
            .map(|(charge, top_up)| (top_up.user.clone(), charge.clone()))
            .collect();
        let of_pseudonyms: Vec<_> = open.iter().filter(|(user, _)| is_pseudonym(user)).cloned().collect();
        let any = of_pseudonyms.is_empty() || self.random.percent(60);
        let open = if any { open } else { of_pseudonyms };
        let (user, charge) = if open.is_empty() || self.random.percent(15) {
            let ended = self.top_ups.last().map(|top_up| (top_up.user.clone(), top_up.id.clone()));
            ended.unwrap_or_else(|| (self.user(), self.id()))
        } else {
            self.random.pick(&open)
        };
        // The server may have read his name before he was forgotten.
        let user = match self.forgetting.old_name(&user).filter(|_| self.random.percent(50)) {
            Some(old) => old,
            None => user,
        };
        // Its own partition knows nothing of a user of another.
        let user = if self.random.percent(97) { user } else { self.user() };
        let said =
            ["authorised", "authorised", "pending", "pending", "declined", "captured", "captured", "voided"];
        Credit { wallet: partition(&user), user, charge, said: self.random.pick(&said) }
    }
}
