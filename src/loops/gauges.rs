//! Gauges of what this process knows: concerts and shows from the live views, stopped logs, MySQL. Once a second.
//!
//! Also the upkeep of the recorder, without which the samples of histograms pile up as long as nobody scrapes.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::Instant;

use super::every;
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::time::Millis;
use crate::live::{ConcertView, Live, SaleState, SeatCounts};
use crate::metrics::{
    self, Exposition, Gauge, concert_label, concert_over, float, known_concert, show_label,
};
use crate::store::SeenLogs;

const PERIOD: Duration = Duration::from_secs(1);

/// Where the gauges come from.
pub struct Gauges {
    /// Concerts and shows.
    pub live: Live,
    /// Logs that stopped.
    pub seen: SeenLogs,
    /// Whether MySQL answers.
    pub mysql: watch::Receiver<bool>,
    /// To be kept up.
    pub exposition: Exposition,
}

/// Sets them until shut down.
pub async fn gauges(gauges: Gauges, shutdown: watch::Receiver<bool>) {
    let mut board = Board::new();
    every(PERIOD, shutdown, || {
        board.set(&gauges);
        gauges.exposition.keep_up();
        std::future::ready(())
    })
    .await;
}

/// Handles, and sums of what shares one.
struct Board {
    begun: Instant,
    staleness: Gauge,
    stopped: Gauge,
    mysql: Gauge,
    concerts: HashMap<ConcertId, [String; 1]>,
    shows: HashMap<ShowId, [String; 2]>,
    places: HashMap<[String; 1], Series<3>>,
    seats: HashMap<[String; 2], Series<4>>,
}

/// Gauges of one label with what is to be shown of them.
struct Series<const N: usize> {
    handles: [Gauge; N],
    sums: [f64; N],
}

impl<const N: usize> Series<N> {
    fn add(&mut self, values: [f64; N]) {
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum += value;
        }
    }

    fn show(&mut self) {
        for (handle, sum) in self.handles.iter().zip(&mut self.sums) {
            handle.set(std::mem::take(sum));
        }
    }
}

impl Board {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            staleness: metrics::VIEW_STALENESS.handle(),
            stopped: metrics::LOGS_STOPPED.handle(),
            mysql: metrics::MYSQL_UP.handle(),
            concerts: HashMap::new(),
            shows: HashMap::new(),
            places: HashMap::new(),
            seats: HashMap::new(),
        }
    }

    fn set(&mut self, gauges: &Gauges) {
        let stale = gauges.live.staleness().unwrap_or_else(|| self.begun.elapsed());
        self.staleness.set(stale);
        self.stopped.set(float(gauges.seen.lost().len() as u64));
        self.mysql.set(f64::from(u8::from(*gauges.mysql.borrow())));
        let now = wall_clock();
        for view in gauges.live.concerts().iter() {
            let concert = view.concert().concert;
            // One that was over before it was ever shown takes no label from those on sale.
            let is_over = view.state(now) == SaleState::Closed;
            if !is_over || known_concert(concert) {
                self.add(concert, view);
            }
            if is_over {
                concert_over(concert, view.shows().iter().map(|show| show.layout().show));
            }
        }
        self.places.values_mut().for_each(Series::show);
        self.seats.values_mut().for_each(Series::show);
    }

    fn add(&mut self, concert: ConcertId, view: &ConcertView) {
        let label = self.concerts.entry(concert).or_insert_with(|| [concert_label(concert)]);
        let (line, revenue) = (view.line(), view.sales().revenue);
        let places = self.places.entry(label.clone()).or_insert_with_key(|label| Series {
            handles: [
                metrics::QUEUE_WAITING.with(label.clone()),
                metrics::QUEUE_ACTIVE.with(label.clone()),
                metrics::REVENUE.with(label.clone()),
            ],
            sums: [0.0; 3],
        });
        #[expect(clippy::cast_precision_loss, reason = "money stays below 2^53")]
        let revenue = revenue as f64;
        places.add([float(line.waiting), float(line.active), revenue]);
        for show in view.shows().iter() {
            let id = show.layout().show;
            let label = self.shows.entry(id).or_insert_with(|| show_label(concert, id));
            let seats = self.seats.entry(label.clone()).or_insert_with_key(|[concert, show]| Series {
                handles: metrics::SEAT_STATUSES
                    .map(|status| metrics::SEATS.with([concert.clone(), show.clone(), status.to_owned()])),
                sums: [0.0; 4],
            });
            let SeatCounts { available, held, booked, blocked } = show.counts();
            seats.add([available, held, booked, blocked].map(float));
        }
    }
}

/// This machine's clock; only to tell which concerts are over.
fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
