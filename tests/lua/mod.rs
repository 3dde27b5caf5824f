//! The scripts of `lua/`, each by itself on a real Redis: every outcome in order of precedence, all that a call leaves behind,
//! the millisecond before and at each bound.

pub(crate) mod call;
mod promise;
pub(crate) mod script;
pub(crate) mod state;
mod step;
mod world;

mod admit;
mod block;
mod buyers;
mod cancel;
mod card;
mod card_refund;
mod catalog;
mod charge;
mod claim;
mod expire;
mod forget;
mod forget_idle;
mod forget_top_up;
mod hold;
mod hold_place;
mod join;
mod lapse;
mod leave;
mod lost;
mod memory;
mod open_log;
mod open_show;
mod pay;
mod pay_place;
mod policy;
mod rebuild;
mod refund;
mod refund_requests;
mod release;
mod requests;
mod sale;
mod snapshot;
mod throws;
mod tidy;
mod top_up;
mod trim;
