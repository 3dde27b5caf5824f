//! What goes wrong under a running sale: killed processes, lost logs, broken connections, full memory.
//!
//! The servers are processes of the built command. What was acknowledged must be there afterwards, once.

mod brought_back;
pub(crate) mod buyer;
mod cancelled;
mod card_loss;
mod card_refunds;
mod crash;
mod engines;
mod forgotten;
mod gateway;
mod half_open;
pub(crate) mod ledger;
mod loss;
mod network;
pub(crate) mod site;
mod stripe;
mod torn;
mod trouble;
pub(crate) mod worker;
