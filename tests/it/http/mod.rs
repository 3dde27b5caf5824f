//! The HTTP contract against a whole server.

mod app;
mod client;
mod connection;
mod errors;
mod idempotency;
mod organiser;
mod queue;
mod reads;
mod report;
mod reservation;
mod rush;
mod sale;
mod seating;
mod security;
mod wallet;
