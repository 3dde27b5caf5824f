//! The scripts of `lua/`, each by itself on a real Redis: every outcome in order of precedence, all that a call leaves behind,
//! the millisecond before and at each bound.

mod call;
mod promise;
pub(crate) mod script;
mod state;
mod step;
mod world;

mod admit;
mod catalog;
mod claim;
mod join;
mod leave;
mod memory;
mod open_log;
mod open_show;
mod policy;
mod snapshot;
mod tidy;
mod trim;
