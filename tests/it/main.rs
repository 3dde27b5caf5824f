//! Everything that is tested from outside, in one binary: real Redis, real MariaDB, the real command.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod archive;
mod audit;
mod config;
mod embedded;
mod harness;
mod live;
mod store;
#[allow(dead_code, reason = "what the tests of the day don't need stays for those of tomorrow")]
mod support;
