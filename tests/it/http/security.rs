//! What must not get through: tokens of the wrong kind, owner, concert or algorithm; requests made to mislead.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use onsale::domain::ids::{ConcertId, UserId};
use onsale::domain::queue_token::{Keys, Place};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::app::{App, QUEUE_KEY, SECRET, Setup, token};
use super::client::Caller;

async fn answer_to(app: &App, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes on unread bytes resets the connection: what it said before counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn claims() -> Value {
    json!({"sub": "u", "roles": ["admin"], "exp": jsonwebtoken::get_current_timestamp() + 600})
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_tokens_that_prove_nothing_are_refused() {
    let app = App::start().await;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&claims()));
    let good = token("u", &[]);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{}.{}.{signature}", signed.split('.').next().unwrap(), part(&claims()));
    let key = EncodingKey::from_secret(SECRET);
    let hs512 = encode(&Header::new(Algorithm::HS512), &claims(), &key).unwrap();
    let other_key = encode(&Header::default(), &claims(), &EncodingKey::from_secret(&[1; 32])).unwrap();
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        encode(&Header::default(), &claims, &key).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        encode(&Header::default(), &claims, &key).unwrap()
    };
    let place = Place {
        concert: ConcertId(1),
        epoch: 0,
        seq: 1,
        expires: jsonwebtoken::get_current_timestamp() + 600,
        user: UserId::new("u").unwrap(),
    };
    for bearer in [
        none,
        forged,
        hs512,
        other_key,
        without("exp"),
        without("sub"),
        with("exp", json!(1)),
        with("sub", json!("me")),
        with("sub", json!("")),
        with("sub", json!("x".repeat(65))),
        with("sub", json!("a\nb")),
        Keys::new(&[QUEUE_KEY.to_vec()]).sign(&place),
        String::new(),
    ] {
        let mut caller = Caller::connect(app.address).await.with("authorization", format!("Bearer {bearer}"));
        for path in ["/v1/users/me/balance", "/v1/reservations", "/v1/admin/concerts/1/live"] {
            let answer = caller.get(path).await;
            assert!(answer.is(401, "unauthenticated"), "{bearer}: {answer:?}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
    }
    let mut basic = Caller::connect(app.address).await.with("authorization", format!("Basic {good}"));
    assert!(basic.get("/v1/users/me/balance").await.is(401, "unauthenticated"));
    let twice = format!("Bearer {good}");
    let two = [("authorization", &*twice), ("authorization", &*twice)];
    assert!(app.send("GET", "/v1/users/me/balance", &two, None).await.is(401, "unauthenticated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_token_serves_its_owner_in_its_concert_only() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let (elsewhere, _) = app.on_sale(json!({})).await;
    let owner = app.in_line("owner", concert).await;
    let stranger = app.caller("stranger", &[]).await;
    let foreign = app.in_line("owner", elsewhere).await;
    let hold = json!({"showId": show, "seats": ["A-1-1"]});

    let place = owner.header("queue-token").to_owned();
    let identity = token("owner", &[]);
    let mut changed = place.clone().into_bytes();
    changed[10] = if changed[10] == b'A' { b'B' } else { b'A' };
    let unsigned = place.rsplit_once('.').unwrap().0.to_owned();
    let mut owners = app.caller("owner", &[]).await;
    for wrong in [
        foreign.header("queue-token").to_owned(),
        identity,
        String::from_utf8(changed).unwrap(),
        unsigned,
        Keys::new(&[vec![1; 32]]).sign(&Keys::new(&[QUEUE_KEY.to_vec()]).verify(&place, 0).unwrap()),
        "q1..".into(),
        String::new(),
    ] {
        owners = owners.with("queue-token", &wrong);
        let answer = owners.post("/v1/reservations", &hold).await;
        assert!(answer.is(401, "queue_token_invalid"), "{wrong}: {answer:?}");
        let answer = owners.post_once("k", "/v1/reservations", &hold).await;
        assert!(answer.is(401, "queue_token_invalid"), "{wrong}: {answer:?}");
    }
    let mut stranger = stranger.with("queue-token", &place);
    for answer in [
        stranger.post("/v1/reservations", &hold).await,
        stranger.get("/v1/queue/status").await,
        stranger.delete("/v1/queue/tokens").await,
    ] {
        assert!(answer.is(401, "queue_token_invalid"), "{answer:?}");
    }

    // As Bearer it proves a place, never an identity; an identity token proves no place.
    let mut bearer = Caller::connect(app.address).await.with("authorization", format!("Bearer {place}"));
    assert_eq!(bearer.get("/v1/queue/status").await.text("status"), "ACTIVE");
    assert!(bearer.post("/v1/reservations", &hold).await.is(401, "unauthenticated"));
    assert!(bearer.delete("/v1/queue/tokens").await.is(401, "unauthenticated"));
    assert!(app.caller("owner", &[]).await.get("/v1/queue/status").await.is(401, "queue_token_invalid"));
    for (header, code) in [("Bearer nonsense", "queue_token_invalid"), ("Basic x", "unauthenticated")] {
        let answer = app.send("GET", "/v1/queue/status", &[("authorization", header)], None).await;
        assert!(answer.is(401, code), "{header}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_has_only_his_own_concerts() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let exp = jsonwebtoken::get_current_timestamp() + 600;
    let claims = json!({"sub": "rival", "roles": ["organiser"], "org": "rival", "exp": exp});
    let rival = encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
    let mut rival = Caller::connect(app.address).await.with("authorization", format!("Bearer {rival}"));
    let admin = format!("/v1/admin/concerts/{concert}");
    assert!(rival.get(&format!("{admin}/live")).await.is(404, "not_found"));
    assert!(rival.post(&format!("{admin}/queue/pause"), &json!({})).await.is(404, "not_found"));
    assert!(rival.send("PATCH", &admin, &[], Some("{}")).await.is(404, "not_found"));
    let block =
        rival.post(&format!("/v1/admin/shows/{show}/seats/block"), &json!({"seats": ["A-1-1"]})).await;
    assert!(block.is(404, "not_found"));
    let mut admins = app.caller("root", &["admin"]).await;
    assert_eq!(admins.get(&format!("{admin}/live")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_framed_twice_smuggles_nothing() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({"gated": []})).await;
    let hidden = "GET /v1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let body = json!({"showId": show, "seats": ["A-1-1"]}).to_string();
    let head = format!(
        "POST /v1/reservations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n",
        token("u", &[])
    );
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());

    // Chunks win over a length, in either order, and the connection ends there: a proxy that went by the length would
    // take what follows for another client's request.
    for lengths in
        ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        let answer = answer_to(&app, format!("{head}{lengths}\r\n\r\n{chunked}{hidden}").as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(
            ["201", "409", "400"].iter().any(|status| answer.starts_with(&format!("HTTP/1.1 {status}"))),
            "{answer}"
        );
    }
    for framing in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: +5",
        "content-length: 5, 6",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: gzip",
    ] {
        let answer = answer_to(&app, format!("{head}{framing}\r\n\r\n{chunked}{hidden}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{framing}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded_and_slow_bodies_are_cut() {
    let mut setup = Setup::default();
    setup.settings.body_read_timeout = Duration::from_millis(200);
    setup.settings.header_read_timeout = Duration::from_millis(300);
    let app = App::start_with(setup).await;
    let large = "x".repeat(40_000);
    let answer =
        answer_to(&app, format!("GET /v1/concerts HTTP/1.1\r\nx-large: {large}\r\n\r\n").as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = answer_to(&app, format!("GET /v1/{large} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let many = "a: b\r\n".repeat(500);
    let answer = answer_to(&app, format!("GET /v1/concerts HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");

    let started = std::time::Instant::now();
    let head = format!(
        "POST /v1/reservations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        token("u", &[])
    );
    let answer = answer_to(&app, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_request"), "{answer}");
    let answer = answer_to(&app, b"GET /v1/concerts HTT").await;
    assert_eq!(answer, "");
    assert!(started.elapsed() < Duration::from_secs(10));
}
