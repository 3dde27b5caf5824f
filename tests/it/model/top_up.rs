//! Charges through the gateway in the model: begun, decided, credited or not.

use super::batch::{Credit, TopUp, partition};
use super::forget::is_pseudonym;
use super::rules::{DAY_MS, Model, OpenTopUp, Wallet};
use super::sale::{AMOUNT_END, recall};

impl Model {
    pub(super) fn top_up(&mut self, request: &TopUp) -> String {
        let wallet = &mut self.wallets[usize::from(partition(&request.user))];
        match recall(&wallet.requests, &request.request, &request.fingerprint) {
            Some(Err(refused)) => return refused,
            Some(Ok(charge)) => {
                let known = match wallet.top_ups.get(&charge) {
                    Some(open) => format!("open {}", open.record()),
                    None => format!("ended {}", wallet.told_end(&request.user, &charge).unwrap()),
                };
                return format!("replayed {charge} {known}");
            }
            None => {}
        }
        if !request.refusal.is_empty() {
            return request.refusal.to_owned();
        }
        if wallet.leaving.contains(&request.user) {
            return "request_in_progress".to_owned();
        }
        if wallet.balance(&request.user) + request.amount >= AMOUNT_END {
            return "amount_out_of_range".to_owned();
        }
        let open = OpenTopUp {
            state: "authorising",
            amount: request.amount,
            end: wallet.now + request.within,
            since: wallet.now,
            user: request.user.clone(),
        };
        let record = open.record();
        wallet.top_ups.insert(request.id.clone(), open);
        wallet.keep(&request.user, request.request.clone(), &request.fingerprint, request.id.clone());
        format!("begun {} open {record}", request.id)
    }

    pub(super) fn credit(&mut self, request: &Credit) -> String {
        let Credit { user, charge, said, .. } = request;
        let wallet = &mut self.wallets[usize::from(request.wallet)];
        // Whoever was forgotten meanwhile is meant by his old name, too.
        let is_his = |open: &&OpenTopUp| open.user == *user || is_pseudonym(&open.user);
        let Some(open) = wallet.top_ups.get(charge).filter(is_his).cloned() else {
            let end = wallet.told_end(user, charge);
            return end.map_or_else(|| "not_found".to_owned(), |end| format!("ended {end}"));
        };
        match (*said, open.state) {
            ("captured", _) => {
                let user = &open.user;
                let balance = wallet.balance(user) + open.amount;
                if balance >= AMOUNT_END {
                    return "amount_out_of_range".to_owned();
                }
                wallet.balances.insert(user.clone(), (balance, wallet.now));
                wallet.end(&open, charge, "credited", &format!("credited {} {balance}", open.amount))
            }
            ("voided", state) => {
                let reason = match state {
                    "authorising" => "declined",
                    "capture" => "refused",
                    decided => decided,
                };
                wallet.end(&open, charge, "voided", &format!("{reason} {}", open.amount))
            }
            ("declined", "authorising") => wallet.decided(charge, "declined"),
            (_, "authorising") if wallet.now >= open.end => wallet.decided(charge, "expired"),
            ("authorised", "authorising") => wallet.decided(charge, "capture"),
            (_, "authorising") => "pending".to_owned(),
            (_, "capture") => "capture".to_owned(),
            _ => "void".to_owned(),
        }
    }
}

impl Wallet {
    fn balance(&self, user: &str) -> i64 {
        self.balances.get(user).map_or(0, |(balance, _)| *balance)
    }

    fn keep(&mut self, user: &str, request: String, fingerprint: &str, result: String) {
        let kept = (fingerprint.to_owned(), result, self.now + DAY_MS, user.to_owned());
        self.requests.insert(request, kept);
    }

    fn told_end(&self, user: &str, charge: &str) -> Option<String> {
        let (_, result, ..) = self.requests.get(&end_of(user, charge))?;
        Some(result.clone())
    }

    fn decided(&mut self, charge: &str, state: &'static str) -> String {
        let open = self.top_ups.get_mut(charge).unwrap();
        (open.state, open.since) = (state, self.now);
        if state == "capture" { "capture".to_owned() } else { "void".to_owned() }
    }

    fn end(&mut self, open: &OpenTopUp, charge: &str, outcome: &str, told: &str) -> String {
        self.top_ups.remove(charge);
        self.keep(&open.user, end_of(&open.user, charge), "-", told.to_owned());
        format!("{outcome} {told}")
    }
}

fn end_of(user: &str, charge: &str) -> String {
    format!("{}:{user}ended:{charge}", user.len())
}

impl OpenTopUp {
    pub(super) fn record(&self) -> String {
        let Self { state, amount, end, since, user } = self;
        format!("{state} {amount} KRW {end} {since} {user}")
    }
}
