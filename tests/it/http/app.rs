//! One whole server in this process: real Redis and MariaDB, the loops that a sale needs, a client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{EncodingKey, Header, encode};
use onsale::domain::queue_token;
use onsale::follow::{ArchiveFollower, LiveFollower};
use onsale::http::{
    Algorithm, Context, Durability, Health, IdentityKey, IdentityKeys, Material, Parts, Server, Settings,
    TopUp, Wallet,
};
use onsale::live::Live;
use onsale::loops::{CatalogLoop, admission, load};
use onsale::opening::Opening;
use onsale::store::log::Tail;
use onsale::store::{SeenLogs, Store};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::archive::connect;
use crate::store::{soon, store_on};
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// A server that stops when it is dropped.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) health: Arc<Health>,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) server: JoinHandle<()>,
    _redis: Redis,
    _loops: watch::Sender<bool>,
}

/// An answer, whole.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, and the problem's code if it is one.
    pub(crate) fn outcome(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// An identity token of the development kind.
pub(crate) fn token(user: &str, roles: &[&str]) -> String {
    let exp = jsonwebtoken::get_current_timestamp() + 600;
    let claims = json!({"sub": user, "roles": roles, "org": "demo", "exp": exp});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn settings() -> Settings {
    Settings {
        cores: 2,
        max_connections: 1000,
        max_body_bytes: 65_536,
        header_read_timeout: Duration::from_secs(10),
        body_read_timeout: Duration::from_secs(10),
        keep_alive_idle: Duration::from_secs(75),
        request_deadline: Duration::from_secs(10),
        drain: Duration::from_millis(100),
        durability: Durability::Disk,
        wallet: Wallet {
            currency: "KRW".into(),
            top_up: TopUp::Themselves,
            charge_min: 10_000,
            charge_max: 1_000_000,
            charge_needs_active: false,
        },
    }
}

fn redis_settings(url: String) -> onsale::store::Settings {
    let second = Duration::from_secs(1);
    onsale::store::Settings { url, response_timeout: second, connect_timeout: second }
}

impl App {
    pub(crate) async fn start() -> Self {
        let redis = Redis::start().await;
        let archive = connect(&MariaDb::database().await).await;
        archive.migrate().await.unwrap();
        let (seen, live) = (SeenLogs::default(), Live::new());
        // A tail is one connection: readers that block need one each.
        let tail = || Tail::new(&redis_settings(redis.url())).unwrap();
        let store: Store = store_on(&redis, seen.clone());
        let opening = Opening::new(archive.clone(), store.clone(), tail());
        opening.wallets(soon()).await.unwrap();
        load(&archive, &seen, &live).await.unwrap();

        let (loops, stop) = watch::channel(false);
        let (tell, changed) = mpsc::channel(8);
        let (archivist, _) = ArchiveFollower::new(archive.clone(), tail());
        tokio::spawn(archivist.run(stop.clone()));
        let follower = LiveFollower::new(live.clone(), store.clone(), tail(), tell);
        tokio::spawn(follower.run(stop.clone()));
        let catalog = CatalogLoop {
            archive: archive.clone(),
            live: live.clone(),
            store: store.clone(),
            changed,
            well: watch::channel(true).0,
        };
        tokio::spawn(catalog.run(stop.clone()));
        tokio::spawn(admission(store.clone(), live.clone(), Duration::from_millis(20), stop));

        let settings = Arc::new(settings());
        let key =
            IdentityKey { kid: None, alg: Algorithm::Hs256, material: Material::Secret(SECRET.to_vec()) };
        let identity = Arc::new(IdentityKeys::new(&[key], None, None).unwrap());
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&settings)).unwrap();
        let address = server.address();
        let url = redis.url();
        let make = move |_| {
            let limits = onsale::store::Limits { batch_weight: 128, queue_requests: 20_000 };
            let parts = Parts {
                store: Store::new(redis_settings(url.clone()), limits, 4, seen.clone()).unwrap(),
                live: live.clone(),
                archive: archive.clone(),
                opening: opening.clone(),
                identity: Arc::clone(&identity),
                queue_keys: queue_token::Keys::new(&[vec![7; 32]]),
                ticket_key: SigningKey::from_bytes(&[9; 32]),
                settings: Arc::clone(&settings),
            };
            async { Ok(Context::new(parts)) }
        };
        let health = Arc::new(Health::default());
        let (shutdown, stopping) = watch::channel(false);
        let run = server.run(make, Arc::clone(&health), stopping);
        let server = tokio::spawn(async move { run.await.unwrap() });
        let app = Self { address, health, shutdown, server, _redis: redis, _loops: loops };
        tokio::time::timeout(Duration::from_secs(10), app.health.wait_serving()).await.unwrap();
        app
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answered {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
        let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answered { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    /// A concert with one show of ten seats, made over the API: both ids.
    pub(crate) async fn on_sale(&self, policy: Value) -> (u64, u64) {
        let bearer = format!("Bearer {}", token("boss", &["organiser"]));
        let headers = [("authorization", bearer.as_str())];
        let concert = json!({"title": "T", "artist": "A", "venue": "V", "policy": policy}).to_string();
        let made = self.send("POST", "/v1/admin/concerts", &headers, Some(&concert)).await;
        assert_eq!(made.status, 201, "{:?}", made.bytes);
        let concert = made.json()["concertId"].as_u64().unwrap();
        let section = json!({"name": "A", "rows": 1, "seatsPerRow": 10, "price": 50_000});
        let show =
            json!({"startsAt": "2030-01-01T00:00:00Z", "currency": "KRW", "sections": [section]}).to_string();
        let path = format!("/v1/admin/concerts/{concert}/shows");
        let made = self.send("POST", &path, &headers, Some(&show)).await;
        assert_eq!(made.status, 201, "{:?}", made.bytes);
        (concert, made.json()["showId"].as_u64().unwrap())
    }
}
