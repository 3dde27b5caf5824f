//! Charges through the gateway: finishes those that nobody else has, because a server died, a webhook got lost or the gateway was
//! away.

use std::collections::HashMap;
use std::future::ready;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::looks::Looks;
use super::open_top_ups::{Board, Left};
use super::{every, step_deadline};
use crate::clearing::{Clearing, ClearingError};
use crate::domain::ids::{ChargeId, LogName};
use crate::domain::outcome::Refusal;
use crate::domain::time::Millis;
use crate::domain::top_up::TopUp;
use crate::store::{Failure, Store};

/// Top-ups of one partition that the gateway is asked about at once.
const AT_ONCE: usize = 16;

/// After so long no more top-ups of a partition are looked at in one tick, which the next partitions wait for.
const TICK: Duration = Duration::from_secs(10);

/// Whose turn it is, what is shown of them, and the period.
type Rest<'a> = (&'a Looks<u8, ChargeId>, &'a Board, Duration);

/// Clears for all wallet partitions until shut down. A top-up in whose state nothing has moved for `period` is looked at.
pub async fn top_ups(clearing: Clearing, store: Store, period: Duration, shutdown: watch::Receiver<bool>) {
    let (looks, board) = (Looks::default(), Board::new());
    every(period, shutdown, || clear_all(&clearing, &store, (&looks, &board, period))).await;
}

async fn clear_all(clearing: &Clearing, store: &Store, rest: Rest<'_>) {
    for partition in 0..store.partitions() {
        match clear(clearing, store, partition, rest).await {
            Ok(()) | Err(Failure::Stopped(_)) => {}
            Err(failure) => {
                let (log, error) = (LogName::Wallet(partition), &failure as &dyn std::error::Error);
                tracing::debug!(%log, error, "top-ups wait for Redis");
            }
        }
    }
    rest.1.show();
}

async fn clear(
    clearing: &Clearing,
    store: &Store,
    partition: u8,
    (looks, board, period): Rest<'_>,
) -> Result<(), Failure> {
    let until = Instant::now() + TICK;
    let (mut open, mut next) = (HashMap::new(), Some(0));
    let mut now = Millis::default();
    while let Some(cursor) = next {
        let (top_ups, at, more) = store.top_ups(partition, cursor, step_deadline()).await?;
        open.extend(top_ups);
        (now, next) = (at, more);
    }
    board.note(partition, Left::of(open.values(), now));
    let mut due = looks.due(partition, open, now, period);
    due.retain(|(charge, top_up)| !clearing.top_up_rests(*charge, top_up));
    stream::iter(due)
        .take_while(|_| ready(Instant::now() < until))
        .for_each_concurrent(AT_ONCE, |(charge, top_up)| {
            looks.note(partition, charge, now);
            clear_one(clearing, charge, top_up)
        })
        .await;
    Ok(())
}

async fn clear_one(clearing: &Clearing, charge: ChargeId, top_up: TopUp) {
    let Err(error) = clearing.clear_top_up(charge, &top_up).await else {
        return;
    };
    let state = top_up.state.as_str();
    let cause = &error as &dyn std::error::Error;
    match error {
        ClearingError::TopUpContradicts { .. }
        | ClearingError::NoPayer(_)
        | ClearingError::Store(Failure::Refused(Refusal::AmountOutOfRange)) => {
            tracing::error!(%charge, state, error = cause, "a top-up needs people");
        }
        _ => tracing::warn!(%charge, state, error = cause, "a top-up waits"),
    }
}
