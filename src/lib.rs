//! Sells seats when everybody comes at once: see `docs/architecture.md`.

pub mod config;
pub mod domain;
pub mod live;
pub mod store;
pub mod telemetry;
