//! How long script calls took, as Redis itself measured: its slow log, and the mean from its statistics.
//!
//! The slow log keeps only what took longer than [`KEPT_US`], so that the commands inside of scripts don't flood it. Whoever asks for
//! a high percentile counts from the longest down and never misses the short ones.

use redis::Value;

use crate::{
    Result,
    cpu::Meter,
    site::{Part, Site},
    stats,
};

/// Calls that took less are not kept, µs.
const KEPT_US: u64 = 100;
/// Calls that are kept.
const LENGTH: usize = 20_000;

/// The calls of one script.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    /// The script, and with what it was called.
    pub(crate) what: String,
    pub(crate) calls: usize,
    /// Milliseconds, as the others.
    pub(crate) mean: f64,
    pub(crate) p999: f64,
    pub(crate) longest: f64,
    /// Mean of Redis's CPU for a call, its writing and fsync included: what no busy neighbour adds to.
    pub(crate) cpu: f64,
}

/// Calls that are being timed.
#[derive(Debug)]
pub(crate) struct Timing(Meter);

/// Forgets what was. Nobody else may call a script until [`end`].
pub(crate) async fn begin(site: &Site) -> Result<Timing> {
    let mut pipe = redis::pipe();
    pipe.cmd("CONFIG").arg("SET").arg("slowlog-max-len").arg(LENGTH);
    pipe.cmd("CONFIG").arg("SET").arg("slowlog-log-slower-than").arg(KEPT_US);
    pipe.cmd("SLOWLOG").arg("RESET");
    pipe.cmd("CONFIG").arg("RESETSTAT");
    let _: Vec<Value> = pipe.query_async(&mut site.redis().await?).await?;
    Ok(Timing(Meter::start(&[("redis", site.id(Part::Redis))])))
}

/// What the script calls since [`begin`] took.
pub(crate) async fn end(site: &Site, timing: Timing, what: &str) -> Result<Timed> {
    let cpu = timing.0.stop().total() * 1e3;
    let (calls, spent_us) = stats::spent(site, "evalsha").await?;
    let entries: Vec<Vec<Value>> =
        redis::cmd("SLOWLOG").arg("GET").arg(LENGTH).query_async(&mut site.redis().await?).await?;
    let mut longest = Vec::new();
    for entry in &entries {
        // Id, time, microseconds, the command, …
        if let [_, _, Value::Int(us), Value::Array(command), ..] = entry.as_slice()
            && matches!(command.first(), Some(Value::BulkString(name)) if name.eq_ignore_ascii_case(b"evalsha"))
        {
            longest.push(u32::try_from(*us)?);
        }
    }
    longest.sort_unstable_by(|one, other| other.cmp(one));
    let above = calls / 1000;
    let ms = |at: usize| longest.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1e3);
    let short = f64::from(u32::try_from(KEPT_US)?) / 1e3;
    #[expect(clippy::cast_precision_loss, reason = "nobody calls 2^52 times")]
    let (mean, cpu) = (spent_us / 1e3 / calls as f64, cpu / calls as f64);
    let (p999, longest) = (ms(above).max(short), ms(0).max(short));
    Ok(Timed { what: what.to_owned(), calls, mean, p999, longest, cpu })
}
