//! What every script promises: a lost log stops it, and a request that throws leaves no trace.

use super::call::{CONCERT, Call, Seen};
use super::world::World;

/// Runs `call` against each way in which its concert's log can be lost; nothing may change. The log must have two entries.
#[track_caller]
pub(crate) fn stops_when_the_log_was_lost(world: &mut World, call: &Call) {
    let saved = world.save();
    let level = world.seen(CONCERT);
    assert!(level.number >= 2, "the log needs two entries");
    let other = || "00000000deadbeef".to_owned();
    let ways = [
        ("another log", Seen { log_id: other(), ..level.clone() }),
        ("a number beyond", Seen { number: level.number + 1, ..level.clone() }),
        ("another mark", Seen { mark: other(), ..level.clone() }),
        ("another mark before", Seen { number: level.number - 1, mark: other(), ..level.clone() }),
    ];
    let answer = format!("log_lost {} {} {}", level.log_id, level.number, level.mark);
    for (way, seen) in ways {
        // Without a look at older entries all but the last way are found still.
        for check in [true, false] {
            if !check && way == "another mark before" {
                continue;
            }
            let step = world.run(&call.clone().seen(CONCERT, Seen { check, ..seen.clone() }));
            assert_eq!(step.outcomes, std::slice::from_ref(&answer), "{}: {way}", call.verb);
            step.refuses(&[&answer]);
        }
    }
    world.command(&["DEL", "{c7}:meta"]);
    world.run(&call.clone().seen(CONCERT, level)).refuses(&["log_lost '' 0 ''"]);
    world.load(&saved);
}

/// Makes each request of `call` throw, first when it has staged everything, then at each of its assignments: its outcome is
/// `internal`, and all else is as if it had not been in the batch. Leaves the world as it was.
#[track_caller]
pub(crate) fn a_throw_leaves_no_trace(world: &mut World, call: &Call) {
    let saved = world.save();
    let plain = world.run(call);
    assert!(plain.outcomes.iter().all(|outcome| !outcome.starts_with("internal")), "{plain:?}");
    for at in 0..call.len() {
        world.load(&saved);
        let mut expected = if call.len() == 1 { Vec::new() } else { world.run(&call.without(at)).outcomes };
        expected.insert(at, "internal thrown by the test".to_owned());
        let state = world.state();
        let mut assignment = 0;
        loop {
            world.load(&saved);
            world.throw(at + 1, assignment);
            let mut outcomes = world.run(call).outcomes;
            world.throw_no_more();
            if assignment > 0 && !outcomes[at].starts_with("internal") {
                break;
            }
            // Lua says where before it says what.
            assert!(outcomes[at].ends_with("thrown by the test"), "{}: {outcomes:?}", call.verb);
            expected[at].clone_into(&mut outcomes[at]);
            assert_eq!(outcomes, expected, "{} {at} {assignment}", call.verb);
            let traces = state.changes(&world.state());
            assert!(traces.is_empty(), "{} {at} {assignment}: {traces:?}", call.verb);
            assignment += 1;
        }
    }
    world.load(&saved);
}
