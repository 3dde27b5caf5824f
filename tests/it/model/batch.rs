//! What one step asks of the scripts, and the call that asks it.

use onsale::domain::ids::UserId;

use super::forget::Forget;
use super::rules::Policy;
use crate::lua::call::Call;

/// The shows of the model's concert.
pub(super) const SHOWS: [u32; 2] = [12, 13];

/// Its wallet partitions.
pub(super) const PARTITIONS: u8 = 2;

/// A place as a queue token names it.
#[derive(Clone, Debug)]
pub(super) struct PlaceOf {
    pub(super) user: String,
    pub(super) seq: u64,
}

/// Seats wanted.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) user: String,
    pub(super) seq: Option<u64>,
    pub(super) show: u32,
    pub(super) catalog: u64,
    pub(super) id: String,
    pub(super) request: String,
    pub(super) fingerprint: String,
    /// Index and price.
    pub(super) seats: Vec<(u32, i64)>,
}

/// A reservation given back.
#[derive(Clone, Debug)]
pub(super) struct Release {
    pub(super) user: String,
    pub(super) show: u32,
    pub(super) id: String,
}

/// A reservation to be paid.
#[derive(Clone, Debug)]
pub(super) struct Pay {
    pub(super) user: String,
    pub(super) show: u32,
    pub(super) id: String,
    pub(super) payment: String,
    pub(super) request: String,
    pub(super) fingerprint: String,
}

/// How long a hold lasts at least once a card payment begins: short of the longest hold, so that not all are stretched.
pub(super) const STRETCH_MS: i64 = 20_000;

/// A reservation to be paid by card.
#[derive(Clone, Debug)]
pub(super) struct Authorise {
    pub(super) user: String,
    pub(super) show: u32,
    pub(super) id: String,
    pub(super) payment: String,
    pub(super) request: String,
    pub(super) fingerprint: String,
}

/// What the gateway says of a payment.
#[derive(Clone, Debug)]
pub(super) struct Confirm {
    pub(super) user: String,
    pub(super) payment: String,
    pub(super) verdict: &'static str,
}

/// What the gateway did.
#[derive(Clone, Debug)]
pub(super) struct Settle {
    pub(super) payment: String,
    pub(super) done: &'static str,
}

/// Seats to be given back, and their price.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    /// The owner.
    pub(super) user: String,
    pub(super) show: u32,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) request: String,
    pub(super) fingerprint: String,
    pub(super) by: String,
    /// Indexes; none: all that are left.
    pub(super) seats: Vec<u32>,
}

/// Seats that go out of sale or come back.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// `blocked` or `unblocked`.
    pub(super) word: &'static str,
    pub(super) show: u32,
    pub(super) request: String,
    pub(super) fingerprint: String,
    pub(super) by: String,
    pub(super) seats: Vec<u32>,
}

/// Money that comes in.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) user: String,
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) request: String,
    pub(super) fingerprint: String,
    pub(super) by: String,
    /// What the server found against it, empty if nothing: counts only if the request is new.
    pub(super) refusal: &'static str,
}

/// Money that is to come through the gateway.
#[derive(Clone, Debug)]
pub(super) struct TopUp {
    pub(super) user: String,
    pub(super) id: String,
    pub(super) amount: i64,
    /// Given up after so many ms.
    pub(super) within: i64,
    pub(super) request: String,
    pub(super) fingerprint: String,
    /// As of a charge.
    pub(super) refusal: &'static str,
}

/// What the gateway says of it.
#[derive(Clone, Debug)]
pub(super) struct Credit {
    pub(super) wallet: u8,
    pub(super) user: String,
    pub(super) charge: String,
    pub(super) said: &'static str,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) enum Batch {
    Join(Vec<String>),
    Claim(Vec<PlaceOf>),
    Leave(Vec<PlaceOf>),
    Admit,
    Hold(Vec<Hold>),
    Release(Vec<Release>),
    Due(usize),
    Expire(Vec<String>),
    Pay(Vec<Pay>),
    Refund(Vec<Refund>),
    Authorise(Vec<Authorise>),
    Confirm(Vec<Confirm>),
    Settle(Vec<Settle>),
    Block(Vec<Block>),
    Cancel(u32),
    /// Show and index of the first seat.
    Clear(u32, u32),
    Charge(Vec<Charge>),
    TopUp(Vec<TopUp>),
    Credit(Vec<Credit>),
    /// The version that it was made from, and the policy.
    Policy(u64, Policy),
    /// Show, seats in all, catalog version.
    OpenShow(u32, u32, u64),
    Catalog(u64),
    /// The archive has all that ended before, ms.
    Tidy(i64),
    TidyWallets,
    Forget(Forget),
    ForgetWallet(Forget),
}

/// The partition of a user.
pub(super) fn partition(user: &str) -> u8 {
    UserId::new(user).unwrap().partition(PARTITIONS)
}

fn batch<T>(verb: &'static str, requests: &[T], fields: impl Fn(&T) -> Vec<String>) -> Call {
    let requests: Vec<_> = requests.iter().map(fields).collect();
    let fields: Vec<Vec<&str>> =
        requests.iter().map(|fields| fields.iter().map(String::as_str).collect()).collect();
    Call::batch(verb, &fields.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn one(verb: &'static str, arguments: &[String]) -> Call {
    Call::one(verb, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

impl PlaceOf {
    fn fields(&self) -> Vec<String> {
        vec![self.user.clone(), self.seq.to_string()]
    }
}

impl Hold {
    fn fields(&self) -> Vec<String> {
        let seq = self.seq.map_or_else(String::new, |seq| seq.to_string());
        let mut fields = vec![self.user.clone(), seq, self.show.to_string(), self.catalog.to_string()];
        fields.extend([self.id.clone(), self.request.clone(), self.fingerprint.clone()]);
        fields.push(self.seats.len().to_string());
        fields.extend(self.seats.iter().flat_map(|(index, price)| [index.to_string(), price.to_string()]));
        fields
    }
}

impl Pay {
    fn fields(&self) -> Vec<String> {
        let wallet = format!("w{:02}", partition(&self.user));
        let (user, show, id) = (self.user.clone(), self.show.to_string(), self.id.clone());
        let (payment, request, fingerprint) =
            (self.payment.clone(), self.request.clone(), self.fingerprint.clone());
        vec![user, show, id, payment, wallet, request, fingerprint]
    }
}

impl Authorise {
    fn fields(&self) -> Vec<String> {
        let (user, show, id) = (self.user.clone(), self.show.to_string(), self.id.clone());
        let (payment, request, fingerprint) =
            (self.payment.clone(), self.request.clone(), self.fingerprint.clone());
        vec![user, show, id, payment, request, fingerprint, STRETCH_MS.to_string()]
    }
}

impl Confirm {
    fn fields(&self) -> Vec<String> {
        let wallet = format!("w{:02}", partition(&self.user));
        vec![self.payment.clone(), wallet, self.verdict.to_owned()]
    }
}

impl Refund {
    fn fields(&self) -> Vec<String> {
        let wallet = format!("w{:02}", partition(&self.user));
        let (user, show, id) = (self.user.clone(), self.show.to_string(), self.id.clone());
        let (refund, request, fingerprint) =
            (self.name.clone(), self.request.clone(), self.fingerprint.clone());
        let seats: Vec<_> = self.seats.iter().map(u32::to_string).collect();
        vec![user, show, id, refund, wallet, request, fingerprint, self.by.clone(), seats.join(",")]
    }
}

impl Block {
    fn fields(&self) -> Vec<String> {
        let mut fields = vec![self.word.to_owned(), self.show.to_string(), self.request.clone()];
        fields.extend([self.fingerprint.clone(), self.by.clone(), self.seats.len().to_string()]);
        fields.extend(self.seats.iter().map(u32::to_string));
        fields
    }
}

impl Charge {
    fn fields(&self) -> Vec<String> {
        let wallet = format!("w{:02}", partition(&self.user));
        let (user, id, amount) = (self.user.clone(), self.id.clone(), self.amount.to_string());
        let (request, fingerprint, by) = (self.request.clone(), self.fingerprint.clone(), self.by.clone());
        vec![wallet, user, id, amount, request, fingerprint, by, self.refusal.to_owned()]
    }
}

impl TopUp {
    fn fields(&self) -> Vec<String> {
        let wallet = format!("w{:02}", partition(&self.user));
        let (user, id, amount) = (self.user.clone(), self.id.clone(), self.amount.to_string());
        let (within, request, fingerprint) =
            (self.within.to_string(), self.request.clone(), self.fingerprint.clone());
        let (currency, refusal) = ("KRW".to_owned(), self.refusal.to_owned());
        vec![wallet, user, id, amount, currency, within, request, fingerprint, refusal]
    }
}

impl Credit {
    fn fields(&self) -> Vec<String> {
        let wallet = format!("w{:02}", self.wallet);
        vec![wallet, self.user.clone(), self.charge.clone(), self.said.to_owned()]
    }
}

impl Batch {
    /// The call of the script.
    pub(super) fn call(&self) -> Call {
        let wallets = [0, 1];
        match self {
            Self::Join(users) => batch("join", users, |user| vec![user.clone()]),
            Self::Claim(places) => batch("claim", places, PlaceOf::fields),
            Self::Leave(places) => batch("leave", places, PlaceOf::fields),
            Self::Admit => Call::one("admit", &[]),
            Self::Hold(holds) => batch("hold", holds, Hold::fields).shows(&SHOWS),
            Self::Release(releases) => {
                let fields = |r: &Release| vec![r.user.clone(), r.show.to_string(), r.id.clone()];
                batch("release", releases, fields).shows(&SHOWS)
            }
            Self::Due(limit) => one("due", &[limit.to_string()]),
            Self::Expire(ids) => batch("expire", ids, |id| vec![id.clone()]).shows(&SHOWS),
            Self::Pay(pays) => batch("pay", pays, Pay::fields).shows(&SHOWS).wallets(&wallets),
            Self::Authorise(all) => batch("authorise", all, Authorise::fields).shows(&SHOWS),
            Self::Confirm(all) => batch("confirm", all, Confirm::fields).shows(&SHOWS).wallets(&wallets),
            Self::Settle(all) => {
                batch("settle", all, |settle| vec![settle.payment.clone(), settle.done.to_owned()])
            }
            Self::Refund(refunds) => batch("refund", refunds, Refund::fields).shows(&SHOWS).wallets(&wallets),
            Self::Block(blocks) => batch("block", blocks, Block::fields).shows(&SHOWS),
            Self::Cancel(show) => one("cancel", &[show.to_string(), "rain".to_owned()]).shows(&[*show]),
            Self::Clear(show, first) => {
                Call::batch("clear", &[&[&show.to_string(), &first.to_string()]]).shows(&[*show])
            }
            Self::Charge(charges) => {
                batch("charge", charges, Charge::fields).without_concert().wallets(&wallets)
            }
            Self::TopUp(all) => {
                batch("top_up", all, TopUp::fields).without_concert().wallets(&wallets).top_ups()
            }
            Self::Credit(all) => {
                batch("credit", all, Credit::fields).without_concert().wallets(&wallets).top_ups()
            }
            Self::Policy(base, policy) => {
                let mut arguments = vec![base.to_string(), "{}".to_owned()];
                arguments
                    .extend(policy.fields().into_iter().flat_map(|(field, value)| [field.to_owned(), value]));
                one("policy", &arguments)
            }
            Self::OpenShow(show, seats, catalog) => {
                one("open_show", &[show.to_string(), seats.to_string(), catalog.to_string()]).shows(&[*show])
            }
            Self::Catalog(catalog) => one("catalog", &[catalog.to_string()]),
            Self::Tidy(archived) => one("tidy", &[archived.to_string()]),
            Self::TidyWallets => Call::one("tidy_wallet", &[]).without_concert().wallets(&wallets),
            Self::Forget(request) => request.call(),
            Self::ForgetWallet(request) => request.wallet_call(),
        }
    }
}
