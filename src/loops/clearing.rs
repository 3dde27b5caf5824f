//! Clearing: finishes card payments and refunds to cards that nobody else has, because a server died, a webhook got lost or the gateway
//! was away.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::open_cards::{Board, Counts};
use super::{every, for_each_selling, step_deadline};
use crate::clearing::{Clearing, ClearingError};
use crate::domain::card::CardPayment;
use crate::domain::ids::{ConcertId, PaymentId};
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
    let board = Arc::<Board>::default();
    every(period, shutdown, async || {
        let step = |store, concert| clear(clearing.clone(), store, concert, period, Arc::clone(&board));
        for_each_selling("clear", &store, &live, |_| true, step).await;
        board.show();
    })
    .await;
}

async fn clear(
    clearing: Clearing,
    store: Store,
    concert: ConcertId,
    period: Duration,
    board: Arc<Board>,
) -> Result<(), Failure> {
    let (mut next, mut open) = (Some(0), Counts::default());
    while let Some(cursor) = next {
        let (cards, now, more) = store.cards(concert, cursor, step_deadline()).await?;
        for (_, card) in &cards {
            open[card.state as usize] += 1;
        }
        let due = cards.into_iter().filter(|(_, card)| {
            let age = u128::try_from(now.0 - card.since.0).unwrap_or(0);
            let periods = age / period.as_millis().max(1);
            (1..EAGER).contains(&periods) || (periods > 0 && periods.is_multiple_of(8))
        });
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, |(payment, card)| clear_one(&clearing, payment, card))
            .await;
        next = more;
    }
    board.note(concert, open);
    Ok(())
}

async fn clear_one(clearing: &Clearing, payment: PaymentId, card: CardPayment) {
    let Err(error) = clearing.clear(payment, &card).await else {
        return;
    };
    let state = card.state.as_str();
    let cause = &error as &dyn std::error::Error;
    match error {
        ClearingError::Contradicts { .. }
        | ClearingError::RefundRefused { .. }
        | ClearingError::NoOwner(_) => {
            tracing::error!(%payment, state, error = cause, "a card payment needs people");
        }
        _ => tracing::warn!(%payment, state, error = cause, "a card payment waits"),
    }
}
