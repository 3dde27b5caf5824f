//! `top_up`, `credit`, `snapshot_top_ups`: money comes from the gateway once, or not at all.

use super::call::{Call, Seen};
use super::promise::a_throw_leaves_no_trace;
use super::sale::{Charge, Sale, batch, charge, id, partitions, request};

/// 2^53 - 1: the most that a balance can be.
const MOST: &str = "9007199254740991";

/// A request of `top_up`; the default is in partition `w00`, given up after a minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopUp<'a> {
    wallet: &'a str,
    user: &'a str,
    id: &'a str,
    amount: &'a str,
    key: &'a str,
    fingerprint: &'a str,
    refusal: &'a str,
}

impl<'a> TopUp<'a> {
    pub(super) fn new(user: &'a str, id: &'a str, amount: &'a str, key: &'a str) -> Self {
        Self { wallet: "w00", user, id, amount, key, fingerprint: "f6", refusal: "" }
    }

    fn fields(&self) -> Vec<String> {
        let key = request(self.user, "topup", self.key);
        let [wallet, user, amount] = [self.wallet, self.user, self.amount].map(str::to_owned);
        let [currency, within, fingerprint, refusal] =
            ["KRW", "60000", self.fingerprint, self.refusal].map(str::to_owned);
        vec![wallet, user, id(self.id), amount, currency, within, key, fingerprint, refusal]
    }
}

pub(super) fn top_up(requests: &[TopUp<'_>]) -> Call {
    batch("top_up", requests.iter().map(TopUp::fields))
        .without_concert()
        .wallets(&partitions(requests.iter().map(|request| request.wallet)))
        .top_ups()
}

/// Partition, user, charge, what the gateway says.
pub(super) fn credit(requests: &[(&str, &str, &str, &str)]) -> Call {
    let fields = |&(wallet, user, short, said): &(&str, &str, &str, &str)| {
        vec![wallet.to_owned(), user.to_owned(), id(short), said.to_owned()]
    };
    batch("credit", requests.iter().map(fields))
        .without_concert()
        .wallets(&partitions(requests.iter().map(|request| request.0)))
        .top_ups()
}

/// What the gateway says of `c1` of `a`.
pub(super) fn said(said: &'static str) -> Call {
    credit(&[("w00", "a", "c1", said)])
}

/// `a` has 500, and charges 10,000 more as `c1` under the key `k` since 1,000.
pub(super) async fn begun() -> Sale {
    let mut sale = Sale::open().await;
    sale.fund("a", "500");
    sale.at(1000);
    let step = sale.run(&top_up(&[TopUp::new("a", "c1", "10000", "k")]));
    assert!(step.outcome().starts_with("begun c1 "), "{step:?}");
    sale
}

#[tokio::test]
async fn all_that_a_top_up_writes_on_its_way_to_the_balance() {
    let mut sale = Sale::open().await;
    sale.fund("a", "500");
    sale.at(1000);
    sale.run(&top_up(&[TopUp::new("a", "c1", "10000", "k")])).is(
        &["begun c1 open authorising 10000 KRW T+61000 T+1000 a"],
        &["w00 charging c1 1:a 10000 KRW T+61000 10:1:atopup:k f6"],
        &[
            "w00:idem/1:atopup:k: f6 c1",
            "w00:idem_end/1:atopup:k: T+86401000",
            "w00:idem_user/a: 2",
            "w00:top_ups/c1: authorising 10000 KRW T+61000 T+1000 a",
        ],
    );
    sale.run(&said("pending")).refuses(&["pending"]);
    sale.at(2000);
    sale.run(&said("authorised")).is(
        &["capture"],
        &["w00 capturing c1 1:a"],
        &["w00:top_ups/c1: capture 10000 KRW T+61000 T+2000 a"],
    );
    sale.at(3000);
    for again in ["pending", "authorised", "declined"] {
        sale.run(&said(again)).refuses(&["capture"]);
    }
    sale.run(&said("captured")).is(
        &["credited credited 10000 10500"],
        &["w00 credited c1 1:a 10000 10500"],
        &[
            "w00:balances/a: 10500 T+3000",
            "w00:idem/1:aended:c1: - credited 10000 10500",
            "w00:idem_end/1:aended:c1: T+86403000",
            "w00:top_ups/c1: gone",
        ],
    );
    for again in ["captured", "voided", "authorised", "declined", "pending"] {
        sale.run(&said(again)).refuses(&["ended credited 10000 10500"]);
    }
}

#[tokio::test]
async fn what_is_given_up_leaves_the_balance_as_it_was() {
    for (verdict, ms, reason) in
        [("declined", 2000, "declined"), ("pending", 61_000, "expired"), ("authorised", 61_000, "expired")]
    {
        let mut sale = begun().await;
        sale.at(ms);
        sale.run(&said(verdict)).is(
            &["void"],
            &[&format!("w00 voiding c1 1:a {reason}")],
            &[&format!("w00:top_ups/c1: {reason} 10000 KRW T+61000 T+{ms} a")],
        );
        for again in ["pending", "authorised", "declined"] {
            sale.run(&said(again)).refuses(&["void"]);
        }
        sale.run(&said("voided")).is(
            &[&format!("voided {reason} 10000")],
            &[&format!("w00 voided c1 1:a 10000 {reason}")],
            &[
                &format!("w00:idem/1:aended:c1: - {reason} 10000"),
                &format!("w00:idem_end/1:aended:c1: T+{}", 86_400_000 + ms),
                "w00:top_ups/c1: gone",
            ],
        );
        for again in ["captured", "voided", "authorised"] {
            sale.run(&said(again)).refuses(&[&format!("ended {reason} 10000")]);
        }
    }
}

/// The bound is that of the authorisation: what is to be captured stays so.
#[tokio::test]
async fn a_top_up_may_be_authorised_before_its_end_and_not_at_it() {
    let mut sale = begun().await;
    sale.at(60_999);
    assert_eq!(sale.run(&said("authorised")).outcome(), "capture");
    sale.at(61_000);
    sale.run(&said("pending")).refuses(&["capture"]);
    assert_eq!(sale.run(&said("captured")).outcome(), "credited credited 10000 10500");
}

/// What has happened at the gateway counts, whatever had been decided here.
#[tokio::test]
async fn the_gateways_last_word_counts() {
    let mut sale = begun().await;
    let saved = sale.world.save();
    assert_eq!(sale.run(&said("captured")).outcome(), "credited credited 10000 10500");
    sale.world.load(&saved);
    assert_eq!(sale.run(&said("voided")).outcome(), "voided declined 10000");
    sale.world.load(&saved);
    sale.run(&said("authorised"));
    assert_eq!(sale.run(&said("voided")).outcome(), "voided refused 10000");
    sale.world.load(&saved);
    sale.run(&said("declined"));
    assert_eq!(sale.run(&said("captured")).outcome(), "credited credited 10000 10500");
}

#[tokio::test]
async fn refusals_to_begin_in_order_of_precedence() {
    let mut sale = begun().await;
    let world = &mut sale.world;
    world.command(&["HSET", "{w00}:idem_user", "a", "1000"]);
    let mut asked = TopUp { fingerprint: "f9", ..TopUp::new("a", "c2", MOST, "k") };
    let level = world.seen("w00");
    let lost = format!("log_lost w00 {} {}", level.number, level.mark);
    let beyond = Seen { number: level.number + 1, ..level };
    world.run(&top_up(&[asked]).seen("w00", beyond.clone())).refuses(&[&lost]);
    world.run(&said("captured").seen("w00", beyond.clone())).refuses(&[&lost]);
    let page = Call::one("snapshot_top_ups", &["0"]).without_concert().wallets(&[0]).top_ups();
    world.run(&page.seen("w00", beyond)).refuses(&[&lost]);
    world.run(&top_up(&[asked])).refuses(&["idempotency_key_reused"]);
    asked.key = "k2";
    world.run(&top_up(&[asked])).refuses(&["rate_limited"]);
    world.command(&["HSET", "{w00}:idem_user", "a", "2"]);
    for refusal in
        ["queue_token_not_active 12", "queue_token_expired", "queue_token_invalid", "sales_stopped"]
    {
        world.run(&top_up(&[TopUp { refusal, ..asked }])).refuses(&[refusal]);
    }
    world.run(&top_up(&[asked])).refuses(&["amount_out_of_range"]);
    asked.amount = "9007199254740491";
    let step = sale.run(&top_up(&[asked]));
    assert_eq!(step.outcome(), "begun c2 open authorising 9007199254740491 KRW T+61000 T+1000 a");
}

#[tokio::test]
async fn a_beginning_sent_again_tells_how_far_it_is() {
    let mut sale = begun().await;
    let first = TopUp::new("a", "c1", "10000", "k");
    let again = top_up(&[TopUp { id: "c9", refusal: "queue_token_expired", ..first }, first]);
    let open = |state: &str, at: &str| format!("replayed c1 open {state} 10000 KRW T+61000 T+{at} a");
    let two = |outcome: &str, sale: &mut Sale| sale.run(&again).refuses(&[outcome, outcome]);
    two(&open("authorising", "1000"), &mut sale);
    sale.at(2000);
    sale.run(&said("authorised"));
    two(&open("capture", "2000"), &mut sale);
    sale.run(&said("captured"));
    two("replayed c1 ended credited 10000 10500", &mut sale);
    let step =
        sale.run(&top_up(&[TopUp { id: "c2", key: "k2", ..first }, TopUp { user: "b", id: "c3", ..first }]));
    assert!(step.outcomes.iter().all(|outcome| outcome.starts_with("begun ")), "{step:?}");
}

#[tokio::test]
async fn nothing_is_told_of_anothers_or_unknown_top_up() {
    let mut sale = begun().await;
    sale.run(&credit(&[("w00", "b", "c1", "captured"), ("w00", "a", "c9", "captured")]))
        .refuses(&["not_found", "not_found"]);
    sale.run(&said("captured"));
    sale.run(&credit(&[("w00", "b", "c1", "captured")])).refuses(&["not_found"]);
}

/// Money that was taken is never refused: it waits until there is room.
#[tokio::test]
async fn captured_money_waits_for_room_in_the_balance() {
    let mut sale = begun().await;
    sale.run(&said("authorised"));
    sale.run(&charge(&[Charge::new("a", "d1", "9007199254730492", "k")]));
    sale.run(&said("captured")).refuses(&["amount_out_of_range"]);
    sale.world.command(&["HSET", "{w00}:balances", "a", "9007199254730991 1900000000000"]);
    assert_eq!(sale.run_aside(&said("captured")).outcome(), format!("credited credited 10000 {MOST}"));
}

#[tokio::test]
async fn an_end_is_forgotten_a_day_later_and_the_top_up_is_not() {
    let mut sale = begun().await;
    sale.run(&top_up(&[TopUp::new("a", "c2", "10000", "k2")]));
    sale.at(5000);
    sale.run(&said("captured"));
    let tidy = Call::one("tidy_wallet", &[]).without_concert().wallets(&[0]);
    sale.at(86_404_999);
    sale.run_aside(&tidy);
    sale.run_aside(&said("captured")).refuses(&["ended credited 10000 10500"]);
    sale.at(86_405_000);
    sale.run_aside(&tidy);
    sale.run_aside(&said("captured")).refuses(&["not_found"]);
    assert_eq!(sale.get("w00:idem_user/a"), "-");
    let step = sale.run_aside(&credit(&[("w00", "a", "c2", "captured")]));
    assert_eq!(step.outcome(), "credited credited 10000 20500");
}

#[tokio::test]
async fn a_page_has_what_is_open() {
    let mut sale = begun().await;
    let page = Call::one("snapshot_top_ups", &["0"]).without_concert().wallets(&[0]).top_ups();
    sale.run(&page).refuses(&["top_ups 0 1 c1 authorising 10000 KRW T+61000 T+1000 a"]);
    sale.run(&said("captured"));
    sale.run(&page).refuses(&["top_ups 0 0"]);
}

/// A partition that was lost stops only its own users; one that throws, only itself.
#[tokio::test]
async fn each_request_of_a_batch_stands_alone() {
    let mut sale = begun().await;
    let in_w01 = |id, key| TopUp { wallet: "w01", ..TopUp::new("b", id, "20000", key) };
    let call = top_up(&[
        TopUp::new("a", "c1", "10000", "k"),
        TopUp::new("a", "c2", "10000", "k2"),
        TopUp { id: "c3", ..TopUp::new("a", "c2", "10000", "k2") },
        in_w01("c4", "k"),
        in_w01("c5", "k2"),
        TopUp { fingerprint: "f9", ..in_w01("c6", "k2") },
    ]);
    a_throw_leaves_no_trace(&mut sale.world, &call);
    let level = sale.world.seen("w00");
    let saved = sale.world.save();
    let step = sale.run(&call.clone().seen("w00", Seen { number: level.number + 1, ..level.clone() }));
    let lost: Vec<_> = step.outcomes.iter().map(|outcome| outcome.starts_with("log_lost ")).collect();
    assert_eq!(lost, [true, true, true, false, false, false]);
    sale.world.load(&saved);
    sale.run(&call);
    let call = credit(&[
        ("w00", "a", "c1", "authorised"),
        ("w00", "a", "c1", "captured"),
        ("w00", "a", "c1", "captured"),
        ("w00", "a", "c2", "declined"),
        ("w00", "a", "c2", "voided"),
        ("w01", "b", "c4", "captured"),
        ("w01", "b", "c5", "pending"),
        ("w01", "b", "c5", "captured"),
        ("w01", "a", "c5", "captured"),
    ]);
    a_throw_leaves_no_trace(&mut sale.world, &call);
    let step = sale.run(&call);
    assert_eq!(
        step.outcomes[5..8],
        ["credited credited 20000 20000", "pending", "credited credited 20000 40000"]
    );
}
