//! One whole server in this process: real Redis and MariaDB, the loops that a sale needs, a client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use jsonwebtoken::{EncodingKey, Header, encode};
use onsale::archive::Archive;
use onsale::audit;
use onsale::clearing::Clearing;
use onsale::domain::queue_token;
use onsale::follow::{ArchiveFollower, LiveFollower};
use onsale::gateway::{Gateway, WebhookSecret};
use onsale::http::{
    Algorithm, Context, Durability, Health, IdentityKey, IdentityKeys, Material, Parts, Server, Settings,
    TopUp, Wallet,
};
use onsale::live::Live;
use onsale::loops::{CatalogLoop, Finishing, RefundRate, admission, cancellation, clearing, load, top_ups};
use onsale::opening::Opening;
use onsale::store::log::Tail;
use onsale::store::{Limits, SeenLogs, Store};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::mysql::MySqlPool;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::client::{Answered, Caller};
use crate::archive::connect;
use crate::store::{soon, store_on};
use crate::support::mariadb::MariaDb;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::stripe::KEY;
use crate::support::{SOON, wait_until};

pub(crate) const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
pub(crate) const WEBHOOK_KEY: &[u8] = b"the key of the gateway's webhooks";
pub(crate) const QUEUE_KEY: [u8; 32] = [7; 32];

/// A server that stops when it is dropped.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) health: Arc<Health>,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) server: JoinHandle<()>,
    pub(crate) redis: Redis,
    pub(crate) mysql: MySqlPool,
    pub(crate) archive: Archive,
    proxy: Option<Proxy>,
    alone: Option<MariaDb>,
    _loops: watch::Sender<bool>,
}

/// An identity token of the development kind.
pub(crate) fn token(user: &str, roles: &[&str]) -> String {
    let exp = jsonwebtoken::get_current_timestamp() + 600;
    let claims = json!({"sub": user, "roles": roles, "org": "demo", "exp": exp});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// What a test may want otherwise.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    /// The newest first.
    pub(crate) queue_keys: Vec<Vec<u8>>,
    /// Between two steps of admission.
    pub(crate) admission: Duration,
    /// The base address of a sandbox that takes card payments; behind `stripe+`, of an account at Stripe.
    pub(crate) gateway: Option<String>,
    /// Whether a [`Proxy`] stands between the handlers and Redis; the loops have a way of their own.
    pub(crate) proxied: bool,
    /// Between two looks for openings that broke off.
    pub(crate) finishing: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        let limits = Limits { batch_weight: 128, queue_requests: 20_000 };
        Self {
            settings: settings(),
            limits,
            queue_keys: vec![QUEUE_KEY.to_vec()],
            admission: Duration::from_millis(20),
            gateway: None,
            proxied: false,
            // Whoever counts what MySQL is asked, or looks at what broke off, has it for himself.
            finishing: Duration::from_hours(1),
        }
    }
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
        catch_up: Duration::from_secs(2),
        drain: Duration::from_millis(100),
        insecure_webhooks: false,
        durability: Durability::Disk,
        wallet: Wallet {
            currency: "KRW".into(),
            top_up: TopUp::Themselves,
            charge_min: 10_000,
            charge_max: 1_000_000,
            charge_needs_active: false,
            top_up_within: Duration::from_mins(15),
        },
    }
}

fn cards(url: &str, store: &Store, live: &Live, archive: &Archive) -> Clearing {
    let timeout = Duration::from_millis(500);
    let gateway = match url.strip_prefix("stripe+") {
        Some(url) => Gateway::stripe(url, KEY.as_bytes(), timeout).unwrap(),
        None => Gateway::sandbox(url, timeout).unwrap(),
    };
    Clearing::new(
        store.clone(),
        live.clone(),
        archive.clone(),
        gateway,
        Some(WebhookSecret::new(WEBHOOK_KEY)),
    )
}

/// What the worker does about payments that are under way.
fn clear(cards: &Clearing, store: &Store, live: &Live, stop: &watch::Receiver<bool>) {
    let period = Duration::from_millis(100);
    tokio::spawn(top_ups(cards.clone(), store.clone(), period, stop.clone()));
    tokio::spawn(clearing(cards.clone(), store.clone(), live.clone(), period, stop.clone()));
}

fn redis_settings(url: String) -> onsale::store::Settings {
    let second = Duration::from_secs(1);
    onsale::store::Settings { url, response_timeout: second, connect_timeout: second }
}

/// What a process runs beside its server, and what a worker does about the sale.
fn run_loops(
    (archive, store, live): (&Archive, &Store, &Live),
    tail: impl Fn() -> Tail,
    setup: &Setup,
    stop: &watch::Receiver<bool>,
) {
    let (tell, changed) = mpsc::channel(8);
    let (archivist, _) = ArchiveFollower::new(archive.clone(), tail());
    tokio::spawn(archivist.run(stop.clone()));
    let follower = LiveFollower::new(live.clone(), store.clone(), tail(), tell);
    tokio::spawn(follower.run(stop.clone()));
    let catalog = CatalogLoop { archive: archive.clone(), live: live.clone(), store: store.clone(), changed };
    tokio::spawn(catalog.run(stop.clone()));
    let opening = Opening::new(archive.clone(), store.clone(), tail());
    tokio::spawn(Finishing::new(opening).run(setup.finishing, stop.clone()));
    let rate = RefundRate { batch: 20, period: Duration::from_millis(20) };
    tokio::spawn(cancellation(store.clone(), live.clone(), rate, stop.clone()));
    tokio::spawn(admission(store.clone(), live.clone(), setup.admission, stop.clone()));
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        let database = MariaDb::database().await;
        Self::start_on(&database, setup).await
    }

    /// One that shares its MySQL with nobody and lets nobody in, so that what is asked there is asked by requests.
    pub(crate) async fn start_alone() -> Self {
        Self::start_alone_with(Setup::default()).await
    }

    /// The same, otherwise.
    pub(crate) async fn start_alone_with(setup: Setup) -> Self {
        let engine = MariaDb::start().await;
        let database = engine.create_database().await;
        let setup = Setup { admission: Duration::from_hours(1), ..setup };
        Self { alone: Some(engine), ..Self::start_on(&database, setup).await }
    }

    /// SIGKILL for the MySQL of its own that this app has ([`App::start_alone`]).
    pub(crate) fn kill_mysql(&mut self) {
        self.alone.as_mut().expect("it is alone").kill();
    }

    async fn start_on(database: &str, setup: Setup) -> Self {
        let redis = Redis::start().await;
        let proxy = setup.proxied.then(|| Proxy::start(&redis.socket()));
        let url = proxy.as_ref().map_or_else(|| redis.url(), Proxy::url);
        let mysql = MySqlPool::connect_lazy(database).unwrap();
        let archive = connect(database).await;
        archive.migrate().await.unwrap();
        let kept = archive.clone();
        let (seen, live) = (SeenLogs::default(), Live::new());
        // A tail is one connection: readers that block need one each.
        let tail = || Tail::new(&redis_settings(redis.url())).unwrap();
        let store: Store = store_on(&redis, seen.clone());
        let front = |limits| Store::new(redis_settings(url.clone()), limits, 4, seen.clone()).unwrap();
        let opening = Opening::new(archive.clone(), front(setup.limits), tail());
        opening.wallets(soon()).await.unwrap();
        load(&archive, &seen, &live).await.unwrap();

        let (loops, stop) = watch::channel(false);
        run_loops((&archive, &store, &live), tail, &setup, &stop);
        let cards = setup.gateway.as_deref().map(|url| cards(url, &store, &live, &archive));
        if let Some(cards) = &cards {
            clear(cards, &store, &live, &stop);
        }

        let Setup { settings, limits, queue_keys, .. } = setup;
        let settings = Arc::new(settings);
        let queue_keys = queue_token::Keys::new(&queue_keys);
        let key =
            IdentityKey { kid: None, alg: Algorithm::Hs256, material: Material::Secret(SECRET.to_vec()) };
        let identity = Arc::new(IdentityKeys::new(&[key], None, None).unwrap());
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&settings)).unwrap();
        let address = server.address();
        let make = move |_| {
            let parts = Parts {
                store: Store::new(redis_settings(url.clone()), limits, 4, seen.clone()).unwrap(),
                live: live.clone(),
                archive: archive.clone(),
                opening: opening.clone(),
                clearing: cards.clone(),
                identity: Arc::clone(&identity),
                queue_keys: queue_keys.clone(),
                ticket_key: SigningKey::from_bytes(&[9; 32]),
                settings: Arc::clone(&settings),
            };
            async { Ok(Context::new(parts)) }
        };
        let health = Arc::new(Health::default());
        let (shutdown, stopping) = watch::channel(false);
        let run = server.run(make, Arc::clone(&health), stopping);
        let server = tokio::spawn(async move { run.await.unwrap() });
        let app = Self {
            address,
            health,
            shutdown,
            server,
            redis,
            mysql,
            archive: kept,
            proxy,
            alone: None,
            _loops: loops,
        };
        tokio::time::timeout(SOON, app.health.wait_serving()).await.unwrap();
        app
    }

    /// The way of the handlers to Redis, of an app that is proxied.
    pub(crate) fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("its setup says so")
    }

    /// A caller with an identity token of this user and these roles, on a connection of its own.
    pub(crate) async fn caller(&self, user: &str, roles: &[&str]) -> Caller {
        Caller::connect(self.address).await.with("authorization", format!("Bearer {}", token(user, roles)))
    }

    /// The organiser of all that [`App::on_sale`] makes.
    pub(crate) async fn boss(&self) -> Caller {
        self.caller("boss", &["organiser"]).await
    }

    /// A buyer in the line of this concert, with his queue token at hand.
    pub(crate) async fn in_line(&self, user: &str, concert: u64) -> Caller {
        let mut caller = self.caller(user, &[]).await;
        let joined = caller.post("/v1/queue/tokens", &json!({ "concertId": concert })).await;
        assert!(matches!(joined.status, 200 | 201), "{joined:?}");
        caller.with("queue-token", joined.text("token"))
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answered {
        Caller::connect(self.address).await.send(method, path, headers, body).await
    }

    /// Asks Redis.
    pub(crate) async fn redis<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.redis.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
    }

    /// Panics unless an audit finds nothing, once all that Redis has is archived.
    pub(crate) async fn audit(&self) {
        let level = || async {
            let report = self.report().await;
            assert!(report.ok, "{report:#?}");
            report.logs.iter().all(|log| log.archived == log.end)
        };
        wait_until("everything is archived and audited", level).await;
    }

    /// What an audit finds now.
    pub(crate) async fn report(&self) -> audit::Report {
        let store = store_on(&self.redis, SeenLogs::default());
        let tail = Tail::new(&redis_settings(self.redis.url())).unwrap();
        audit::run(&self.archive, &store, &tail).await.unwrap()
    }

    /// How many statements the MySQL of this app has been sent; it must be its own ([`App::start_alone`]).
    pub(crate) async fn questions(&self) -> i64 {
        let row = sqlx::query("show global status like 'Questions'").fetch_one(&self.mysql).await.unwrap();
        row.get::<String, _>(1).parse().unwrap()
    }

    /// A number that MySQL counts, sums up or tells.
    pub(crate) async fn count(&self, select: &'static str) -> i64 {
        let row = sqlx::query(select).fetch_one(&self.mysql).await.unwrap();
        row.try_get::<Option<i64>, _>(0).unwrap().unwrap_or(0)
    }

    /// A concert with one show of ten seats, made over the API: both ids.
    pub(crate) async fn on_sale(&self, policy: Value) -> (u64, u64) {
        self.seats_on_sale(policy, 10).await
    }

    /// The same with another number of seats, all in one row.
    pub(crate) async fn seats_on_sale(&self, policy: Value, seats: u32) -> (u64, u64) {
        let mut boss = self.boss().await;
        let concert = json!({"title": "T", "artist": "A", "venue": "V", "policy": policy});
        let made = boss.post("/v1/admin/concerts", &concert).await;
        assert_eq!(made.status, 201, "{made:?}");
        let concert = made.number("concertId");
        let section = json!({"name": "A", "rows": 1, "seatsPerRow": seats, "price": 50_000});
        let show = json!({"startsAt": "2030-01-01T00:00:00Z", "currency": "KRW", "sections": [section]});
        let made = boss.post(&format!("/v1/admin/concerts/{concert}/shows"), &show).await;
        assert_eq!(made.status, 201, "{made:?}");
        (concert, made.number("showId"))
    }
}
