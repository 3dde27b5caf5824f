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

/// Calls of a command and the microseconds that they took, since the statistics were last reset.
pub(crate) async fn spent(site: &Site, command: &str) -> Result<(usize, f64)> {
    let text: String = redis::cmd("INFO").arg("commandstats").query_async(&mut site.redis().await?).await?;
    let name = format!("cmdstat_{command}:");
    let line =
        text.lines().find_map(|line| line.strip_prefix(&name)).ok_or("the command was never called")?;
    let number = |name: &str| {
        let field = line.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        field.and_then(|number| number.parse::<f64>().ok()).ok_or("statistics without a number")
    };
    let calls = line.split(',').find_map(|field| field.strip_prefix("calls=")?.parse().ok());
    Ok((calls.ok_or("statistics without calls")?, number("usec")?))
}

/// Entries that Redis keeps of a log.
pub(crate) async fn kept(site: &Site, concert: ConcertId) -> Result<usize> {
    let key = format!("{{c{concert}}}:log");
    Ok(redis::cmd("XLEN").arg(key).query_async(&mut site.redis().await?).await?)
}

/// Whether Redis is writing its append-only file anew, in a process of its own.
pub(crate) async fn rewrites(site: &Site) -> Result<bool> {
    Ok(field(site, "persistence", "aof_rewrite_in_progress").await? > 0.0)
}

/// Memory of a process that is not on disk, bytes.
pub(crate) fn resident(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.ok_or("a process without memory")? * 1024.0)
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
