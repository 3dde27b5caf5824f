//! The words and rules of a sale: ids, money, policies, events, outcomes, tokens.
//!
//! Pure: no I/O, no clock, no randomness, no async. Time and random bits are arguments, so every rule here is
//! tested without a server. Formats follow `docs/decisions/0001-formats.md`.

pub mod card;
pub mod catalog;
pub mod cloud_event;
pub mod event;
pub mod export_key;
pub mod fields;
pub mod forgetting;
pub mod ids;
pub mod outcome;
pub mod policy;
pub mod pseudonym;
pub mod queue;
pub mod queue_token;
pub mod reservation;
pub mod retention;
pub mod seating;
pub mod ticket;
pub mod time;
pub mod top_up;
pub mod wallet;
