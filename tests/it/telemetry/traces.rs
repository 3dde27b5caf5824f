//! The span of a request at a collector, and its id in the log lines.

use serde_json::{Value, json};

use super::Up;
use super::collector::Collector;
use crate::faults::site::{SOON, seat};
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
    wait_until(SOON, "the span of the hold has come", async || collector.has(&texts)).await;
    let seats = up.client.get("/v1/shows/2/seats").await.unwrap();
    let read = seats.header("x-request-id").to_owned();
    wait_until(SOON, "a read has a span too", async || collector.has(&[read.as_bytes()])).await;

    assert!(up.process.terminate().success(), "{}", up.process.log());
    let log = up.process.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.len() > 3, "{log}");
    let answered = lines.iter().find(|line| line["request_id"] == id.as_str());
    assert_eq!(answered.map(|line| line["status"].as_u64()), Some(Some(201)), "{log}");
}
