//! What Redis says of itself.

use onsale::domain::ids::ConcertId;

use crate::{Result, site::Site};

/// Calls of a command since the start, as in `INFO commandstats`.
pub(crate) async fn calls(site: &Site, command: &str) -> Result<f64> {
    field(site, "commandstats", &format!("cmdstat_{command}:calls")).await
}

/// What was asked of Redis since the start, by servers and workers: script calls, and reads of logs.
pub(crate) async fn asked(site: &Site) -> Result<f64> {
    Ok(calls(site, "evalsha").await? + calls(site, "xread").await?)
}

/// Bytes in use.
pub(crate) async fn memory(site: &Site) -> Result<f64> {
    field(site, "memory", "used_memory").await
}

/// People in the line of a concert.
pub(crate) async fn waiting(site: &Site, concert: ConcertId) -> Result<u64> {
    let key = format!("{{c{concert}}}:queue");
    Ok(redis::cmd("ZCARD").arg(key).query_async(&mut site.redis().await?).await?)
}

/// The first number of a line of `INFO`; 0 if there is no such line yet.
async fn field(site: &Site, section: &str, name: &str) -> Result<f64> {
    let text: String = redis::cmd("INFO").arg(section).query_async(&mut site.redis().await?).await?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix([':', '=']));
    let number = line.and_then(|rest| rest.split(',').next()).unwrap_or("0");
    Ok(number.trim().parse()?)
}
