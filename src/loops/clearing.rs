//! Clearing: finishes card payments and refunds to cards that nobody else has, because a server died, a webhook got lost or the gateway
//! was away.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::looks::Looks;
use super::open_cards::{Board, Counts};
use super::{every, for_each_selling, step_deadline};
use crate::clearing::{Clearing, ClearingError};
use crate::domain::card::CardPayment;
use crate::domain::ids::{ConcertId, PaymentId};
use crate::domain::time::Millis;
use crate::live::Live;
use crate::store::{Failure, Store};

/// Payments of one concert that the gateway is asked about at once.
const AT_ONCE: usize = 16;

/// After so long no more payments of a concert are looked at in one tick, which all other concerts wait for.
const TICK: Duration = Duration::from_secs(10);

/// Clears for all concerts until shut down. A payment in whose state nothing has moved for `period` is looked at.
pub async fn clearing(
    clearing: Clearing,
    store: Store,
    live: Live,
    period: Duration,
    shutdown: watch::Receiver<bool>,
) {
    let (looks, board) = (Arc::<Looks>::default(), Arc::<Board>::default());
    every(period, shutdown, async || {
        let step = |store, concert| {
            let rest = (Arc::clone(&looks), Arc::clone(&board), period);
            clear(clearing.clone(), store, concert, rest)
        };
        for_each_selling("clear", &store, &live, |_| true, step).await;
        board.show();
    })
    .await;
}

async fn clear(
    clearing: Clearing,
    store: Store,
    concert: ConcertId,
    (looks, board, period): (Arc<Looks>, Arc<Board>, Duration),
) -> Result<(), Failure> {
    let until = Instant::now() + TICK;
    let (mut open, mut next) = (HashMap::new(), Some(0));
    let mut now = Millis::default();
    while let Some(cursor) = next {
        let (cards, at, more) = store.cards(concert, cursor, step_deadline()).await?;
        open.extend(cards);
        (now, next) = (at, more);
    }
    let mut counts = Counts::default();
    for card in open.values() {
        counts[card.state as usize] += 1;
    }
    board.note(concert, counts);
    let mut due = looks.due(concert, open, now, period);
    due.retain(|(payment, card)| !clearing.rests(*payment, card));
    stream::iter(due)
        .take_while(|_| ready(Instant::now() < until))
        .for_each_concurrent(AT_ONCE, |(payment, card)| {
            looks.note(concert, payment, now);
            clear_one(&clearing, payment, card)
        })
        .await;
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
