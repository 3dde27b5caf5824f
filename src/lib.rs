//! Sells seats when everybody comes at once: see `docs/architecture.md`.

pub mod domain;
pub mod store;
