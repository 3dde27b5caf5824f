//! Every call that the adapter makes is one that Stripe takes, and the account of the other tests answers in Stripe's shapes: stripe-mock
//! judges both, by Stripe's OpenAPI.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use onsale::gateway::{Error, Gateway, GivenBack, Standing};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{intent, process};
use crate::support::spawner::{Running, bound_to_us, spawn};
use crate::support::stripe::{Call, KEY, Stripe};
use crate::support::wait_until;

/// Where `make install` puts it.
fn program() -> PathBuf {
    let command = Path::new(env!("CARGO_BIN_EXE_onsale"));
    let target = command.parent().and_then(Path::parent).expect("target/debug/onsale");
    let program = target.join("tools/stripe-mock-0.203.0");
    assert!(program.is_file(), "no {}: run `make install`", program.display());
    program
}

/// A stripe-mock that refuses calls of another version of the interface than its own.
struct Mock {
    url: String,
    /// With a certificate that nobody vouches for.
    tls_url: String,
    _running: Running,
    _log: NamedTempFile,
}

impl Mock {
    async fn start() -> Self {
        let log = NamedTempFile::new().unwrap();
        let file: File = log.reopen().unwrap();
        let mut command = bound_to_us(&program());
        // Unless told where it listens with TLS on all interfaces.
        command.args(["-strict-version-check", "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let running = Running::new(spawn(command).unwrap(), log.path().to_owned());
        let address = |scheme: &str| {
            let words = running.log();
            let after = words.split(&format!("Listening for {scheme} at address: ")).nth(1)?;
            after.split_once('\n').map(|(address, _)| address.to_owned())
        };
        let listens = async || address("HTTP").is_some() && address("HTTPS").is_some();
        wait_until("stripe-mock listens", listens).await;
        let url = format!("http://{}", address("HTTP").unwrap());
        let tls_url = format!("https://{}", address("HTTPS").unwrap());
        Self { url, tls_url, _running: running, _log: log }
    }

    /// Makes a call that was made before.
    async fn call(&self, client: &Client, call: &Call) -> (u16, Value) {
        let request = client
            .request(call.method.parse().unwrap(), format!("{}{}", self.url, call.path_and_query))
            .bearer_auth(KEY)
            .header("stripe-version", &call.version)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(call.body.clone());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }
}

/// All kinds of calls, as they come about.
async fn calls() -> Vec<Call> {
    let stripe = Stripe::start().await;
    let gateway = process(&stripe);
    gateway.begin(&intent("p")).await.unwrap();
    gateway.standing(&intent("p")).await.unwrap();
    stripe.confirm("p", true);
    gateway.standing(&intent("p")).await.unwrap();
    gateway.capture(&intent("p")).await.unwrap();
    gateway.void(&intent("q")).await.unwrap();
    stripe.index();
    process(&stripe).refund(&intent("p"), "r", 100).await.unwrap();
    process(&stripe).refund(&intent("p"), "r", 100).await.unwrap();
    stripe.calls()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What of `ours` is no part of `theirs`.
fn foreign(at: &str, ours: &Value, theirs: &Value) -> Vec<String> {
    match (ours, theirs) {
        (Value::Null, _) | (_, Value::Null) => Vec::new(),
        (Value::Object(_), Value::Object(_)) if at.ends_with(".metadata") => Vec::new(),
        (Value::Object(ours), Value::Object(theirs)) => ours
            .iter()
            .flat_map(|(name, value)| match theirs.get(name) {
                Some(other) => foreign(&format!("{at}.{name}"), value, other),
                None => vec![format!("{at}.{name}")],
            })
            .collect(),
        (Value::Array(ours), Value::Array(theirs)) => ours
            .iter()
            .zip(theirs)
            .flat_map(|(value, other)| foreign(&format!("{at}[]"), value, other))
            .collect(),
        _ if kind(ours) == kind(theirs) => Vec::new(),
        _ => vec![format!("{at}: {} and {}", kind(ours), kind(theirs))],
    }
}

#[tokio::test]
async fn stripe_takes_every_call_and_answers_in_the_shapes_that_the_tests_stand_on() {
    let (mock, client) = (Mock::start().await, Client::new());
    let calls = calls().await;
    for kind in ["begin", "standing", "search", "capture", "cancel", "refunds", "refund"] {
        assert!(
            calls.iter().any(|call| call.kind == kind && call.status == 200),
            "no {kind} among {calls:?}"
        );
    }
    for call in calls {
        let (status, theirs) = mock.call(&client, &call).await;
        assert_eq!(status, 200, "{call:?}: {theirs}");
        let foreign = foreign(call.kind, &call.answer, &theirs);
        assert!(foreign.is_empty(), "{foreign:?}: {theirs}");
    }
}

#[tokio::test]
async fn what_stripe_answers_is_read() {
    let mock = Mock::start().await;
    let gateway = Gateway::stripe(&mock.url, KEY.as_bytes(), Duration::from_secs(10)).unwrap();
    let Standing::RequiresAction { next } = gateway.begin(&intent("p")).await.unwrap() else {
        panic!("the mock's PaymentIntents wait for a card")
    };
    assert!(next["clientSecret"].as_str().unwrap().starts_with("pi_"), "{next}");
    assert!(matches!(gateway.standing(&intent("p")).await.unwrap(), Standing::RequiresAction { .. }));
    let refund = gateway.refund(&intent("p"), "r", 100).await.unwrap();
    assert_eq!(refund, GivenBack::Done);
}

#[tokio::test]
async fn the_key_is_told_to_nobody_without_a_certificate() {
    let mock = Mock::start().await;
    let gateway = Gateway::stripe(&mock.tls_url, KEY.as_bytes(), Duration::from_secs(10)).unwrap();
    let Error::Unanswered(cause) = gateway.begin(&intent("p")).await.unwrap_err() else {
        panic!("nobody could have answered")
    };
    assert!(format!("{cause:?}").contains("InvalidCertificate"), "{cause:?}");
    // It is that, not the connection: who believes any certificate gets through.
    let client = Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let answer = client.get(format!("{}/v1/refunds", mock.tls_url)).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn stripe_mock_refuses_what_stripe_does() {
    let (mock, client) = (Mock::start().await, Client::new());
    let begun = calls().await.remove(0);
    for wrong in [
        Call { body: begun.body.replace("currency", "curency"), ..begun.clone() },
        Call { body: begun.body.replace("manual", "by-hand"), ..begun.clone() },
        Call { version: "2020-08-27".to_owned(), ..begun.clone() },
    ] {
        let (status, answer) = mock.call(&client, &wrong).await;
        assert_eq!((status, kind(&answer["error"])), (400, "object"), "{wrong:?}: {answer}");
    }
    let shape = foreign("", &json!({ "a": 1, "b": [{ "c": 1 }] }), &json!({ "a": "1", "b": [{}] }));
    assert_eq!(shape, [".a: number and string", ".b[].c"]);
}
