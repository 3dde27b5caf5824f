//! Sells seats when everybody comes at once.

pub mod config;
pub mod telemetry;
