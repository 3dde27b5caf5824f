//! Forgetting a user, beside running servers and at least one worker.

use super::Error;
use super::installation::Installation;
use crate::config::Config;
use crate::domain::ids::UserId;
use crate::forgetting::{Forgetter, Outcome};

/// Forgets a user; unless `force`, only one of whom nothing is live.
pub async fn forget(config: &Config, user: &UserId, force: bool) -> Result<Outcome, Error> {
    let installation = Installation::connect(config).await?;
    let forgetter = Forgetter::new(installation.archive.clone(), installation.store()?);
    Ok(forgetter.forget(user, force).await?)
}
