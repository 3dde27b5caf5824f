//! Tidying: forgets requests after their 24 hours, and ended reservations 24 hours after the archive has them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::{is_selling, report, step_deadline};
use crate::domain::ids::{ConcertId, LogName};
use crate::domain::time::Millis;
use crate::follow::Applied;
use crate::store::{Failure, Store};

/// Between two rounds.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// Steps of 100 requests and 100 reservations of one log in one round.
const STEPS_MAX: usize = 100;

/// Where a log ended at the last round, and when that was: all before is archived once the archive is there.
type Marks = BTreeMap<LogName, (u64, Millis)>;

/// Tidies all concerts and wallets until shut down.
pub async fn tidying(store: Store, applied: watch::Receiver<Applied>, mut shutdown: watch::Receiver<bool>) {
    let mut marks = Marks::new();
    let rounds = async {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            let archived = applied.borrow().clone();
            tidy_concerts(&store, &archived, &mut marks).await;
            tidy_wallets(&store).await;
        }
    };
    tokio::select! {
        _ = shutdown.wait_for(|stop| *stop) => {}
        () = rounds => {}
    }
}

async fn tidy_concerts(store: &Store, archived: &Applied, marks: &mut Marks) {
    for (log, offset) in archived.iter() {
        let LogName::Concert(concert) = *log else { continue };
        let Some(seen) = store.seen().get(*log).filter(|_| is_selling(store.seen(), concert)) else {
            continue;
        };
        let (number, at) = *marks.entry(*log).or_insert_with(|| (seen.offset().number, wall_clock()));
        if offset.number < number {
            continue;
        }
        if let Err(failure) = tidy_concert(store, concert, at).await {
            report("tidy", concert, &failure);
        }
        marks.remove(log);
    }
}

async fn tidy_concert(store: &Store, concert: ConcertId, archived: Millis) -> Result<(), Failure> {
    for _ in 0..STEPS_MAX {
        if store.tidy(concert, archived, step_deadline()).await? == 0 {
            return Ok(());
        }
    }
    Ok(())
}

async fn tidy_wallets(store: &Store) {
    for _ in 0..STEPS_MAX {
        // While Redis is away there is nothing to forget in it.
        if !matches!(store.tidy_wallets(step_deadline()).await, Ok(1..)) {
            return;
        }
    }
}

/// This machine's clock; only to name a time a day ago, where a skew of minutes does not matter.
fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
