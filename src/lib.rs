//! Sells seats when everybody comes at once.

pub mod app;
pub mod commands;
pub mod config;
pub mod embedded;
pub mod telemetry;
