//! Which values go together. All problems are named at once, so that a file is put right in one go.

use std::fmt;
use std::net::Ipv4Addr;

use super::{Algorithm, Config, GatewayKind, KafkaSecurity, TopUp};
use crate::domain::wallet::is_currency;

/// The largest sum that Lua keeps exact, 2^53 - 1.
const MONEY_MAX: i64 = (1 << 53) - 1;
/// Their names have two digits; each adds a log to pay batches, and 64 are enough for a cluster.
const PARTITIONS_MAX: u16 = 100;
/// Seats of one script call: some milliseconds of Redis.
const BATCH_WEIGHT_MAX: usize = 1024;

/// A value that can't be used, or can't be used together with another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The configuration key, like `wallet.charge_min`.
    pub key: &'static str,
    /// What is wrong with it.
    pub says: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.key, self.says)
    }
}

/// Whether it holds, the key, and what is said when it doesn't.
type Rule = (bool, &'static str, &'static str);

impl Config {
    /// What is wrong for every command; empty if nothing is.
    pub fn problems(&self) -> Vec<Problem> {
        let zero = self.positive().into_iter().filter(|(_, value)| *value == 0);
        let zero = zero.map(|(key, _)| Problem { key, says: "must be at least 1" });
        zero.chain(broken(self.addresses())).chain(broken(self.relations())).collect()
    }

    /// What a server needs on top of that. `development` lets keys and settings pass that are for one machine only.
    pub fn serving_problems(&self, development: bool) -> Vec<Problem> {
        let identity = &self.identity;
        let (kind, url) = (self.gateway.kind, &self.gateway.url);
        let stripe = development || kind != GatewayKind::Stripe || !url.starts_with("http://");
        let believable = !identity.keys.is_empty();
        let made_up = development || !identity.development;
        let no_money = development || self.gateway.kind != GatewayKind::Sandbox;
        let taken = self.wallet.top_up != TopUp::Gateway || self.gateway.kind != GatewayKind::None;
        let free_money = development || self.wallet.top_up != TopUp::Own;
        broken([
            (believable, "identity.keys", "is empty: nobody could be believed"),
            (self.queue_token.key_file.is_some(), "queue_token.key_file", "is required"),
            (self.ticket.signing_key_file.is_some(), "ticket.signing_key_file", "is required"),
            (stripe, "gateway.url", "without https needs --dev: it is not Stripe"),
            (made_up, "identity.development", "needs --dev: the keys are made up"),
            (
                development || !self.webhook.insecure,
                "webhook.insecure",
                "needs --dev: anybody's network is open to it",
            ),
            (free_money, "wallet.top_up", "\"self\" needs --dev: it is money for everybody"),
            (taken, "wallet.top_up", "\"gateway\" needs one: gateway.kind is \"none\""),
            (no_money, "gateway.kind", "\"sandbox\" needs --dev: it takes no money"),
        ])
        .collect()
    }

    fn positive(&self) -> [(&'static str, u64); 20] {
        let server = &self.server;
        // Sizes only ever grow on the way from usize to u64.
        let size = |value: usize| value as u64;
        [
            ("server.request_deadline_ms", server.request_deadline_ms),
            ("server.header_read_timeout_seconds", server.header_read_timeout_seconds),
            ("server.body_read_timeout_seconds", server.body_read_timeout_seconds),
            ("server.keep_alive_idle_seconds", server.keep_alive_idle_seconds),
            ("server.max_body_bytes", size(server.max_body_bytes)),
            ("server.max_connections", size(server.max_connections)),
            ("redis.response_timeout_ms", self.redis.response_timeout_ms),
            ("redis.connect_timeout_ms", self.redis.connect_timeout_ms),
            ("mysql.connect_timeout_seconds", self.mysql.connect_timeout_seconds),
            ("coalesce.batch_weight", size(self.coalesce.batch_weight)),
            ("coalesce.queue_requests", size(self.coalesce.queue_requests)),
            ("webhook.timeout_seconds", self.webhook.timeout_seconds),
            ("worker.admit_interval_ms", self.worker.admit_interval_ms),
            ("worker.expire_interval_ms", self.worker.expire_interval_ms),
            ("worker.trim_interval_ms", self.worker.trim_interval_ms),
            ("gateway.timeout_ms", self.gateway.timeout_ms),
            ("gateway.check_interval_ms", self.gateway.check_interval_ms),
            ("wallet.top_up_seconds", self.wallet.top_up_seconds),
            ("worker.refund_interval_ms", self.worker.refund_interval_ms),
            ("worker.refund_batch", size(self.worker.refund_batch)),
        ]
    }

    fn addresses(&self) -> [Rule; 6] {
        let server = &self.server;
        let of_redis = ["redis://", "redis+unix://", "unix://"]
            .iter()
            .any(|scheme| self.redis.url.expose().starts_with(scheme));
        let of_mysql = self.mysql.url.expose().starts_with("mysql://");
        let endpoint = &self.telemetry.otlp_endpoint;
        let collector = endpoint.is_empty() || endpoint.starts_with("http://");
        let (kind, url) = (self.gateway.kind, &self.gateway.url);
        let stripe = kind == GatewayKind::Stripe;
        // Stripe's key must not leave the machine in the clear.
        let open = url.starts_with("http://") && (!stripe || is_loopback(url));
        let gateway = url.is_empty() || open || stripe && url.starts_with("https://");
        let key = !stripe || self.gateway.secret_key_file.is_some();
        let two_listeners = server.listen.port() == 0 || server.listen != server.ops_listen;
        [
            (of_redis, "redis.url", "must start with redis:// or unix://"),
            (of_mysql, "mysql.url", "must start with mysql://"),
            (two_listeners, "server.ops_listen", "is the same as server.listen"),
            (
                gateway,
                "gateway.url",
                "must be empty or start with http://, of Stripe with https:// (http:// on loopback)",
            ),
            (key, "gateway.secret_key_file", "is required for Stripe"),
            (collector, "telemetry.otlp_endpoint", "must be empty or start with http://"),
        ]
    }

    fn relations(&self) -> [Rule; 13] {
        let wallet = &self.wallet;
        let in_time = self.redis.response_timeout_ms <= self.server.request_deadline_ms;
        // One connection for the archive follower, one for the calls of people.
        let connections = self.mysql.max_connections >= 2;
        let currency = is_currency(&wallet.currency);
        let partitions = (1..=PARTITIONS_MAX).contains(&wallet.partitions);
        let weight = self.coalesce.batch_weight <= BATCH_WEIGHT_MAX;
        let exact = wallet.charge_max <= MONEY_MAX;
        let range = wallet.charge_min <= wallet.charge_max;
        let ratio = (0.0..=1.0).contains(&self.telemetry.otlp_sample_ratio);
        let kafka = &self.kafka;
        let brokers = kafka.brokers.is_empty() || kafka.brokers.split(',').all(is_broker);
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let topic = (1..=249).contains(&kafka.topic.len()) && kafka.topic.bytes().all(letter);
        let has_login = [!kafka.user.is_empty(), kafka.password_file.is_some()];
        let login = has_login == [kafka.security == KafkaSecurity::SaslSsl; 2];
        let key_files = self.identity.keys.iter().all(|key| {
            let shared = key.alg == Algorithm::HS256;
            key.secret_file.is_some() == shared && key.jwks_file.is_some() != shared
        });
        [
            (in_time, "redis.response_timeout_ms", "is above server.request_deadline_ms"),
            (connections, "mysql.max_connections", "must be at least 2"),
            (currency, "wallet.currency", "must be a code of ISO 4217"),
            (partitions, "wallet.partitions", "must be 1 to 100"),
            (weight, "coalesce.batch_weight", "must be at most 1024"),
            (wallet.charge_min > 0, "wallet.charge_min", "must be at least 1"),
            (exact, "wallet.charge_max", "must be below 2^53"),
            (range, "wallet.charge_min", "is above wallet.charge_max"),
            (ratio, "telemetry.otlp_sample_ratio", "must be 0 to 1"),
            (brokers, "kafka.brokers", "must be host:port, more behind commas, or empty"),
            (topic, "kafka.topic", "must be 1 to 249 letters, digits, dots, dashes or underscores"),
            (login, "kafka.user", "goes with password_file and security = \"sasl_ssl\", and each with both"),
            (key_files, "identity.keys", "need secret_file with HS256, jwks_file with every other alg"),
        ]
    }
}

/// Whether this http:// address is on this machine, whatever a name server says.
fn is_loopback(url: &str) -> bool {
    let host = url.trim_start_matches("http://").split(['/', ':']).next();
    host.and_then(|host| host.parse::<Ipv4Addr>().ok()).is_some_and(|host| host.is_loopback())
}

fn is_broker(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    text.trim().rsplit_once(':').is_some_and(|(host, number)| !host.is_empty() && port(number))
}

fn broken<const N: usize>(rules: [Rule; N]) -> impl Iterator<Item = Problem> {
    rules.into_iter().filter(|(holds, _, _)| !holds).map(|(_, key, says)| Problem { key, says })
}
