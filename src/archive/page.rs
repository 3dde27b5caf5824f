//! Pages of a history: bounded, and continued by a cursor that is opaque to clients.

/// The most items of one page.
pub const LIMIT_MAX: u32 = 200;

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
