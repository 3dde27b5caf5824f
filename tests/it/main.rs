//! Everything that is tested from outside, in one binary: real Redis, real MariaDB, the real command.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod admission;
mod archive;
mod audit;
mod bounds;
mod compose;
mod config;
mod demo;
mod embedded;
mod engines;
mod faults;
mod gateway_page;
mod harness;
mod http;
mod kafka;
mod live;
#[allow(dead_code, reason = "the harness has what the modules of the other verbs need")]
#[path = "../lua/mod.rs"]
mod lua;
mod model;
mod neighbours;
mod observability;
mod openapi;
mod readme;
mod source_designs;
mod store;
mod stripe;
#[allow(dead_code, reason = "what the tests of the day don't need stays for those of tomorrow")]
mod support;
mod telemetry;
mod tidy;
mod trimming;
mod webhook;
