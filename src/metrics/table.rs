//! The table: name, kind, unit, labels and help of every metric, which is the doc comment of its constant.
//!
//! Names and labels are what dashboards, rules and `docs/operations.md` go by; a test compares them.

use std::marker::PhantomData;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString, Unit};

/// A metric with `N` labels, of which handles can be made.
#[derive(Debug)]
pub struct Metric<H, const N: usize> {
    name: &'static str,
    labels: [&'static str; N],
    handle: PhantomData<H>,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// As it is scraped; of a histogram without `_bucket`, `_sum`, `_count`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it is counted in.
    pub unit: Unit,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Upper bounds of its buckets, if it is a histogram.
    pub buckets: &'static [f64],
    /// What it says.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
}

/// What a handle is got from.
pub trait Handle: Sized {
    /// Makes or finds the series with this key.
    fn register(recorder: &dyn Recorder, key: &Key) -> Self;
}

const METADATA: Metadata<'static> = Metadata::new("onsale", Level::INFO, None);

impl Handle for Counter {
    fn register(recorder: &dyn Recorder, key: &Key) -> Self {
        recorder.register_counter(key, &METADATA)
    }
}

impl Handle for Gauge {
    fn register(recorder: &dyn Recorder, key: &Key) -> Self {
        recorder.register_gauge(key, &METADATA)
    }
}

impl Handle for Histogram {
    fn register(recorder: &dyn Recorder, key: &Key) -> Self {
        recorder.register_histogram(key, &METADATA)
    }
}

impl<H: Handle, const N: usize> Metric<H, N> {
    /// The series with these values of its labels, to be kept by the caller.
    pub fn with<V: Into<SharedString>>(&self, values: [V; N]) -> H {
        let labels = self.labels.into_iter().zip(values).map(|(label, value)| Label::new(label, value));
        let key = Key::from_parts(self.name, labels.collect::<Vec<_>>());
        metrics::with_recorder(|recorder| H::register(recorder, &key))
    }
}

impl<H: Handle> Metric<H, 0> {
    /// Its only series.
    pub fn handle(&self) -> H {
        self.with::<&'static str>([])
    }
}

/// Buckets of HTTP requests: those of OpenTelemetry's conventions.
const REQUEST: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Buckets of calls to an engine: a script takes well under 1 ms, and at most the response timeout.
const CALL: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
/// Buckets of requests that share one call.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
const NO_BUCKETS: &[f64] = &[];

macro_rules! table {
    ($(
        $(#[doc = $help:literal])+
        $kind:ident $constant:ident $name:literal [$($label:literal)*] $unit:ident $buckets:ident;
    )*) => {
        $(
            $(#[doc = $help])+
            pub const $constant: Metric<$kind, { <[&str]>::len(&[$($label),*]) }> =
                Metric { name: $name, labels: [$($label),*], handle: PhantomData };
        )*

        /// Every metric.
        pub const ALL: &[Row] = &[$(Row {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            buckets: $buckets,
            help: concat!($($help),+),
        }),*];
    };
}

table! {
    /// How long HTTP requests took from head to answer, by method, route and status.
    Histogram HTTP_REQUEST_DURATION "http_server_request_duration_seconds"
        ["http_request_method" "http_route" "http_response_status_code"] Seconds REQUEST;
    /// HTTP requests under way.
    Gauge HTTP_ACTIVE_REQUESTS "http_server_active_requests" [] Count NO_BUCKETS;
    /// Open connections of the public listener.
    Gauge HTTP_OPEN_CONNECTIONS "http_server_open_connections" [] Count NO_BUCKETS;

    /// What requests to the scripts came to: the script's outcome by its name, or the failure that kept it from being known.
    Counter OUTCOMES "onsale_outcomes_total" ["verb" "result"] Count NO_BUCKETS;
    /// How long a call of a script took, as the caller sees it.
    Histogram SCRIPT_DURATION "onsale_script_duration_seconds" ["script"] Seconds CALL;
    /// Requests that left together in one call of a script.
    Histogram SCRIPT_BATCH "onsale_script_batch_requests" ["script"] Count BATCH;
    /// Requests that waited when the last batch was taken, over all concerts and cores; 0 at rest.
    Gauge COALESCER_WAITING "onsale_coalescer_waiting_requests" ["script"] Count NO_BUCKETS;

    /// Places waiting in line.
    Gauge QUEUE_WAITING "onsale_queue_waiting" ["concert"] Count NO_BUCKETS;
    /// Places admitted and not ended.
    Gauge QUEUE_ACTIVE "onsale_queue_active" ["concert"] Count NO_BUCKETS;
    /// Places given in line, as this process read them in the log.
    Counter QUEUE_JOINED "onsale_queue_joined_total" ["concert"] Count NO_BUCKETS;
    /// Places admitted, as this process read them in the log.
    Counter QUEUE_ADMITTED "onsale_queue_admitted_total" ["concert"] Count NO_BUCKETS;
    /// Places whose owner showed up, as this process read them in the log.
    Counter QUEUE_CLAIMED "onsale_queue_claimed_total" ["concert"] Count NO_BUCKETS;
    /// Places that ended, by why, as this process read them in the log.
    Counter QUEUE_ENDED "onsale_queue_ended_total" ["concert" "reason"] Count NO_BUCKETS;
    /// Seats of a show by status.
    Gauge SEATS "onsale_seats" ["concert" "show" "status"] Count NO_BUCKETS;
    /// Money taken and not given back, in minor units of the currency.
    Gauge REVENUE "onsale_revenue_minor_units" ["concert"] Count NO_BUCKETS;
    /// What happened to reservations, as this process read it in the log.
    Counter RESERVATIONS "onsale_reservations_total" ["concert" "event"] Count NO_BUCKETS;

    /// Card payments that the gateway captured or voided, and refunds that it gave back or refused, as this process read it in the log.
    Counter CARD_ENDED "onsale_card_ended_total" ["concert" "end"] Count NO_BUCKETS;
    /// Card payments and refunds to cards that are not at their end, by what is left to do, as the worker last counted them.
    Gauge CARD_OPEN "onsale_card_open" ["concert" "state"] Count NO_BUCKETS;
    /// Times that the gateway answered otherwise than was decided: it does not capture, void or refund what it was told to, or takes a
    /// refund back.
    Counter GATEWAY_CONTRADICTIONS "onsale_gateway_contradictions_total" ["kind" "told"] Count NO_BUCKETS;
    /// Charges through the gateway that are not at their end, by what is left to do, as the worker last counted them.
    Gauge TOP_UP_OPEN "onsale_top_up_open" ["state"] Count NO_BUCKETS;
    /// Time since the oldest of them was decided, or its time was over; 0: nothing is left to do of any.
    Gauge TOP_UP_OVERDUE "onsale_top_up_overdue_seconds" [] Seconds NO_BUCKETS;

    /// Logs that this process brought to the end of their retention; those of wallets once a day.
    Counter RETENTION_LOGS "onsale_retention_logs_total" [] Count NO_BUCKETS;
    /// Logs whose retention was begun and is not at its end, as the worker last counted them.
    Gauge RETENTION_OPEN "onsale_retention_open" [] Count NO_BUCKETS;
    /// Time since the first of them was begun; 0: there is none.
    Gauge RETENTION_OPEN_FOR "onsale_retention_open_seconds" [] Seconds NO_BUCKETS;

    /// Entries that a follower has not applied yet, of the log where it is furthest behind.
    Gauge FOLLOWER_LAG_ENTRIES "onsale_follower_lag_entries" ["follower"] Count NO_BUCKETS;
    /// Age of the oldest entry that a follower has not applied yet, to a second.
    Gauge FOLLOWER_LAG "onsale_follower_lag_seconds" ["follower"] Seconds NO_BUCKETS;
    /// Entries that a follower applied.
    Counter FOLLOWER_ENTRIES "onsale_follower_entries_total" ["follower"] Count NO_BUCKETS;
    /// Times that what a follower tells was not taken, or that it could not be read.
    Counter FOLLOWER_FAILURES "onsale_follower_failures_total" ["follower"] Count NO_BUCKETS;
    /// Time since all live views, but those of stopped logs, were last known to have all that Redis could tell.
    Gauge VIEW_STALENESS "onsale_view_staleness_seconds" [] Seconds NO_BUCKETS;
    /// How long a transaction of the archive follower took, of those that were committed.
    Histogram ARCHIVE_TRANSACTION "onsale_archive_transaction_duration_seconds" [] Seconds CALL;
    /// Events committed to MySQL by this process.
    Counter ARCHIVE_EVENTS "onsale_archive_events_total" [] Count NO_BUCKETS;
    /// Log entries that Redis keeps, all logs together.
    Gauge LOG_ENTRIES "onsale_log_entries" [] Count NO_BUCKETS;
    /// Logs that are stopped in this process: lost, or recovering.
    Gauge LOGS_STOPPED "onsale_logs_stopped" [] Count NO_BUCKETS;

    /// 1 while Redis answers this process, else 0.
    Gauge REDIS_UP "onsale_redis_up" [] Count NO_BUCKETS;
    /// 1 while MySQL answers this process, else 0.
    Gauge MYSQL_UP "onsale_mysql_up" [] Count NO_BUCKETS;
    /// Connections made to Redis for scripts; more than one for each core and loop means that some broke.
    Counter REDIS_CONNECTS "onsale_redis_connects_total" [] Count NO_BUCKETS;
    /// Memory that Redis uses.
    Gauge REDIS_USED_MEMORY "onsale_redis_used_memory_bytes" [] Bytes NO_BUCKETS;
    /// The configured bound of that memory, at which new holds and joins are refused; 0: none.
    Gauge REDIS_MEMORY_BOUND "onsale_redis_memory_bound_bytes" [] Bytes NO_BUCKETS;
    /// The maxmemory that Redis itself is set to, at which payments are all that goes on; 0: none.
    Gauge REDIS_MAXMEMORY "onsale_redis_maxmemory_bytes" [] Bytes NO_BUCKETS;

    /// 1 if the last audit of the worker found nothing against this check, else 0.
    Gauge AUDIT_OK "onsale_audit_ok" ["check"] Count NO_BUCKETS;
    /// Unix time at which the last audit of the worker was over.
    Gauge AUDIT_LAST_RUN "onsale_audit_last_run_timestamp_seconds" [] Seconds NO_BUCKETS;
    /// Time that the worker lets pass from one audit to the next; 0: it makes none.
    Gauge AUDIT_INTERVAL "onsale_audit_interval_seconds" [] Seconds NO_BUCKETS;

    /// 1; the version is its label.
    Gauge BUILD_INFO "onsale_build_info" ["version"] Count NO_BUCKETS;
    /// CPU time of this process, user and system.
    Counter PROCESS_CPU "process_cpu_seconds_total" [] Seconds NO_BUCKETS;
    /// Memory of this process that is in RAM.
    Gauge PROCESS_RESIDENT_MEMORY "process_resident_memory_bytes" [] Bytes NO_BUCKETS;
    /// Open file descriptors.
    Gauge PROCESS_OPEN_FDS "process_open_fds" [] Count NO_BUCKETS;
    /// Most file descriptors that may be open.
    Gauge PROCESS_MAX_FDS "process_max_fds" [] Count NO_BUCKETS;
    /// Unix time at which this process started.
    Gauge PROCESS_START_TIME "process_start_time_seconds" [] Seconds NO_BUCKETS;
    /// Threads of this process.
    Gauge PROCESS_THREADS "process_threads" [] Count NO_BUCKETS;
}

impl Row {
    /// The row of this name.
    pub fn of(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|row| row.name == name)
    }
}

impl Kind {
    /// The word in the exposition format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for row in ALL {
            assert_eq!(row.name.ends_with("_total"), row.kind == Kind::Counter, "{}", row.name);
            assert_eq!(row.buckets.is_empty(), row.kind != Kind::Histogram, "{}", row.name);
            assert!(row.buckets.is_sorted(), "{}", row.name);
            assert!(row.help.ends_with('.'), "{}", row.name);
            let bytes = row.name.ends_with("_bytes");
            assert_eq!(bytes, row.unit == Unit::Bytes, "{}", row.name);
            let seconds = row.name.trim_end_matches("_total").ends_with("_seconds");
            assert_eq!(seconds, row.unit == Unit::Seconds, "{}", row.name);
            assert_eq!(ALL.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
        }
    }
}
