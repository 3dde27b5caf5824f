//! Connections as real clients treat them: kept, broken off, misused.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::app::{App, Setup, token};
use crate::support::wait_until;

async fn exchange(app: &App, request: &str) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_done_though_the_client_hangs_up() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({"gated": []})).await;
    let body = json!({"showId": show, "seats": ["A-1-1"]}).to_string();
    let bearer = token("u", &[]);
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let request = format!(
        "POST /v1/reservations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream);
    let path = format!("/v1/shows/{show}/seats?view=status");
    wait_until("the seat is held", || async {
        app.send("GET", &path, &[], None).await.json()["status"] == "1000000000"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_and_misuse_is_answered() {
    let app = App::start().await;
    let get = "GET /v1/concerts HTTP/1.1\r\nhost: x\r\n";
    let answers = exchange(&app, &format!("{get}\r\n{get}connection: close\r\n\r\n")).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");

    let bearer = token("u", &[]);
    let head = format!(
        "POST /v1/reservations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\n\
         content-type: application/json\r\nconnection: close\r\n"
    );
    let chunk = "x".repeat(40_000);
    let chunks = format!("{:x}\r\n{chunk}\r\n{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len(), chunk.len());
    let answer = exchange(&app, &format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // As the document says: nobody asks us for a body.
    let unread = exchange(&app, "no http\r\n\r\n").await;
    assert!(unread.starts_with("HTTP/1.1 400") && unread.ends_with("\r\n\r\n"), "{unread}");

    let hello = exchange(&app, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(hello.contains("curl") && hello.contains("x-request-id"), "{hello}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_server_answers_and_sends_its_clients_elsewhere() {
    let mut setup = Setup::default();
    setup.settings.drain = Duration::from_secs(2);
    let app = App::start_with(setup).await;
    let mut caller = app.caller("u", &[]).await;
    assert_eq!(caller.get("/v1/concerts").await.header("connection"), "");
    app.shutdown.send_replace(true);
    wait_until("it drains", || async { !app.health.is_ready() }).await;
    wait_until("its answers say so", || async {
        let answer = app.send("GET", "/v1/concerts", &[], None).await;
        assert_eq!(answer.status, 200);
        answer.header("connection") == "close"
    })
    .await;
    assert_eq!(caller.get("/v1/concerts").await.header("connection"), "close");
}
