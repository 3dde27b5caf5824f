//! When memory is full: what gives something back still works, what takes more is refused by Redis before it begins.

use super::call::{CONCERT, Call};
use super::world::World;

/// Verb, arguments, whether it is served.
type Row<'a> = (&'static str, &'a [&'a str], bool);

#[tokio::test]
async fn flags_decide_what_works_in_full_memory() {
    let mut world = World::on_sale(9).await;
    world.run(&Call::batch("join", &[&["a"], &["b"], &["c"]]));
    world.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let rows: [Row<'_>; 9] = [
        ("join", &["1", "d"], false),
        ("admit", &[], false),
        ("catalog", &["9"], false),
        ("policy", &["1", "{}"], false),
        ("claim", &["1", "a", "1"], true),
        ("leave", &["1", "c", "3"], true),
        ("trim", &["2"], true),
        ("tidy", &["0"], true),
        ("snapshot", &["queue", "0"], true),
    ];
    for (verb, arguments, served) in rows {
        let call = Call::one(verb, arguments);
        let (seen, before) = (world.seen(CONCERT), world.state());
        let reply = world.eval(verb, &call.keys(), &call.arguments("00000000000000ff", |_| seen.clone()));
        match reply {
            Ok(_) => assert!(served, "{verb}"),
            Err(error) => {
                assert!(!served && error.to_string().contains("OOM"), "{verb}: {error}");
                assert_eq!(world.state(), before, "{verb}");
            }
        }
    }
}
