//! What the HTTP layer is told: limits, times and the rules of charging. Plain data; the configuration fills it.

use std::time::Duration;

/// Limits and times of the public listener, and what the wallet allows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads, each with a runtime and a listener of its own; at least 1.
    pub cores: usize,
    /// Open connections of the whole process; at the bound the kernel's backlog waits.
    pub max_connections: usize,
    /// Bytes of a request's body; more is 413.
    pub max_body_bytes: usize,
    /// From the first byte of a request's head to its last.
    pub header_read_timeout: Duration,
    /// For the whole body of a request.
    pub body_read_timeout: Duration,
    /// Without a request for so long, a connection is closed (an idle one costs 18 KiB).
    pub keep_alive_idle: Duration,
    /// From the end of its head to the answer: what a request may take.
    pub request_deadline: Duration,
    /// How long a read that is as fresh as the archive waits for what its client has seen, at most half of the request's time.
    pub catch_up: Duration,
    /// Between the signal to stop and the end of accepting.
    pub drain: Duration,
    /// Whether webhooks may have http addresses and private ones.
    pub insecure_webhooks: bool,
    /// How safe an answer is on this installation.
    pub durability: Durability,
    /// Money.
    pub wallet: Wallet,
}

/// How safe an effect is when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// In the memory of Redis.
    Memory,
    /// Synced to its disk.
    Disk,
}

/// Who may charge a balance through `POST /v1/users/{userId}/balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUp {
    /// Everybody his own; a cashier any. For development.
    Themselves,
    /// The role `cashier`, any.
    Cashier,
    /// Everybody his own, by what the payment gateway takes; a cashier any, directly.
    Gateway,
}

/// The rules of balances.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// ISO 4217: the one currency of all balances.
    pub currency: String,
    /// Who may charge.
    pub top_up: TopUp,
    /// The least that one charge may bring, minor units.
    pub charge_min: i64,
    /// The most.
    pub charge_max: i64,
    /// Whether charging needs an ACTIVE queue token of any concert.
    pub charge_needs_active: bool,
    /// How long the gateway may take to authorise a charge.
    pub top_up_within: Duration,
}
