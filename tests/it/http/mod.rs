//! The HTTP contract against a whole server.

mod app;
mod client;
mod connection;
mod errors;
mod events;
mod idempotency;
mod queue;
mod reads;
mod reservation;
mod rush;
mod sale;
mod security;
mod wallet;
