//! Which values of labels dashboards and rules ask for: only those that something counts under. An expression with a name
//! that was spelled wrong, or that is no longer used, would show nothing and never alarm.

use std::collections::BTreeSet;

use onsale::domain::event::EndReason;
use onsale::metrics::{
    CARD_ENDS, CARD_STATES, CONTRADICTED, FAILURES, FOLLOWERS, RESERVATION_EVENTS, SEAT_STATUSES,
    TOP_UP_STATES,
};

use super::expressions::expressions;
use super::promql::named;
use crate::lua::script::verbs;
use crate::tidy::outcomes::all_promised;

/// Every value of a label; `None` if they are not ours to list.
fn known(label: &str) -> Option<BTreeSet<String>> {
    let owned =
        |values: &[&str]| -> BTreeSet<String> { values.iter().map(|value| (*value).to_owned()).collect() };
    Some(match label {
        "result" => all_promised().into_iter().chain(FAILURES.map(str::to_owned)).collect(),
        "verb" | "script" => verbs().into_iter().collect(),
        "reason" => EndReason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect(),
        "event" => owned(&RESERVATION_EVENTS),
        "status" => owned(&SEAT_STATUSES),
        "follower" => owned(&FOLLOWERS),
        "end" => owned(&CARD_ENDS),
        "state" => owned(&CARD_STATES).into_iter().chain(owned(&TOP_UP_STATES)).collect(),
        "kind" => owned(&CONTRADICTED.map(|[kind, _]| kind)),
        "told" => owned(&CONTRADICTED.map(|[_, told]| told)),
        "alertstate" => owned(&["pending", "firing"]),
        _ => return None,
    })
}

/// Values that an expression asks for and nothing has. A pattern is taken for what we write: words with `|` between them.
fn complaints(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    for selector in named(expression).selectors {
        for (label, pattern) in selector.labels {
            let Some(known) = known(&label) else { continue };
            let strangers = pattern.split('|').filter(|value| !known.contains(*value));
            found.extend(strangers.map(|value| format!("there is no {label} {value}")));
        }
    }
    found
}

#[test]
fn expressions_name_values_that_there_are() {
    let found = expressions().into_iter().flat_map(|(place, expression)| {
        complaints(&expression).into_iter().map(move |complaint| format!("{place}: {complaint}"))
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_failure_is_shown_among_the_calls_that_failed() {
    for (place, expression) in expressions() {
        if place.ends_with(": Calls that failed") {
            assert!(FAILURES.iter().all(|failure| expression.contains(failure)), "{expression}");
        }
    }
}

/// A zero that the expression makes up hides from the test of all panels that nothing is there to be shown.
#[test]
fn only_where_nothing_means_zero_is_a_zero_made_up() {
    let made_up = expressions().into_iter().filter(|(_, expression)| expression.contains("vector(0)"));
    assert_eq!(made_up.map(|(place, _)| place).collect::<Vec<_>>(), ["service.json: Alerts"]);
}

#[test]
fn a_value_that_nothing_has_is_found() {
    for (expression, complaint) in [
        ("x{status=\"booked\"} / y{status=~\"held|sold\"}", "there is no status sold"),
        ("x{result=~\"overload|fault|held\"}", "there is no result overload"),
        ("x{event!=\"resold\"}", "there is no event resold"),
        ("x{reason=\"bored\"}", "there is no reason bored"),
        ("x{follower=\"mail\"}", "there is no follower mail"),
        ("x{verb=\"buy\"}", "there is no verb buy"),
    ] {
        assert_eq!(complaints(expression), [complaint], "{expression}");
    }
}
