//! The scripts of `lua/`, each by itself on a real Redis: every outcome in order of precedence, all that a call leaves behind,
//! the millisecond before and at each bound.

mod call;
mod promise;
mod script;
mod state;
mod step;
mod world;

mod buyers;
mod charge;
mod expire;
mod hold;
mod hold_place;
mod lapse;
mod leave;
mod lost;
mod pay;
mod pay_place;
mod rebuild;
mod release;
mod requests;
mod sale;
mod throws;
