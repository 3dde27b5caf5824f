//! The recorder of the process and what is scraped from it.
//!
//! It is installed before anything makes a handle, once: a second call gives the same, so that several applications of one
//! test process share it. Samples of histograms pile up until somebody asks for upkeep, scraped or not.

use std::sync::{Mutex, OnceLock, PoisonError};

use metrics::Recorder as _;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::{process, table};

/// What is scraped. Cheap to clone.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

/// The recorder could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The table's buckets can't be used.
    #[error("the recorder can't be built")]
    Build(#[from] BuildError),
    /// Something else in this process records metrics.
    #[error("metrics are recorded elsewhere already")]
    Taken,
}

static INSTALLED: OnceLock<Exposition> = OnceLock::new();
static INSTALLING: Mutex<()> = Mutex::new(());

/// Makes the process record its metrics, or finds that it does.
pub fn install() -> Result<Exposition, InstallError> {
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(installed) = INSTALLED.get() {
        return Ok(installed.clone());
    }
    let (recorder, exposition) = build()?;
    metrics::set_global_recorder(recorder).map_err(|_| InstallError::Taken)?;
    table::BUILD_INFO.with([env!("CARGO_PKG_VERSION")]).set(1.0);
    Ok(INSTALLED.get_or_init(|| exposition).clone())
}

/// What is scraped from a process that counts nothing: handles made from now on do nothing, and only the operating system tells of
/// it.
pub fn uncounted() -> Result<Exposition, InstallError> {
    Ok(build()?.1)
}

fn build() -> Result<(metrics_exporter_prometheus::PrometheusRecorder, Exposition), BuildError> {
    let mut builder = PrometheusBuilder::new();
    for row in table::ALL.iter().filter(|row| row.kind == table::Kind::Histogram) {
        builder = builder.set_buckets_for_metric(Matcher::Full(row.name.to_owned()), row.buckets)?;
    }
    let recorder = builder.build_recorder();
    for row in table::ALL {
        let (name, unit, help) = (row.name.into(), Some(row.unit), row.help.trim().into());
        match row.kind {
            table::Kind::Counter => recorder.describe_counter(name, unit, help),
            table::Kind::Gauge => recorder.describe_gauge(name, unit, help),
            table::Kind::Histogram => recorder.describe_histogram(name, unit, help),
        }
    }
    let exposition = Exposition(recorder.handle());
    exposition.keep_up();
    Ok((recorder, exposition))
}

impl Exposition {
    /// Everything in Prometheus's text format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = self.0.render();
        process::render(&mut text);
        text
    }

    /// Sorts the samples that came since the last call into their buckets: to be called about once a second.
    pub fn keep_up(&self) {
        self.0.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resident memory of this process in bytes.
    fn resident() -> u64 {
        let mut text = String::new();
        process::render(&mut text);
        let value = |line: &str| line.strip_prefix("process_resident_memory_bytes ")?.parse::<f64>().ok();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes are whole")]
        let bytes = text.lines().find_map(value).unwrap() as u64;
        bytes
    }

    #[test]
    fn millions_of_samples_without_a_scrape_cost_no_memory() {
        let (recorder, exposition) = build().unwrap();
        let (duration, outcomes) = metrics::with_local_recorder(&recorder, || {
            (table::SCRIPT_DURATION.with(["hold"]), table::OUTCOMES.with(["hold", "held"]))
        });
        let record = |count: u32| {
            for sample in 0..count {
                duration.record(f64::from(sample % 1000) / 1e5);
                outcomes.increment(1);
                if sample % 50_000 == 0 {
                    exposition.keep_up();
                }
            }
            exposition.keep_up();
        };
        record(1_000_000);
        let rendered = exposition.0.render().len();
        let mut growth = [0; 5].map(|_: i32| {
            let before = resident();
            record(1_000_000);
            resident().saturating_sub(before)
        });
        assert!(exposition.0.render().len() <= rendered + 20, "only numbers have grown");
        // A million samples left lying would be 16 MB each time. Other tests of this process need memory now and then.
        growth.sort_unstable();
        assert!(growth[2] < 4 << 20, "{growth:?} bytes");
        let outcomes = "onsale_outcomes_total{verb=\"hold\",result=\"held\"} 6000000";
        assert!(exposition.0.render().contains(outcomes));
    }

    #[test]
    fn what_is_rendered_is_described_by_the_table() {
        let (recorder, exposition) = build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            table::SCRIPT_DURATION.with(["pay"]).record(0.0002);
            table::QUEUE_WAITING.with(["7"]).set(3.0);
        });
        let text = exposition.render();
        assert!(text.contains("# TYPE onsale_script_duration_seconds histogram"), "{text}");
        assert!(
            text.contains("onsale_script_duration_seconds_bucket{script=\"pay\",le=\"0.00025\"} 1"),
            "{text}"
        );
        assert!(text.contains("# HELP onsale_queue_waiting Places waiting in line."), "{text}");
        assert!(text.contains("onsale_queue_waiting{concert=\"7\"} 3"), "{text}");
    }

    #[test]
    fn who_counts_nothing_tells_of_the_process_alone() {
        install().unwrap();
        table::REDIS_CONNECTS.handle().increment(1);
        let text = uncounted().unwrap().render();
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
        assert!(!text.contains("onsale_"), "{text}");
    }

    #[test]
    fn a_second_installation_is_the_first() {
        install().unwrap();
        table::REDIS_CONNECTS.handle().increment(1);
        assert!(install().unwrap().render().contains("onsale_redis_connects_total "));
    }
}
