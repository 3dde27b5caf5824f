//! `open_log`: a log is born once.

use redis::Value;

use super::state::text;
use super::world::World;

const MARK: &str = "00000000000000ff";

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Gives birth; the answer as text, and all that it changed.
fn open(world: &mut World, keys: &[&str], arguments: &[&str]) -> (redis::RedisResult<Value>, Vec<String>) {
    let before = world.state();
    let reply = world.eval("open_log", &own(keys), &own(arguments));
    let changes = before.changes(&world.state());
    (reply, changes.into_iter().map(|(path, value)| format!("{path}: {value}")).collect())
}

const CONCERT: [&str; 3] = ["{c7}:meta", "{c7}:log", "{c7}:policy"];
const BIRTH: [&str; 10] =
    ["000000000000000a", MARK, "2", "3", "4", "{\"a\": 1}\n", "max_active", "5", "paused", "0"];

#[tokio::test]
async fn a_concert_is_born_with_its_policy() {
    let mut world = World::empty().await;
    let (reply, changes) = open(&mut world, &CONCERT, &BIRTH);
    assert_eq!(text(&reply.unwrap()), format!("opened 000000000000000a 1 {MARK}"));
    let head = format!("1 {MARK} 0000000000000000 1900000000000");
    let expected = [
        format!("log/1-0: {head}\nopened 000000000000000a 2\npolicy 4 9:{{\"a\": 1}}\n\n"),
        "meta/catalog: 3".to_owned(),
        "meta/epoch: 2".to_owned(),
        "meta/format: 1".to_owned(),
        "meta/log_id: 000000000000000a".to_owned(),
        format!("meta/mark: {MARK}"),
        "meta/number: 1".to_owned(),
        "meta/policy: 4".to_owned(),
        "meta/revenue: 0".to_owned(),
        "meta/sellable: 0".to_owned(),
        "meta/seq: 0".to_owned(),
        "meta/shows: 0".to_owned(),
        "meta/time: 1900000000000".to_owned(),
        "meta/trim: 0".to_owned(),
        "policy/json: {\"a\": 1}\n".to_owned(),
        "policy/max_active: 5".to_owned(),
        "policy/paused: 0".to_owned(),
    ];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn a_wallet_partition_is_born_with_its_log_alone() {
    let mut world = World::empty().await;
    let (reply, changes) = open(&mut world, &["{w03}:meta", "{w03}:log"], &["000000000000000b", MARK, "0"]);
    assert_eq!(text(&reply.unwrap()), format!("opened 000000000000000b 1 {MARK}"));
    let head = format!("1 {MARK} 0000000000000000 1900000000000");
    let expected = [
        format!("w03:log/1-0: {head}\nopened 000000000000000b 0\n"),
        "w03:meta/epoch: 0".to_owned(),
        "w03:meta/format: 1".to_owned(),
        "w03:meta/log_id: 000000000000000b".to_owned(),
        format!("w03:meta/mark: {MARK}"),
        "w03:meta/number: 1".to_owned(),
        "w03:meta/time: 1900000000000".to_owned(),
        "w03:meta/trim: 0".to_owned(),
    ];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn a_born_log_is_left_as_it_is() {
    let mut world = World::on_sale(9).await;
    let exists = "exists 00000000000000aa 2 0000000000000002";
    for log_id in ["00000000000000aa", "000000000000000a"] {
        let mut arguments = BIRTH;
        arguments[0] = log_id;
        let (reply, changes) = open(&mut world, &CONCERT, &arguments);
        assert_eq!((text(&reply.unwrap()), changes), (exists.to_owned(), Vec::new()));
    }
}

#[tokio::test]
async fn what_is_no_birth_is_an_error_and_changes_nothing() {
    let mut world = World::empty().await;
    let malformed: [&[&str]; 3] = [&BIRTH[..2], &BIRTH[..5], &BIRTH[..9]];
    for arguments in malformed {
        let (reply, changes) = open(&mut world, &CONCERT, arguments);
        assert!(reply.is_err() && changes.is_empty(), "{arguments:?}: {reply:?} {changes:?}");
    }
    world.command(&["XADD", "{c7}:log", "1-0", "e", "1"]);
    let (reply, changes) = open(&mut world, &CONCERT, &BIRTH);
    assert!(reply.unwrap_err().to_string().contains("a log without its meta"));
    assert_eq!(changes, Vec::<String>::new());
}
