//! A sale: two shows, two wallet partitions, and the requests that buyers make.
//!
//! Ids are two characters and 18 zeros; what is told of a call leaves the zeros out.

use super::call::Call;
use super::rebuild::tells_all;
use super::step::Step;
use super::world::World;

const ID_ZEROS: &str = "000000000000000000";

/// Wallet partitions that are born.
pub(crate) const WALLETS: [&str; 2] = ["w00", "w01"];

/// `r1` as an id of 20 characters.
pub(crate) fn id(short: &str) -> String {
    format!("{short}{ID_ZEROS}")
}

/// The request id (formats 1) of a user's key under `verb`; empty without a key.
pub(crate) fn request(user: &str, verb: &str, key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{}:{user}{verb}:{key}", user.len()) }
}

/// A request of `hold`; the default is seat 0 of show 12, without a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold<'a> {
    pub(crate) user: &'a str,
    pub(crate) seq: &'a str,
    pub(crate) show: u32,
    pub(crate) catalog: &'a str,
    pub(crate) id: &'a str,
    pub(crate) key: &'a str,
    pub(crate) fingerprint: &'a str,
    /// `index:price,…`
    pub(crate) seats: &'a str,
}

impl<'a> Hold<'a> {
    pub(crate) fn new(user: &'a str, seq: &'a str, id: &'a str, seats: &'a str) -> Self {
        Self { user, seq, show: 12, catalog: "1", id, key: "", fingerprint: "f1", seats }
    }

    fn fields(&self) -> Vec<String> {
        let seats: Vec<_> = self.seats.split(',').map(|seat| seat.split_once(':').unwrap()).collect();
        let mut fields =
            vec![self.user.into(), self.seq.into(), self.show.to_string(), self.catalog.into(), id(self.id)];
        fields.extend([
            request(self.user, "hold", self.key),
            self.fingerprint.into(),
            seats.len().to_string(),
        ]);
        fields.extend(seats.into_iter().flat_map(|(index, price)| [index.to_owned(), price.to_owned()]));
        fields
    }
}

/// A request of `pay`; the default is show 12, partition `w00`, without a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pay<'a> {
    pub(crate) user: &'a str,
    pub(crate) show: u32,
    pub(crate) id: &'a str,
    pub(crate) payment: &'a str,
    pub(crate) wallet: &'a str,
    pub(crate) key: &'a str,
    pub(crate) fingerprint: &'a str,
}

impl<'a> Pay<'a> {
    pub(crate) fn new(user: &'a str, id: &'a str, payment: &'a str) -> Self {
        Self { user, show: 12, id, payment, wallet: "w00", key: "", fingerprint: "f2" }
    }

    fn fields(&self) -> Vec<String> {
        let key = request(self.user, "pay", self.key);
        let ids = [id(self.id), id(self.payment)];
        let [reservation, payment] = ids;
        let show = self.show.to_string();
        vec![self.user.into(), show, reservation, payment, self.wallet.into(), key, self.fingerprint.into()]
    }
}

/// A request of `authorise`; the default is show 12, without a key, a hold of ten minutes at least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authorise<'a> {
    pub(crate) user: &'a str,
    pub(crate) show: u32,
    pub(crate) id: &'a str,
    pub(crate) payment: &'a str,
    pub(crate) key: &'a str,
    pub(crate) fingerprint: &'a str,
}

impl<'a> Authorise<'a> {
    pub(crate) fn new(user: &'a str, id: &'a str, payment: &'a str) -> Self {
        Self { user, show: 12, id, payment, key: "", fingerprint: "f5" }
    }

    fn fields(&self) -> Vec<String> {
        let (key, stretch) = (request(self.user, "pay", self.key), "600000".to_owned());
        let [reservation, payment] = [id(self.id), id(self.payment)];
        let show = self.show.to_string();
        vec![self.user.into(), show, reservation, payment, key, self.fingerprint.into(), stretch]
    }
}

/// A request of `refund`; the default is all that is left of a reservation of show 12 whose owner is in `w00`, asked for by `boss`
/// without a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refund<'a> {
    pub(crate) user: &'a str,
    pub(crate) show: u32,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) wallet: &'a str,
    pub(crate) key: &'a str,
    pub(crate) fingerprint: &'a str,
    pub(crate) by: &'a str,
    /// `index,…`; empty: all.
    pub(crate) seats: &'a str,
}

impl<'a> Refund<'a> {
    pub(crate) fn new(user: &'a str, id: &'a str, name: &'a str, seats: &'a str) -> Self {
        Self { user, show: 12, id, name, wallet: "w00", key: "", fingerprint: "f4", by: "boss", seats }
    }

    fn fields(&self) -> Vec<String> {
        let key = request(self.by, "refund", self.key);
        let [reservation, refund] = [id(self.id), id(self.name)];
        let (user, show, wallet) = (self.user.into(), self.show.to_string(), self.wallet.into());
        let (fingerprint, by, seats) = (self.fingerprint.into(), self.by.into(), self.seats.into());
        vec![user, show, reservation, refund, wallet, key, fingerprint, by, seats]
    }
}

/// A request of `block`; the default blocks seats of show 12 under a key of `boss`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) word: &'a str,
    pub(crate) show: u32,
    pub(crate) key: &'a str,
    pub(crate) fingerprint: &'a str,
    /// Empty: the key is the server's own.
    pub(crate) by: &'a str,
    /// `index,…`
    pub(crate) seats: &'a str,
}

impl<'a> Block<'a> {
    pub(crate) fn new(key: &'a str, seats: &'a str) -> Self {
        Self { word: "blocked", show: 12, key, fingerprint: "f5", by: "boss", seats }
    }

    pub(crate) fn back(key: &'a str, seats: &'a str) -> Self {
        Self { word: "unblocked", ..Self::new(key, seats) }
    }

    fn fields(&self) -> Vec<String> {
        let key = request(self.by, "block", self.key);
        let seats: Vec<_> = self.seats.split(',').map(str::to_owned).collect();
        let mut fields = vec![self.word.into(), self.show.to_string(), key, self.fingerprint.into()];
        fields.extend([self.by.into(), seats.len().to_string()]);
        fields.extend(seats);
        fields
    }
}

/// A request of `charge`; the default is a user's own in partition `w00`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge<'a> {
    pub(crate) wallet: &'a str,
    pub(crate) user: &'a str,
    pub(crate) id: &'a str,
    pub(crate) amount: &'a str,
    pub(crate) key: &'a str,
    pub(crate) fingerprint: &'a str,
    pub(crate) by: &'a str,
    /// What the server would refuse; empty: nothing.
    pub(crate) refusal: &'a str,
}

impl<'a> Charge<'a> {
    pub(crate) fn new(user: &'a str, id: &'a str, amount: &'a str, key: &'a str) -> Self {
        Self { wallet: "w00", user, id, amount, key, fingerprint: "f3", by: user, refusal: "" }
    }

    /// The request id: whose it is, then whose balance.
    pub(crate) fn request(&self) -> String {
        request(self.by, "charge", &format!("{}:{}{}", self.user.len(), self.user, self.key))
    }

    fn fields(&self) -> Vec<String> {
        let key = self.request();
        let (wallet, user, amount) = (self.wallet.into(), self.user.into(), self.amount.into());
        let (fingerprint, by, refusal) = (self.fingerprint.into(), self.by.into(), self.refusal.into());
        vec![wallet, user, id(self.id), amount, key, fingerprint, by, refusal]
    }
}

pub(super) fn batch(verb: &'static str, requests: impl Iterator<Item = Vec<String>>) -> Call {
    let requests: Vec<_> = requests.collect();
    let fields: Vec<Vec<&str>> =
        requests.iter().map(|fields| fields.iter().map(String::as_str).collect()).collect();
    Call::batch(verb, &fields.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn without_repeats(shows: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut shows: Vec<_> = shows.collect();
    shows.sort_unstable();
    shows.dedup();
    shows
}

pub(super) fn partitions<'a>(wallets: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let numbers = without_repeats(wallets.map(|name| name[1..].parse().unwrap()));
    numbers.into_iter().map(|number| u8::try_from(number).unwrap()).collect()
}

/// A batch of holds with the keys of their shows.
pub(crate) fn hold(requests: &[Hold<'_>]) -> Call {
    batch("hold", requests.iter().map(Hold::fields))
        .shows(&without_repeats(requests.iter().map(|hold| hold.show)))
}

/// A batch of payments with the keys of their shows and partitions.
pub(crate) fn pay(requests: &[Pay<'_>]) -> Call {
    batch("pay", requests.iter().map(Pay::fields))
        .shows(&without_repeats(requests.iter().map(|pay| pay.show)))
        .wallets(&partitions(requests.iter().map(|pay| pay.wallet)))
}

/// A batch of card payments that begin, with the keys of their shows.
pub(crate) fn authorise(requests: &[Authorise<'_>]) -> Call {
    batch("authorise", requests.iter().map(Authorise::fields))
        .shows(&without_repeats(requests.iter().map(|request| request.show)))
}

/// A batch of what the gateway says: payment, partition, verdict; with the keys of both shows.
pub(crate) fn confirm(requests: &[(&str, &str, &str)]) -> Call {
    let fields = |&(short, wallet, verdict): &(&str, &str, &str)| {
        vec![id(short), wallet.to_owned(), verdict.to_owned()]
    };
    batch("confirm", requests.iter().map(fields))
        .shows(&[12, 13])
        .wallets(&partitions(requests.iter().map(|request| request.1)))
}

/// A batch of what the gateway did: payment, `captured` or `voided`.
pub(crate) fn settle(requests: &[(&str, &str)]) -> Call {
    batch("settle", requests.iter().map(|&(short, done)| vec![id(short), done.to_owned()]))
}

/// A batch of refunds with the keys of their shows and partitions.
pub(crate) fn refund(requests: &[Refund<'_>]) -> Call {
    batch("refund", requests.iter().map(Refund::fields))
        .shows(&without_repeats(requests.iter().map(|refund| refund.show)))
        .wallets(&partitions(requests.iter().map(|refund| refund.wallet)))
}

/// A batch of blockings with the keys of their shows.
pub(crate) fn block(requests: &[Block<'_>]) -> Call {
    batch("block", requests.iter().map(Block::fields))
        .shows(&without_repeats(requests.iter().map(|block| block.show)))
}

/// A batch of charges with the keys of their partitions.
pub(crate) fn charge(requests: &[Charge<'_>]) -> Call {
    batch("charge", requests.iter().map(Charge::fields))
        .without_concert()
        .wallets(&partitions(requests.iter().map(|charge| charge.wallet)))
}

/// A batch of releases: user, show, reservation.
pub(crate) fn release(requests: &[(&str, u32, &str)]) -> Call {
    let fields =
        |&(user, show, short): &(&str, u32, &str)| vec![user.to_owned(), show.to_string(), id(short)];
    batch("release", requests.iter().map(fields))
        .shows(&without_repeats(requests.iter().map(|request| request.1)))
}

/// A batch of `verb` that takes reservations only, with the keys of both shows.
pub(crate) fn reservations(verb: &'static str, shorts: &[&str]) -> Call {
    let call = batch(verb, shorts.iter().map(|short| vec![id(short)]));
    if verb == "expire" { call.shows(&[12, 13]) } else { call }
}

/// A world on sale, whose every state is compared with what its logs tell.
pub(crate) struct Sale {
    pub(crate) world: World,
}

impl Sale {
    /// Shows 12 and 13 of ten seats each, room for everybody, the wallets empty; at the beginning of the clock.
    pub(crate) async fn open() -> Self {
        let mut world = World::on_sale(10).await;
        world.open_show(13, 10);
        world.policy(&[("max_active", "1000"), ("admit_per_second", "100000")]);
        for wallet in WALLETS {
            world.open_log(wallet, &[]);
        }
        Self { world }
    }

    /// As [`Sale::open`]; these users have joined, and are active and claimed under the numbers from 1 on.
    pub(crate) async fn with(users: &[&str]) -> Self {
        let mut sale = Self::open().await;
        sale.join(users);
        sale
    }

    /// Users join and come in at once.
    pub(crate) fn join(&mut self, users: &[&str]) {
        let requests: Vec<_> = users.iter().map(std::slice::from_ref).collect();
        let step = self.run(&Call::batch("join", &requests));
        assert!(step.outcomes.iter().all(|outcome| outcome.starts_with("active ")), "{step:?}");
    }

    /// The clock stands there, ms from the beginning.
    pub(crate) fn at(&mut self, ms: i64) {
        self.world.at(ms);
    }

    /// Runs a call, and checks the whole state against the logs.
    #[track_caller]
    pub(crate) fn run(&mut self, call: &Call) -> Step {
        let step = self.run_aside(call);
        tells_all(&self.world.state(), &WALLETS);
        step
    }

    /// Runs a call on a state that holds what no log tells: written by the test, or tidied.
    #[track_caller]
    pub(crate) fn run_aside(&mut self, call: &Call) -> Step {
        let step = self.world.run(call);
        let short = |lines: Vec<String>| lines.iter().map(|line| line.replace(ID_ZEROS, "")).collect();
        Step { outcomes: short(step.outcomes), events: short(step.events), changes: short(step.changes) }
    }

    /// Puts this much into a user's balance in `w00`, by a request of his own.
    pub(crate) fn fund(&mut self, user: &str, amount: &str) {
        let key = format!("fund {amount}");
        let step = self.run(&charge(&[Charge::new(user, "c0", amount, &key)]));
        assert!(step.outcome().starts_with("charged "), "{step:?}");
    }

    /// Holds seats (`index:price,…`) of show 12.
    pub(crate) fn held(&mut self, user: &str, seq: &str, id: &str, seats: &str) {
        let step = self.run(&hold(&[Hold::new(user, seq, id, seats)]));
        assert!(step.outcome().starts_with("held "), "{step:?}");
    }

    /// The value at a path, shortened; `-` if there is none.
    pub(crate) fn get(&mut self, path: &str) -> String {
        self.world.state().get(path).unwrap_or("-").replace(ID_ZEROS, "")
    }
}
