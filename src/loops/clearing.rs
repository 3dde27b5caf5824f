//! Clearing: finishes card payments that nobody else has, because a server died, a webhook got lost or the gateway was away.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::{every, for_each_selling, step_deadline};
use crate::clearing::{Clearing, ClearingError};
use crate::domain::card::CardPayment;
use crate::domain::ids::{ConcertId, PaymentId};
use crate::domain::time::Millis;
use crate::live::Live;
use crate::store::{Failure, Store};

/// Payments of one concert that the gateway is asked about at once.
const AT_ONCE: usize = 16;

/// So many periods a payment is looked at in each, then in every eighth: most are over by then, or wait for a buyer.
const EAGER: u128 = 16;

/// Clears for all concerts until shut down. A payment in whose state nothing has moved for `period` is looked at.
pub async fn clearing(
    clearing: Clearing,
    store: Store,
    live: Live,
    period: Duration,
    shutdown: watch::Receiver<bool>,
) {
    every(period, shutdown, || {
        let clearing = clearing.clone();
        let step = move |store, concert| clear(clearing.clone(), store, concert, period);
        for_each_selling("clear", &store, &live, |_| true, step)
    })
    .await;
}

async fn clear(
    clearing: Clearing,
    store: Store,
    concert: ConcertId,
    period: Duration,
) -> Result<(), Failure> {
    let mut next = Some(0);
    while let Some(cursor) = next {
        let (cards, now, more) = store.cards(concert, cursor, step_deadline()).await?;
        let due = cards.into_iter().filter(|(_, card)| is_due(now, card.since, period));
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, |(payment, card)| clear_one(&clearing, payment, card))
            .await;
        next = more;
    }
    Ok(())
}

/// Whether one in whose state nothing has moved since then is to be looked at in this period.
pub(super) fn is_due(now: Millis, since: Millis, period: Duration) -> bool {
    let age = u128::try_from(now.0 - since.0).unwrap_or(0);
    let periods = age / period.as_millis().max(1);
    (1..EAGER).contains(&periods) || (periods > 0 && periods.is_multiple_of(8))
}

async fn clear_one(clearing: &Clearing, payment: PaymentId, card: CardPayment) {
    let Err(error) = clearing.clear(payment, &card).await else {
        return;
    };
    let state = card.state.as_str();
    let cause = &error as &dyn std::error::Error;
    match error {
        ClearingError::Contradicts { .. } | ClearingError::NoOwner(_) => {
            tracing::error!(%payment, state, error = cause, "a card payment needs people");
        }
        _ => tracing::warn!(%payment, state, error = cause, "a card payment waits"),
    }
}
