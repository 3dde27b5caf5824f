//! No script call touches more elements than its header says, with a million people in line and 50,000 seats: counted, not
//! timed, each verb at its largest batch.
//!
//! A header's bound stands behind `touches` in its COST: `<n>`, `<n> a <thing>`, …, added up.

mod crowd;

use std::fmt::Write as _;

use self::crowd::{Crowd, SEATS, Told, policy_fields};
use crate::lua::call::Call;
use crate::lua::script;

/// The weight of one batch, as `coalesce.batch_weight` has it by default.
const BATCH_WEIGHT: u32 = 64;

/// A measured call: what it was, how many of each thing it carried, what it touched.
struct Row {
    verb: String,
    what: &'static str,
    bound: u64,
    touched: u64,
    micros: u64,
}

/// The calls so far.
struct Table {
    crowd: Crowd,
    rows: Vec<Row>,
}

/// The bound in the header of a verb for so many of each thing.
fn bound(verb: &str, things: &[(&str, u64)]) -> u64 {
    let source = script::source(verb);
    let header = source
        .lines()
        .skip_while(|line| !line.starts_with("-- COST"))
        .take_while(|line| line.starts_with("--"));
    let words =
        header.flat_map(|line| line.trim_start_matches('-').split_whitespace()).collect::<Vec<_>>().join(" ");
    let (_, terms) = words.split_once("touches ").unwrap_or_else(|| panic!("{verb} states no bound"));
    let term = |term: &str| {
        let (number, thing) =
            term.trim().split_once(" a ").map_or((term.trim(), None), |(n, a)| (n, Some(a)));
        let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("{verb}: {term}"));
        let count = thing
            .map_or(1, |thing| things.iter().find(|(name, _)| *name == thing).map_or(0, |found| found.1));
        number * count
    };
    terms.split('+').map(term).sum()
}

/// `0` to `count` - 1, each made a request; calls want them borrowed.
fn batch(verb: &'static str, count: u32, fields: impl Fn(u32) -> Vec<String>) -> Call {
    let requests: Vec<_> = (0..count).map(fields).collect();
    let fields: Vec<Vec<&str>> =
        requests.iter().map(|fields| fields.iter().map(String::as_str).collect()).collect();
    Call::batch(verb, &fields.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn id(number: u32) -> String {
    format!("{number:020}")
}

/// A hold of these seats by a user without a place, under a key of his own.
fn hold(show: u32, user: &str, number: u32, seats: impl Iterator<Item = u32>) -> Vec<String> {
    let request = format!("{}:{user}hold:new{number}", user.len());
    let mut fields = vec![user.to_owned(), String::new(), show.to_string(), "1".to_owned()];
    fields.extend([id(2_000_000 + number), request, "f".to_owned()]);
    let seats: Vec<_> = seats.flat_map(|seat| [seat.to_string(), "10".to_owned()]).collect();
    fields.push((seats.len() / 2).to_string());
    fields.extend(seats);
    fields
}

/// Holds of a seat of show 12 each, numbered from `first` on; `of` tells user and seat.
fn holds_of(count: u32, first: u32, of: impl Fn(u32) -> (String, u32)) -> Call {
    let fields = |i| {
        let (user, seat) = of(i);
        hold(12, &user, first + i, std::iter::once(seat))
    };
    batch("hold", count, fields).shows(&[12])
}

/// A change of one field of the policy.
fn policy(base: u32, field: &str, value: &str) -> Call {
    let mut arguments: Vec<_> =
        [base.to_string(), "{}".to_owned()].into_iter().chain(policy_fields()).collect();
    let at = arguments.iter().position(|argument| argument == field).unwrap();
    value.clone_into(&mut arguments[at + 1]);
    Call::one("policy", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn pay(user: &str, reservation: u32) -> Vec<String> {
    let request = format!("{}:{user}pay:new{reservation}", user.len());
    let wallet = format!("w{:02}", reservation % 4);
    let (reservation, payment) = (id(reservation), id(3_000_000 + reservation));
    vec![user.to_owned(), "12".to_owned(), reservation, payment, wallet, request, "f".to_owned()]
}

impl Table {
    /// Runs a call that must answer so many times `outcome`, and notes what it touched.
    fn run(
        &mut self,
        what: &'static str,
        call: &Call,
        (outcome, times): (&str, u32),
        things: &[(&str, u64)],
    ) -> Vec<String> {
        let Told { outcomes, touched } = self.crowd.run(call);
        let told = outcomes.iter().filter(|told| told.split(' ').next() == Some(outcome)).count();
        assert_eq!(u32::try_from(told).unwrap(), times, "{} ({what}): {:?}", call.verb, &outcomes[..1]);
        self.note(call.verb, what, touched, things);
        outcomes
    }

    fn note(&mut self, verb: &str, what: &'static str, touched: u64, things: &[(&str, u64)]) {
        let (bound, micros) = (bound(verb, things), self.crowd.last_micros());
        self.rows.push(Row { verb: verb.to_owned(), what, bound, touched, micros });
    }

    fn line(&mut self) {
        let all = (BATCH_WEIGHT, u64::from(BATCH_WEIGHT));
        let requests = [("request", all.1)];
        let of = |verb, prefix: &'static str, first: u32| {
            batch(verb, all.0, move |i| {
                let number = first + 3 * i;
                let user = format!("{prefix}{number}");
                if verb == "join" { vec![user] } else { vec![user, number.to_string()] }
            })
        };
        self.run("new in line", &of("join", "new", 1), ("waiting", all.0), &requests);
        self.run("known in line", &of("join", "waiting", 1), ("waiting", all.0), &requests);
        self.run("not claimed, again in line", &of("join", "active", 1), ("waiting", all.0), &requests);
        self.run("active", &of("join", "active", 2), ("active", all.0), &requests);
        self.run("active", &of("claim", "active", 602), ("active", all.0), &requests);
        self.run("over", &of("claim", "active", 603), ("queue_token_expired", all.0), &requests);
        let waiting = batch("claim", all.0, |i| vec![format!("waiting{}", i + 1), (20_001 + i).to_string()]);
        self.run("in line", &waiting, ("waiting", all.0), &requests);
        self.run("active", &of("leave", "active", 1202), ("left", all.0), &requests);
        let waiting = batch("leave", all.0, |i| vec![format!("waiting{}", i + 1), (20_001 + i).to_string()]);
        self.run("in line", &waiting, ("left", all.0), &requests);
        let outcomes =
            self.run("two hundred over, a hundred next", &Call::one("admit", &[]), ("admitted", 1), &[]);
        assert_eq!(outcomes, ["admitted 100 200 1"]);
    }

    fn holds(&mut self) {
        let all = (BATCH_WEIGHT, u64::from(BATCH_WEIGHT));
        let each = [("request", all.1), ("seat", all.1), ("show", 1)];
        let free = holds_of(all.0, 0, |i| (format!("h{i}"), 30_000 + i));
        self.run("a free seat each", &free, ("held", all.0), &each);
        let fifty = |i| hold(12, &format!("g{i}"), 1000 + i, (0..50).map(|n| 31_000 + 50 * i + n));
        let things = [("request", 2), ("seat", 100), ("show", 1)];
        self.run("fifty free seats each", &batch("hold", 2, fifty).shows(&[12]), ("held", 2), &things);
        // Every other hold of four is over.
        let over = holds_of(all.0, 2000, |i| (format!("o{i}"), 4 * (1001 + 2 * i)));
        // One call gives back 64 seats.
        let freed = [("hold found over", 16), ("seat of one", 64)];
        let things = [each.as_slice(), &freed].concat();
        self.run("a seat each of four that are over", &over, ("held", 16), &things);
        let taken = holds_of(all.0, 3000, |i| (format!("t{i}"), 4 * (1000 + 2 * i)));
        self.run("a taken seat each", &taken, ("seat_unavailable", all.0), &each);
        let many: Vec<_> = (0..1000).map(|i| (34_000 + i).to_string()).collect();
        for word in ["blocked", "unblocked"] {
            let request = format!("4:bossblock:{word}");
            let mut fields = vec![word, "12", &request, "f", "boss", "1000"];
            fields.extend(many.iter().map(String::as_str));
            let things = [("request", 1), ("seat", 1000), ("show", 1)];
            let call = Call::batch("block", &[&fields]).shows(&[12]);
            self.run("a thousand seats", &call, (word, 1), &things);
        }
        let lapsed: Vec<_> = (0..100).map(|i| (4 * (2601 + 2 * i)).to_string()).collect();
        let mut fields = vec!["blocked", "12", "4:bossblock:lapsed", "f", "boss", "100"];
        fields.extend(lapsed.iter().map(String::as_str));
        let things =
            [("request", 1), ("seat", 100), ("show", 1), ("hold found over", 16), ("seat of one", 64)];
        let call = Call::batch("block", &[&fields]).shows(&[12]);
        self.run("a seat each of a hundred holds that are over", &call, ("again", 1), &things);
        let shows: Vec<_> = (100..100 + all.0).collect();
        for show in &shows {
            self.crowd.run(&Call::one("open_show", &[&show.to_string(), "10", "1"]).shows(&[*show]));
        }
        let many = batch("hold", all.0, |i| hold(100 + i, &format!("s{i}"), 4000 + i, std::iter::once(7)));
        let things = [("request", all.1), ("seat", all.1), ("show", all.1)];
        self.run("a free seat each of a show of its own", &many.shows(&shows), ("held", all.0), &things);
    }

    /// Buyers hold eight single seats each; those of the first 160 are over.
    fn holds_at_the_limit(&mut self) {
        let all = (BATCH_WEIGHT, u64::from(BATCH_WEIGHT));
        let each = [("request", all.1), ("seat", all.1), ("show", 1), ("hold of the user", 8 * all.1)];
        self.run("all fields", &policy(1, "max_seats_per_user", "8"), ("changed", 1), &[]);
        let live = holds_of(all.0, 5000, |i| (format!("buyer{}", 161 + i), 33_000 + i));
        self.run("a free seat each, eight held", &live, ("purchase_limit", all.0), &each);
        let over = holds_of(all.0, 6000, |i| (format!("buyer{}", 1 + i), 33_000 + i));
        let freed = [("hold found over", 64), ("seat of one", 64)];
        let things = [each.as_slice(), &freed].concat();
        // The eighth has given back the last eight and comes again for his seat.
        self.run("a free seat each, eight held that are over", &over, ("held", 7), &things);
    }

    /// Nobody waits, and the room is full, of two hundred places that are over among others.
    fn full_room(&mut self) {
        self.crowd.empty_the_line();
        let active = self.crowd.active().to_string();
        self.crowd.run(&policy(2, "max_active", &active));
        let new = batch("join", BATCH_WEIGHT, |i| vec![format!("late{i}")]);
        let things = [("request", u64::from(BATCH_WEIGHT)), ("place that is over", 200)];
        self.run("into a full room, two hundred over", &new, ("active", BATCH_WEIGHT), &things);
    }

    fn ends(&mut self) {
        let release = batch("release", BATCH_WEIGHT / 4, |i| {
            let number = 2001 + 2 * i;
            vec![format!("holder{number}"), "12".to_owned(), id(number)]
        });
        let things = [("request", u64::from(BATCH_WEIGHT / 4)), ("seat", u64::from(BATCH_WEIGHT))];
        self.run("four seats each", &release.shows(&[12]), ("released", BATCH_WEIGHT / 4), &things);
        let due = Call::one("due", &["100"]);
        self.run("a hundred", &due, ("due", 100), &[("reservation", 100)]);
        let expire = batch("expire", 100, |i| vec![id(3000 + 2 * i)]).shows(&[12]);
        self.run("four seats each", &expire, ("expired", 100), &[("request", 100), ("seat", 400)]);
        let all = (BATCH_WEIGHT, u64::from(BATCH_WEIGHT));
        let read = batch("reservation", all.0, |i| vec![id(1 + i)]);
        self.run("one each", &read, ("found", all.0), &[("request", all.1)]);
    }

    fn money(&mut self) {
        let all = (BATCH_WEIGHT, u64::from(BATCH_WEIGHT));
        let partitions = [0, 1, 2, 3];
        let four = batch("pay", all.0, |i| pay(&format!("holder{}", 3501 + 2 * i), 3501 + 2 * i));
        let things = [("request", all.1), ("seat", 4 * all.1), ("partition", 4)];
        self.run("four seats each", &four.shows(&[12]).wallets(&partitions), ("paid", all.0), &things);
        let eight = batch("pay", all.0, |i| pay(&format!("buyer{}", 161 + i), 5001 + 8 * (160 + i)));
        let things = [("request", all.1), ("seat", all.1), ("partition", 4), ("hold of the user", 8 * all.1)];
        self.run(
            "a seat each, with eight holds",
            &eight.shows(&[12]).wallets(&partitions),
            ("paid", all.0),
            &things,
        );
        let refund = batch("refund", all.0, |i| {
            let mut fields = pay(&format!("holder{}", 3501 + 2 * i), 3501 + 2 * i);
            fields[5] = format!("4:bossrefund:new{i}");
            fields.extend(["boss".to_owned(), String::new()]);
            fields
        });
        let things = [("request", all.1), ("seat", 4 * all.1), ("partition", 4)];
        self.run("four seats each", &refund.shows(&[12]).wallets(&partitions), ("refunded", all.0), &things);
        let authorise = batch("authorise", all.0, |i| {
            let mut fields = pay(&format!("holder{}", 1501 + 2 * i), 1501 + 2 * i);
            fields.remove(4);
            fields.push("900000000".to_owned());
            fields
        });
        let things = [("request", all.1), ("seat", 4 * all.1)];
        self.run("four seats each", &authorise.shows(&[12]), ("authorising", all.0), &things);
        let confirm = batch("confirm", all.0, |i| {
            let number = 1501 + 2 * i;
            vec![id(3_000_000 + number), format!("w{:02}", number % 4), "authorised".to_owned()]
        });
        let things = [("request", all.1), ("seat", 4 * all.1), ("partition", 4)];
        self.run("four seats each", &confirm.shows(&[12]).wallets(&partitions), ("capture", all.0), &things);
        let settle = batch("settle", all.0, |i| vec![id(3_000_000 + 1501 + 2 * i), "captured".to_owned()]);
        self.run("one each", &settle, ("settled", all.0), &[("request", all.1)]);
        let over = batch("pay", all.0, |i| pay(&format!("holder{}", 4002 + 2 * i), 4002 + 2 * i));
        let things = [("request", all.1), ("seat", 4 * all.1), ("partition", 4)];
        self.run(
            "four seats each, over",
            &over.shows(&[12]).wallets(&partitions),
            ("invalid_reservation", all.0),
            &things,
        );
        let charge = batch("charge", all.0, |i| {
            let (user, request) = (format!("holder{}", i + 1), format!("4:casecharge:new{i}"));
            vec![
                format!("w{:02}", i % 4),
                user,
                id(4_000_000 + i),
                "10".to_owned(),
                request,
                "f".into(),
                "case".into(),
                String::new(),
            ]
        });
        let things = [("request", all.1), ("partition", 4)];
        self.run("one each", &charge.without_concert().wallets(&partitions), ("charged", all.0), &things);
        let tidy = Call::one("tidy_wallet", &[]).without_concert().wallets(&partitions);
        self.run("a hundred requests a partition", &tidy, ("tidied", 4), &[("partition", 4)]);
        let page = Call::one("snapshot_wallet", &["0"]).without_concert().wallets(&[1]);
        self.run("a page of balances", &page, ("balances", 1), &[]);
    }

    /// One of the crowd who holds four seats is forgotten.
    fn forgotten(&mut self) {
        let words = ["holder4801", "anon", "forget", "0", "0", "0", "0"];
        let things = [("reservation", 1), ("seat", 4), ("show", 1)];
        self.run("one who holds", &Call::one("forget", &words).shows(&[12]), ("forgotten", 1), &things);
        let wallet = Call::one("forget_wallet", &words[..6]).without_concert().wallets(&[1]).top_ups();
        self.run("a balance", &wallet, ("forgotten", 1), &[]);
    }

    /// Charges through the gateway, each by another user.
    fn top_ups(&mut self) {
        let all = (BATCH_WEIGHT, u64::from(BATCH_WEIGHT));
        let things = [("request", all.1), ("partition", 4)];
        let calls = |verb, fields: &dyn Fn(u32, String, String) -> Vec<String>| {
            let named = |i| fields(i, format!("w{:02}", i % 4), format!("holder{}", i + 1));
            batch(verb, all.0, named).without_concert().wallets(&[0, 1, 2, 3]).top_ups()
        };
        let begin = calls("top_up", &|i, wallet, user| {
            let request = format!("{}:{user}topup:new{i}", user.len());
            let [amount, currency, within, fingerprint] = ["10", "KRW", "900000", "f"].map(str::to_owned);
            let charge = id(5_000_000 + i);
            vec![wallet, user, charge, amount, currency, within, request, fingerprint, String::new()]
        });
        self.run("one each", &begin, ("begun", all.0), &things);
        let page = Call::one("snapshot_top_ups", &["0"]).without_concert().wallets(&[1]).top_ups();
        self.run("a page of them", &page, ("top_ups", 1), &[]);
        for (said, outcome) in [("authorised", "capture"), ("captured", "credited"), ("captured", "ended")] {
            let credit =
                calls("credit", &|i, wallet, user| vec![wallet, user, id(5_000_000 + i), said.to_owned()]);
            self.run(outcome, &credit, (outcome, all.0), &things);
        }
    }

    /// A show of the crowd is cancelled. Every other hold of four is over.
    fn cancelled(&mut self) {
        self.run("a show", &Call::one("cancel", &["12", "rain"]).shows(&[12]), ("cancelled", 1), &[]);
        for (first, holds, what) in [
            ("8000", 25, "a hundred seats, of holds of four"),
            ("31000", 2, "a hundred seats, of holds of fifty"),
            ("40000", 25, "a hundred seats that nobody has"),
        ] {
            let clear = Call::batch("clear", &[&["12", first]]).shows(&[12]);
            self.run(what, &clear, ("cleared", 1), &[("hold", holds), ("seat", 100)]);
        }
    }

    fn upkeep(&mut self) {
        let tidy = Call::one("tidy", &["9000000000000"]);
        let outcomes = self.run("a hundred requests", &tidy, ("tidied", 1), &[]);
        assert_eq!(outcomes, ["tidied 100 0"]);
        let outcomes = self.run("those left, a hundred reservations", &tidy, ("tidied", 1), &[]);
        assert_eq!(outcomes, ["tidied 99 100"]);
        self.run("a thousand entries", &Call::one("trim", &["4000"]), ("trimmed", 1), &[]);
        for (what, outcome, arguments) in [
            ("head", "head", ["head", "", "12"]),
            ("line", "queue", ["queue", "30000", "12"]),
            ("places", "places", ["places", "0", "12"]),
            ("seats", "seats", ["seats", "1000", "12"]),
            ("index of the line", "line", ["line", "0", "12"]),
            ("reservations", "res", ["res", "0", "12"]),
            ("holders", "holder", ["holder", "0", "12"]),
        ] {
            let call = Call::one("snapshot", &arguments).shows(&[12]);
            self.run(what, &call, (outcome, 1), &[("show", 1 + u64::from(BATCH_WEIGHT))]);
        }
        self.run("newer", &Call::one("catalog", &["2"]), ("announced", 1), &[]);
        let show = Call::one("open_show", &["13", "50000", "2"]).shows(&[13]);
        self.run("another of 50,000", &show, ("opened", 1), &[("seat", u64::from(SEATS))]);
        let touched = self.crowd.open_log("c8");
        self.note("open_log", "a concert", touched, &[]);
    }
}

#[tokio::test]
async fn no_call_touches_more_than_its_header_says() {
    let mut table = Table { crowd: Crowd::gather().await, rows: Vec::new() };
    table.line();
    table.holds();
    table.holds_at_the_limit();
    table.ends();
    table.money();
    table.forgotten();
    table.top_ups();
    table.upkeep();
    table.full_room();
    table.cancelled();
    let mut text = String::from("touched   bound  CPU µs\n");
    for Row { verb, what, bound, touched, micros } in &table.rows {
        writeln!(text, "{touched:>7} {bound:>7} {micros:>7}  {verb}: {what}").unwrap();
    }
    println!("{text}CPU of Redis, the counting included");
    let beyond: Vec<_> =
        table.rows.iter().filter(|row| row.touched > row.bound).map(|row| &row.verb).collect();
    assert!(beyond.is_empty(), "beyond the bound: {beyond:?}\n{text}");
    let missing: Vec<_> =
        script::verbs().into_iter().filter(|verb| table.rows.iter().all(|row| row.verb != *verb)).collect();
    assert!(missing.is_empty(), "not measured: {missing:?}");
}
