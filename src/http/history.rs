//! History reads: MySQL, within a request's deadline or the patience of an organiser's call.

use tokio::time::{Instant, timeout_at};

use super::problem::{Code, Problem};
use super::request::Request;
use crate::archive::Error;

/// What the archive answers before the request's deadline, else 503.
pub(crate) async fn read<T>(
    request: &Request,
    reading: impl Future<Output = Result<T, Error>>,
) -> Result<T, Problem> {
    read_until(request.deadline, reading).await
}

/// What the archive answers before this time, else 503.
pub(crate) async fn read_until<T>(
    deadline: Instant,
    reading: impl Future<Output = Result<T, Error>>,
) -> Result<T, Problem> {
    match timeout_at(deadline, reading).await {
        Ok(read) => Ok(read?),
        Err(_) => Err(Problem::new(Code::Unavailable).detail("The archive takes too long.")),
    }
}
