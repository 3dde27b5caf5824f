//! Everything that is tested from outside, in one binary: real Redis, real MariaDB, the real command.

#![expect(
    clippy::unwrap_used,
    reason = "a test panics where it fails, and clippy knows only the functions marked as tests"
)]

mod config;
mod harness;
#[allow(dead_code, reason = "the harness has what the modules of the other verbs need")]
#[path = "../lua/mod.rs"]
mod lua;
mod store;
#[allow(dead_code, reason = "what the tests of the day don't need stays for those of tomorrow")]
mod support;
