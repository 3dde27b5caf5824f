//! The HTTP contract against a whole server.

mod app;
mod block;
mod cancellation;
mod card;
mod card_ends;
mod card_refund;
mod client;
mod connection;
mod contradictions;
mod documents;
mod errors;
mod events;
mod idempotency;
mod organiser;
mod queue;
mod reads;
mod refund;
mod report;
mod reservation;
mod rush;
mod sale;
mod seating;
mod security;
mod stripe;
mod top_up;
mod wallet;
