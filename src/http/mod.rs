//! The HTTP contract of `api.md`: listeners, routes, identity, bodies, answers and problems.
//!
//! A request goes `server` → `connection` → `wrap` (id, panic, log, metrics) → `router` → one handler in the file
//! of its noun. Handlers decide nothing about a sale: they check a request's form, ask `store` or read `live`,
//! and put the answer in words. Only this module names `hyper`.

mod activity;
mod auth;
mod body;
mod catalog;
mod connection;
mod context;
mod durability;
mod failure;
mod freshness;
mod gate;
mod history;
mod idempotency;
mod known;
mod layout;
mod negotiate;
mod openapi;
mod operations;
mod organiser;
mod page;
mod payment;
mod problem;
mod query;
mod queue;
mod request;
mod reservation;
mod response;
mod router;
mod seats;
mod server;
mod settings;
mod sheet;
mod wallet;
mod wrap;

pub use auth::keys::{Algorithm, IdentityKey, IdentityKeys, InvalidKey, Material};
pub use auth::{Identity, Role};
pub use context::{Context, Parts};
pub use operations::{Health, Operations};
pub use server::{ServeError, Server};
pub use settings::{Durability, Settings, TopUp, Wallet};
