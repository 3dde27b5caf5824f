//! The page about the gateway's calls says what the adapter does: its calls, answers and signature are taken from there.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use onsale::domain::ids::PaymentId;
use onsale::gateway::{Gateway, GivenBack, Intent, Standing, WebhookSecret};
use serde_json::Value;
use tokio::net::TcpListener;

const PAGE: &str = include_str!("../../docs/gateway.md");

/// The blocks of this language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let parts = PAGE.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap()).collect()
}

/// Calls as the table has them: `POST /payments/{name} {"amount":…}`.
fn printed_calls() -> BTreeSet<String> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        format!("{} {}", cells[1], cells[2]).trim_end().to_owned()
    })
    .collect()
}

/// A gateway that answers every call so, and what it was called.
async fn answering(answer: &'static str) -> (String, Arc<Mutex<BTreeSet<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, calls) = (format!("http://{}", listener.local_addr().unwrap()), Arc::default());
    let heard: Arc<Mutex<BTreeSet<String>>> = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let heard = Arc::clone(&heard);
            let serve = service_fn(move |request: Request<Incoming>| {
                let heard = Arc::clone(&heard);
                async move {
                    let called = format!("{} {}", request.method(), request.uri());
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let call = format!("{called} {}", String::from_utf8_lossy(&body)).trim_end().to_owned();
                    heard.lock().unwrap().insert(call);
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from(answer))))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
        }
    });
    (url, calls)
}

fn intent() -> Intent {
    Intent { name: "{name}".to_owned(), amount: 50_002, currency: "KRW".to_owned() }
}

fn adapter(url: &str) -> Gateway {
    Gateway::sandbox(url, Duration::from_secs(10)).unwrap()
}

#[tokio::test]
async fn every_call_is_in_the_table() {
    let printed: BTreeSet<_> = printed_calls();
    let [standings, refunds] = &blocks("json")[..] else { panic!("two lists of answers") };
    let (url, calls) = answering(standings.lines().next().unwrap()).await;
    let gateway = adapter(&url);
    for standing in [
        gateway.begin(&intent()).await,
        gateway.standing(&intent()).await,
        gateway.capture(&intent()).await,
        gateway.void(&intent()).await,
    ] {
        assert_eq!(standing.unwrap(), Standing::Unknown);
    }
    let (refund_url, refund_calls) = answering(refunds.lines().next().unwrap()).await;
    let back = adapter(&refund_url).refund(&intent(), "{refund}", 20_000).await;
    assert_eq!(back.unwrap(), GivenBack::Done);
    let mut made = calls.lock().unwrap().clone();
    made.extend(refund_calls.lock().unwrap().clone());
    let readable = |call: String| call.replace("%7B", "{").replace("%7D", "}");
    assert_eq!(made.into_iter().map(readable).collect::<BTreeSet<_>>(), printed);
}

#[tokio::test]
async fn every_answer_is_read_as_printed() {
    let [standings, refunds] = &blocks("json")[..] else { panic!("two lists of answers") };
    let mut read = Vec::new();
    for line in standings.lines() {
        let (url, _) = answering(line).await;
        let standing = adapter(&url).standing(&intent()).await.unwrap();
        assert_eq!(serde_json::to_value(&standing).unwrap(), serde_json::from_str::<Value>(line).unwrap());
        read.push(standing);
    }
    let named = |standing: &Standing| match standing {
        Standing::Unknown => 0,
        Standing::RequiresAction { .. } => 1,
        Standing::Processing => 2,
        Standing::Authorised => 3,
        Standing::Declined { .. } => 4,
        Standing::Captured => 5,
        Standing::Voided => 6,
    };
    assert_eq!(read.iter().map(named).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    let read: Vec<GivenBack> = refunds.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [GivenBack::Done, GivenBack::Pending, GivenBack::Refused { .. }] = &read[..] else {
        panic!("{read:?}");
    };
}

#[test]
fn the_printed_signature_is_the_one_that_counts() {
    let [message] = &blocks("http")[..] else { panic!("one message") };
    let (head, body) = message.split_once("\n\n").unwrap();
    let signature = head.lines().find_map(|line| line.strip_prefix("Onsale-Signature: ")).unwrap();
    let key = PAGE.split("key = b'").nth(1).unwrap().split('\'').next().unwrap();
    let time = signature.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
    let secret = WebhookSecret::new(key.as_bytes());
    assert_eq!(secret.sign(body.trim_end().as_bytes(), time), signature);
    assert!(secret.verifies(signature, body.trim_end().as_bytes(), time + 300));
    assert!(!secret.verifies(signature, body.trim_end().as_bytes(), time + 301));

    let [commands] = &blocks("sh")[..] else { panic!("one way to compute it") };
    let shell = Command::new("sh").arg("-euc").arg(commands).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.stdout).trim_end(), signature, "{shell:?}");

    let told = adapter("http://127.0.0.1:1").told(body.as_bytes()).unwrap().unwrap();
    assert!(told.payment.parse::<PaymentId>().is_ok(), "{told:?}");
    assert!(head.starts_with("POST /v1/gateway/webhooks/sandbox\n"));
}
