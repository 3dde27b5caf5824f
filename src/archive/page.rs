//! Pages of a history: bounded, and continued by a cursor that is opaque to clients.

use std::pin::pin;

use futures_util::{Stream, TryStreamExt as _};
use tokio::task::yield_now;

use super::Error;

/// The most items of one page.
pub const LIMIT_MAX: u32 = 200;

/// Rows of a long page read in one go: whoever asks may be a core that has buyers to serve.
const ROWS_AT_ONCE: usize = 100;

/// One page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// At most as many as asked for.
    pub items: Vec<T>,
    /// Where the page after this one begins; `None` at the end.
    pub next: Option<C>,
}

/// A cursor that no page gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl<T, C> Page<T, C> {
    /// The page of these rows, of which one more than `limit` was asked for to see whether there are more.
    pub(super) fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).expect("a u32 fits a usize");
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

/// The limit within 1 and [`LIMIT_MAX`].
pub(super) fn bounded(limit: u32) -> u32 {
    limit.clamp(1, LIMIT_MAX)
}

/// Reads rows as they come, and now and then lets others go on first.
pub(super) async fn read_all<R, T>(
    rows: impl Stream<Item = Result<R, sqlx::Error>>,
    mut read: impl FnMut(&R) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let (mut rows, mut items) = (pin!(rows), Vec::new());
    while let Some(row) = rows.try_next().await? {
        items.push(read(&row)?);
        if items.len().is_multiple_of(ROWS_AT_ONCE) {
            yield_now().await;
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn others_go_on_while_a_long_page_is_read() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let items = read_all(stream::iter((0..10_000).map(Ok)), |row| Ok(*row)).await.unwrap();
        other.abort();
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns >= items.len() / ROWS_AT_ONCE && items.len() == 10_000, "{turns}");
    }
}
