//! Sells seats when everybody comes at once: see `docs/architecture.md`.

pub mod app;
pub mod archive;
pub mod audit;
pub mod clearing;
pub mod commands;
pub mod config;
pub mod domain;
pub mod embedded;
pub mod follow;
pub mod forgetting;
pub mod gateway;
pub mod http;
pub mod live;
pub mod loops;
pub mod metrics;
pub mod opening;
pub mod publishing;
pub mod retention;
pub mod store;
pub mod telemetry;
