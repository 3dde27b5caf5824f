//! The proof of the invariants, on connections of its own, beside whatever runs.

use super::Error;
use super::installation::Installation;
use crate::audit;
use crate::config::Config;

/// Runs every check; the report's `ok` says whether all of them hold.
pub async fn audit(config: &Config) -> Result<serde_json::Value, Error> {
    let installation = Installation::connect(config).await?;
    let report = audit::run(&installation.archive, &installation.store()?, &installation.tail()?).await?;
    Ok(serde_json::to_value(report).expect("a report is plain data"))
}
