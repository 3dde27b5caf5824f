//! A refund that the gateway refuses, and people have paid otherwise, comes to its end.

use tokio::time::Instant;

use super::installation::Installation;
use super::{Error, START};
use crate::config::Config;
use crate::domain::card::CardState;
use crate::domain::ids::PaymentId;
use crate::live::Live;
use crate::loops;
use crate::store::Done;

/// Closes a refund to a card by its name, if the gateway has refused it. False: there is none that it has refused.
pub async fn close_refund(config: &Config, refund: PaymentId) -> Result<bool, Error> {
    let installation = Installation::connect(config).await?;
    // What the archive has seen of the concert's log: on one that has lost that nothing is decided.
    loops::load(&installation.archive, &installation.seen, &Live::new()).await?;
    let store = installation.store()?;
    let card = store.card_refund(refund, Instant::now() + START).await?;
    if card.is_none_or(|card| card.state != CardState::Refused) {
        return Ok(false);
    }
    Ok(store.settle(refund, Done::Returned, Instant::now() + START).await?)
}
