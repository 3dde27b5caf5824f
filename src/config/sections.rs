//! The sections of the configuration, one struct each. `default.toml` explains every key and holds its default.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::ConnectionUrl;

/// `[server]`: the two listeners and what a connection may cost.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where buyers and organisers come in.
    pub listen: SocketAddr,
    /// Health and metrics.
    pub ops_listen: SocketAddr,
    /// Serving threads; 0 is one per core.
    pub runtimes: usize,
    /// Seconds between the signal to stop and the close of the listener.
    pub drain_seconds: u64,
    /// Milliseconds a request may take.
    pub request_deadline_ms: u64,
    /// Seconds a client has for its headers.
    pub header_read_timeout_seconds: u64,
    /// Seconds a client has for its body.
    pub body_read_timeout_seconds: u64,
    /// Seconds a connection may stay without a request.
    pub keep_alive_idle_seconds: u64,
    /// Largest body, in bytes.
    pub max_body_bytes: usize,
    /// Connections at once over all runtimes.
    pub max_connections: usize,
}

/// `[redis]`: where Redis is and how long it may take.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// The address.
    pub url: ConnectionUrl,
    /// A file with the address; already read into `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// Milliseconds to the answer of one call.
    pub response_timeout_ms: u64,
    /// Milliseconds to a connection.
    pub connect_timeout_ms: u64,
}

/// `[mysql]`: where MySQL is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mysql {
    /// The address.
    pub url: ConnectionUrl,
    /// A file with the address; already read into `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// Connections of this process at once, beside one that watches whether MySQL answers, two that archive and two that read
    /// whole concerts.
    pub max_connections: u32,
    /// Seconds to a connection.
    pub connect_timeout_seconds: u64,
}

/// `[identity]`: whose identity tokens are believed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// What `iss` must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What `aud` must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Whether the keys were made by `up` for itself.
    pub development: bool,
    /// Where the keys are; [`Identity::read_keys`] reads them.
    pub keys: Vec<IdentityKeyFile>,
}

/// One key of `[identity]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityKeyFile {
    /// The `kid` of the tokens it signs, if they name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The only algorithm it is used with.
    pub alg: Algorithm,
    /// For HS256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// For all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
}

/// How an identity token is signed. Fixed per key, never taken from the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 and RFC 8037")]
pub enum Algorithm {
    HS256,
    RS256,
    ES256,
    EdDSA,
}

/// `[queue_token]`: the keys of queue tokens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QueueToken {
    /// Signs and checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Only check.
    pub previous_key_files: Vec<PathBuf>,
}

/// `[ticket]`: the key of tickets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The seed of an Ed25519 key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_key_file: Option<PathBuf>,
}

/// `[wallet]`: money and who may add to it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    /// ISO 4217.
    pub currency: String,
    /// Wallet logs; fixed at birth.
    pub partitions: u16,
    /// Who may charge.
    pub top_up: TopUp,
    /// Smallest charge, minor units.
    pub charge_min: i64,
    /// Largest charge, minor units.
    pub charge_max: i64,
    /// Whether a charge needs an active queue token.
    pub charge_needs_active: bool,
    /// Seconds that the gateway may take to authorise a charge.
    pub top_up_seconds: u64,
}

/// Who may charge a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TopUp {
    /// Everybody his own: development only.
    #[serde(rename = "self")]
    Own,
    /// The role `cashier`, for any user.
    Cashier,
    /// Everybody his own, once a payment gateway has taken the money; a cashier any.
    Gateway,
}

/// `[gateway]`: who takes card payments.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Which.
    pub kind: GatewayKind,
    /// Its base address; empty: a sandbox inside this process, or where Stripe is.
    pub url: String,
    /// The secret key of an account at Stripe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_file: Option<PathBuf>,
    /// The key that its webhooks are signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_secret_file: Option<PathBuf>,
    /// Milliseconds to the answer of one call.
    pub timeout_ms: u64,
    /// Milliseconds between two looks at a payment that nothing moves.
    pub check_interval_ms: u64,
}

/// A payment gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayKind {
    /// None: nobody pays by card.
    None,
    /// One that moves no money: development only.
    Sandbox,
    /// Stripe.
    Stripe,
}

/// `[log]`: keeping and following.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Seconds an entry stays behind the archive.
    pub keep_seconds: u64,
    /// Bytes of Redis at which entries go earlier; 0 is no bound.
    pub memory_max_bytes: u64,
}

/// `[kafka]`: where events go, beside what is sold.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `host:port`, more behind commas; empty: no events go to Kafka.
    pub brokers: String,
    /// The topic of all events.
    pub topic: String,
    /// How the brokers are spoken to.
    pub security: KafkaSecurity,
    /// How a user proves who he is.
    pub mechanism: SaslMechanism,
    /// Who tells; empty: nobody by name.
    pub user: String,
    /// A file with his password; [`Kafka::read_password`] reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Certificates that the brokers' are believed by, in PEM; none: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How Kafka's brokers are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KafkaSecurity {
    /// In the clear, by anybody.
    Plaintext,
    /// TLS.
    Ssl,
    /// TLS, with user and password.
    SaslSsl,
}

/// What SASL does with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[expect(missing_docs, reason = "the names are those of RFC 4616, RFC 7677 and Kafka")]
pub enum SaslMechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// `[webhook]`: how organisers' endpoints are told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Seconds that an endpoint may take.
    pub timeout_seconds: u64,
    /// Seconds that an event is tried again.
    pub retry_seconds: u64,
    /// Whether http and private addresses are allowed: development only.
    pub insecure: bool,
}

/// `[privacy]`: what becomes of users' ids.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// The key of the names that events give to users; none: their ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export_key_file: Option<PathBuf>,
    /// How long users keep their names behind the end of what they did; 0: for good.
    pub retention_days: u32,
}

/// `[coalesce]`: bounds of one batch and of the queue before it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Coalesce {
    /// Seats in one script call.
    pub batch_weight: usize,
    /// Requests that wait, per script and concert.
    pub queue_requests: usize,
}

/// `[telemetry]`: what is written to stderr, and where traces go.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// For whom.
    pub format: LogFormat,
    /// A level, or a list of `module=level`.
    pub level: String,
    /// Whether anything is counted.
    pub metrics: bool,
    /// The base address of an OTLP/HTTP collector; empty: no traces.
    pub otlp_endpoint: String,
    /// Of traces that begin here, the part that is kept, 0 to 1.
    pub otlp_sample_ratio: f64,
    /// `service.name` of the traces.
    pub service_name: String,
    /// `service.instance.id` of the traces; empty: a random one for each start.
    pub service_instance: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// `[worker]`: how often the loops run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Milliseconds between two admissions of a concert.
    pub admit_interval_ms: u64,
    /// Milliseconds between two sweeps of ended holds and places.
    pub expire_interval_ms: u64,
    /// Milliseconds between two trims of the logs.
    pub trim_interval_ms: u64,
    /// Milliseconds between two batches of refunds of a concert with a cancelled show.
    pub refund_interval_ms: u64,
    /// Reservations of such a batch.
    pub refund_batch: usize,
    /// Seconds between two audits; 0: never.
    pub audit_interval_seconds: u64,
    /// Health and metrics of a worker that is no server.
    pub ops_listen: SocketAddr,
}
