//! `snapshot`: pages of the state, none of which changes it.

use std::collections::BTreeSet;

use super::call::{CONCERT, Call};
use super::promise::stops_when_the_log_was_lost;
use super::world::World;

fn page(kind: &str, cursor: &str) -> Call {
    Call::one("snapshot", &[kind, cursor])
}

/// A page that changed nothing, as text.
fn read(world: &mut World, call: &Call) -> String {
    let step = world.run(call);
    step.refuses(&[step.outcome()]);
    step.outcome().to_owned()
}

/// So many join a room that lets in `active` of them.
async fn a_crowd(active: usize, waiting: usize) -> World {
    let mut world = World::on_sale(9).await;
    world.policy(&[("max_active", &active.to_string()), ("admit_per_second", "100000")]);
    for first in (1..=active + waiting).step_by(200) {
        let users: Vec<_> =
            (first..(first + 200).min(active + waiting + 1)).map(|number| format!("u{number}")).collect();
        let requests: Vec<[&str; 1]> = users.iter().map(|user| [user.as_str()]).collect();
        let requests: Vec<&[&str]> = requests.iter().map(<[&str; 1]>::as_slice).collect();
        world.run(&Call::batch("join", &requests));
    }
    world
}

#[tokio::test]
async fn the_head_is_meta_and_policy() {
    let mut world = World::on_sale(9).await;
    let head = read(&mut world, &page("head", ""));
    let fields = head.strip_prefix("head [").unwrap().strip_suffix("] {}").unwrap();
    let fields: Vec<_> = fields.split(' ').collect();
    let found: BTreeSet<_> = fields.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    let expected = [
        ("catalog", "1"),
        ("epoch", "0"),
        ("format", "1"),
        ("log_id", "00000000000000aa"),
        ("mark", "0000000000000002"),
        ("number", "2"),
        ("policy", "1"),
        ("revenue", "0"),
        ("sellable", "9"),
        ("seq", "0"),
        ("shows", "1"),
        ("time", "T"),
        ("trim", "0"),
        ("v:12", "2"),
    ];
    assert_eq!(found, BTreeSet::from(expected));
}

#[tokio::test]
async fn the_line_in_pages_of_500() {
    let mut world = a_crowd(1, 501).await;
    let numbers = |from: u32, to: u32| {
        (from..=to).map(|seq| seq.to_string()).fold("queue".to_owned(), |page, seq| page + " " + &seq)
    };
    assert_eq!(read(&mut world, &page("queue", "0")), numbers(2, 501));
    assert_eq!(read(&mut world, &page("queue", "501")), "queue 502");
    assert_eq!(read(&mut world, &page("queue", "502")), "queue");
    // From the middle on, and behind a number that has left.
    world.run(&Call::batch("leave", &[&["u400", "400"]]));
    assert_eq!(read(&mut world, &page("queue", "400")), numbers(401, 502));
}

#[tokio::test]
async fn the_places_in_pages_that_hold_each_at_least_once() {
    let mut world = a_crowd(1200, 3).await;
    let (mut cursor, mut found, mut pages) = ("0".to_owned(), BTreeSet::new(), 0);
    loop {
        let text = read(&mut world, &page("places", &cursor));
        let words: Vec<_> = text.split(' ').collect();
        let places = &words[2..];
        assert_eq!(places.len() % 5, 0, "{text}");
        // What Redis promises of COUNT, with the length of one chain to spare.
        assert!(places.len() / 5 <= 600, "{} places", places.len() / 5);
        found.extend(places.chunks(5).map(|place| place.join(" ")));
        pages += 1;
        words[1].clone_into(&mut cursor);
        if cursor == "0" {
            break;
        }
    }
    let expected = (1..=1200).map(|seq| format!("u{seq} {seq} T T+600000 0"));
    assert_eq!(found, expected.collect());
    assert!(pages >= 3, "{pages} pages");
}

#[tokio::test]
async fn the_seats_in_pages_of_500() {
    let mut world = World::on_sale(501).await;
    world.command(&["SETRANGE", "{c7}:seats:12", "499", "21"]);
    let seats = |from: &str| Call::one("snapshot", &["seats", from, "12"]).shows(&[12]);
    assert_eq!(read(&mut world, &seats("0")), format!("seats {}2 501", "0".repeat(499)));
    assert_eq!(read(&mut world, &seats("500")), "seats 1 501");
    assert_eq!(read(&mut world, &seats("501")), "seats '' 501");
}

#[tokio::test]
async fn an_empty_concert_has_empty_pages() {
    let mut world = World::born().await;
    assert_eq!(read(&mut world, &page("queue", "0")), "queue");
    assert_eq!(read(&mut world, &page("places", "0")), "places 0");
}

#[tokio::test]
async fn an_unknown_kind_is_an_error() {
    let mut world = World::born().await;
    let seen = world.seen(CONCERT);
    let call = page("crowd", "0");
    let reply = world.eval("snapshot", &call.keys(), &call.arguments("00000000000000ff", |_| seen.clone()));
    assert!(reply.is_err(), "{reply:?}");
}

#[tokio::test]
async fn a_lost_log_stops_it() {
    let mut world = World::on_sale(9).await;
    stops_when_the_log_was_lost(&mut world, &page("queue", "0"));
}
