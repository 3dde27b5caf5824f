//! The HTTP contract against a whole server.

mod app;
mod connection;
mod sale;
