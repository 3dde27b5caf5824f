//! What the steps of a top-up leave behind.

use onsale::domain::event::{TopUp, TopUpStep};
use onsale::domain::fields::prefixed;

use super::Rebuilt;

impl Rebuilt<'_> {
    pub(super) fn apply_top_up(&mut self, top_up: &TopUp<'_>) {
        let TopUp { charge, user, step } = top_up;
        let path = format!("top_ups/{charge}");
        match step {
            TopUpStep::Charging { amount, currency, end, request, fingerprint } => {
                let record = format!("authorising {amount} {currency} {} {} {user}", end.0, self.now);
                self.set(&path, &record);
                self.remember(request, &format!("{fingerprint} {charge}"));
            }
            TopUpStep::Capturing => self.set_top_up(&path, "capture", user),
            TopUpStep::Voiding(reason) => self.set_top_up(&path, reason.as_str(), user),
            TopUpStep::Credited { amount, balance } => {
                self.set_balance(user, *balance);
                self.end_top_up(top_up, &format!("credited {amount} {balance}"));
            }
            TopUpStep::Voided { amount, reason } => {
                self.end_top_up(top_up, &format!("{} {amount}", reason.as_str()));
            }
        }
    }

    fn set_top_up(&mut self, path: &str, state: &str, user: &str) {
        let record = self.get(path).expect("it was begun");
        let fields: Vec<_> = record.splitn(5, ' ').collect();
        let [_, amount, currency, end, _] = fields[..] else { panic!("{record}") };
        self.set(path, &format!("{state} {amount} {currency} {end} {} {user}", self.now));
    }

    fn end_top_up(&mut self, top_up: &TopUp<'_>, told: &str) {
        self.remove(&format!("top_ups/{}", top_up.charge));
        self.keep_result(&format!("{}ended:{}", prefixed(top_up.user), top_up.charge), &format!("- {told}"));
    }
}
