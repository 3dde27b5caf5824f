//! The span of a request at a collector, and its id in the log lines.

use serde_json::{Value, json};

use super::Up;
use super::collector::Collector;
use crate::faults::site::seat;
use crate::support::wait_until;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn bytes_of_hex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_a_span_of_its_callers_trace() {
    let collector = Collector::start().await;
    let sections = format!(
        "telemetry = {{ format = 'json', level = 'info,onsale::http=debug', otlp_endpoint = '{}', service_name = 'box-office', service_instance = 'one' }}",
        collector.endpoint
    );
    let mut up = Up::start(&sections).await;
    let mut buyer = up.buyer("first");
    assert_eq!(buyer.join(&up.client, 2).await.unwrap().status, 201);
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let mut headers = buyer.headers("h");
    headers.push(("traceparent", &parent));
    let body = json!({"showId": 2, "seats": [seat(3)]});
    let held = up.client.send("POST", "/v1/reservations", &headers, Some(&body)).await.unwrap();
    assert_eq!(held.status, 201, "{:?}", held.body);
    let id = held.header("x-request-id").to_owned();

    let trace = bytes_of_hex(TRACE);
    let texts: [&[u8]; 9] = [
        &trace,
        id.as_bytes(),
        b"POST /v1/reservations",
        b"http.route",
        b"http.response.status_code",
        b"box-office",
        b"service.instance.id",
        b"service.version",
        b"db.system.name",
    ];
    wait_until("the span of the hold has come", async || collector.has(&texts)).await;
    let seats = up.client.get("/v1/shows/2/seats").await.unwrap();
    let read = seats.header("x-request-id").to_owned();
    wait_until("a read has a span too", async || collector.has(&[read.as_bytes()])).await;

    assert!(up.process.terminate().success(), "{}", up.process.log());
    let log = up.process.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.len() > 3, "{log}");
    let answered = lines.iter().find(|line| line["request_id"] == id.as_str());
    assert_eq!(answered.map(|line| line["status"].as_u64()), Some(Some(201)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_during_a_request_names_it() {
    let mut up = Up::start("telemetry = { format = 'json' }").await;
    let data = up.folder.path().join("data");
    let config = onsale::config::Config::load(Some(&data.join("onsale.toml"))).unwrap();
    let client = redis::Client::open(config.redis.url.expose()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    // What no version of ours has written: a script that meets it fails as a whole.
    let mut spoil = redis::pipe();
    spoil.del("{c2}:meta").set("{c2}:meta", "nonsense");
    let () = spoil.query_async(&mut connection).await.unwrap();
    let broken = up.buyer("broken");
    let body = json!({"concertId": 2});
    let joined = up.client.send("POST", "/v1/queue/tokens", &broken.headers("j"), Some(&body)).await.unwrap();
    assert_eq!(joined.outcome(), (500, "internal"), "{}", joined.body);
    let id = joined.header("x-request-id").to_owned();

    assert!(up.process.terminate().success(), "{}", up.process.log());
    let log = up.process.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |message: &'static str| lines.iter().filter(move |line| line["message"] == message);
    // The store says it while it drives a batch (and of what the loops ask, too), the listener when the answer is made.
    assert!(of("a script failed").any(|line| line["span"]["request_id"] == id.as_str()), "{log}");
    assert!(of("a request met a fault of ours").any(|line| line["request_id"] == id.as_str()), "{log}");
}
