//! Whose turn it is: the deliveries of one holder of the lease.
//!
//! A delivery ends after some seconds, and the place that comes free is for the webhook that has waited longest for one, so
//! slow endpoints, however many, can't keep the places to themselves. What a webhook has to be told is looked up only when
//! there may be something.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::delivery::{Delivery, Means, now, tell_letters};
use crate::archive::{Error, Webhook};
use crate::domain::ids::{LogName, Mark};
use crate::domain::time::Millis;
use crate::follow::Applied;
use crate::live::Live;

/// Deliveries under way at once, those of one organiser, and those of one endpoint: as many connections as it sees.
const AT_ONCE: usize = 64;
const AT_ONCE_ORG: usize = 16;
const AT_ONCE_EACH: usize = 4;

/// Dead letters told in one turn.
const LETTERS: u32 = 20;

/// How long what panicked is left alone: it would most likely do so again.
const PANICKED: Duration = Duration::from_mins(1);

/// Whom a delivery tells, and of which log; `None`: its dead letters.
struct Place {
    webhook: Arc<Webhook>,
    log: Option<LogName>,
}

/// Why there is nothing to look up for a webhook: nothing was due.
struct Quiet {
    /// What the archive had of its logs.
    heads: Vec<(LogName, u64)>,
    /// When the first retry is due.
    until: Millis,
}

/// What one holder of the lease has under way.
#[derive(Default)]
pub(super) struct Session {
    log_ids: BTreeMap<LogName, Mark>,
    deliveries: JoinSet<Result<(), Error>>,
    under_way: HashMap<Id, Place>,
    /// When each webhook last had a turn, in turns since the session began.
    turns: BTreeMap<u32, u64>,
    turn: u64,
    quiet: BTreeMap<u32, Quiet>,
    panicked: BTreeMap<(u32, Option<LogName>), Instant>,
}

impl Session {
    /// Waits for something to do: an entry, or the end of a delivery.
    pub(super) async fn wait(&mut self, applied: &mut watch::Receiver<Applied>) {
        tokio::select! {
            _ = applied.changed() => {}
            Some(ended) = self.deliveries.join_next_with_id() => self.ended(ended),
        }
    }

    fn ended(&mut self, ended: Result<(Id, Result<(), Error>), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(Place { webhook, log }) = self.under_way.remove(&id) else {
            return;
        };
        let webhook = webhook.webhook;
        match ended {
            Ok((_, Ok(()))) => {}
            Ok((_, Err(error))) => {
                tracing::warn!(
                    webhook,
                    ?log,
                    error = &error as &dyn std::error::Error,
                    "a delivery broke off"
                );
            }
            Err(error) => {
                tracing::error!(webhook, ?log, %error, "a delivery panicked");
                self.panicked.insert((webhook, log), Instant::now() + PANICKED);
            }
        }
    }

    /// Begins what is due. Answers whether there is any webhook.
    pub(super) async fn round(&mut self, means: &Means, applied: &Applied) -> Result<bool, Error> {
        while let Some(ended) = self.deliveries.try_join_next_with_id() {
            self.ended(ended);
        }
        let mut webhooks = means.archive.webhooks().await?;
        if webhooks.is_empty() {
            return Ok(false);
        }
        let with_letters = means.archive.webhooks_with_due_letters().await?;
        webhooks.sort_by_key(|webhook| self.turns.get(&webhook.webhook).copied());
        for webhook in webhooks.into_iter().map(Arc::new) {
            if with_letters.contains(&webhook.webhook) && self.is_free(&webhook, None) {
                self.begin_letters(&webhook, means).await?;
            }
            if self.room(&webhook) > 0 {
                self.begin(&webhook, means, applied).await?;
            }
        }
        Ok(true)
    }

    /// How many deliveries to this webhook may begin.
    fn room(&self, webhook: &Webhook) -> usize {
        let (mut its_own, mut of_its_org) = (0, 0);
        for place in self.under_way.values() {
            its_own += usize::from(place.webhook.webhook == webhook.webhook);
            of_its_org += usize::from(place.webhook.org == webhook.org);
        }
        let rooms = [(AT_ONCE, self.under_way.len()), (AT_ONCE_ORG, of_its_org), (AT_ONCE_EACH, its_own)];
        rooms.into_iter().map(|(most, busy)| most.saturating_sub(busy)).min().unwrap_or_default()
    }

    /// Whether a delivery of this log to this webhook may begin.
    fn is_free(&self, webhook: &Webhook, log: Option<LogName>) -> bool {
        let rests = self.panicked.get(&(webhook.webhook, log)).is_some_and(|until| Instant::now() < *until);
        let is_it = |place: &Place| place.webhook.webhook == webhook.webhook && place.log == log;
        !rests && self.room(webhook) > 0 && !self.under_way.values().any(is_it)
    }

    fn spawn(&mut self, place: Place, delivery: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.turn += 1;
        self.turns.insert(place.webhook.webhook, self.turn);
        let id = self.deliveries.spawn(delivery).id();
        self.under_way.insert(id, place);
    }

    /// Begins with the logs of this webhook that are behind, the one least far first.
    async fn begin(&mut self, webhook: &Arc<Webhook>, means: &Means, applied: &Applied) -> Result<(), Error> {
        let (id, now) = (webhook.webhook, now());
        let heads = heads_of(&means.live, &webhook.org, applied);
        if self.quiet.get(&id).is_some_and(|quiet| now < quiet.until && quiet.heads == heads) {
            return Ok(());
        }
        let mut progress = means.archive.webhook_progress(id).await?;
        let behind = heads.iter().filter_map(|(log, head)| {
            let progress = progress.remove(log).unwrap_or_default();
            (*head > progress.number).then_some((*log, progress))
        });
        let mut behind: Vec<_> = behind.collect();
        let until = behind.iter().map(|(_, progress)| progress.next_at).min().unwrap_or(Millis(i64::MAX));
        self.quiet.insert(id, Quiet { heads, until });
        behind.sort_by_key(|(_, progress)| progress.number);
        for (log, progress) in behind {
            if progress.next_at <= now && self.is_free(webhook, Some(log)) {
                let log_id = self.log_id(log, means).await?;
                let delivery = Delivery { webhook: Arc::clone(webhook), log, log_id, progress };
                let means = means.clone();
                let place = Place { webhook: Arc::clone(webhook), log: Some(log) };
                self.spawn(place, async move { delivery.run(&means).await });
            }
        }
        Ok(())
    }

    /// Begins with dead letters that their organiser asked for, one after the other and beside the rest.
    async fn begin_letters(&mut self, webhook: &Arc<Webhook>, means: &Means) -> Result<(), Error> {
        let mut letters = Vec::new();
        for letter in means.archive.due_letters(webhook.webhook, LETTERS).await? {
            letters.push((self.log_id(letter.log, means).await?, letter));
        }
        let (told, means) = (Arc::clone(webhook), means.clone());
        let place = Place { webhook: Arc::clone(webhook), log: None };
        self.spawn(place, async move { tell_letters(&told, letters, &means).await });
        Ok(())
    }

    async fn log_id(&mut self, log: LogName, means: &Means) -> Result<Mark, Error> {
        if let Some(known) = self.log_ids.get(&log) {
            return Ok(*known);
        }
        let offsets = means.archive.offsets().await?;
        self.log_ids = offsets.iter().map(|offset| (offset.log, offset.log_id)).collect();
        Ok(self.log_ids.get(&log).copied().unwrap_or_default())
    }
}

/// The logs of an organiser's concerts, and what the archive has of each.
fn heads_of(live: &Live, org: &str, applied: &Applied) -> Vec<(LogName, u64)> {
    let concerts = live.concerts();
    let owned = concerts.iter().map(|view| view.concert()).filter(|concert| concert.org == org);
    let heads = owned.filter_map(|concert| {
        let log = LogName::Concert(concert.concert);
        applied.get(&log).map(|applied| (log, applied.number))
    });
    heads.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::domain::ids::ConcertId;

    fn webhook(webhook: u32, org: &str) -> Arc<Webhook> {
        Arc::new(Webhook {
            webhook,
            org: org.to_owned(),
            url: String::new(),
            types: Vec::new(),
            secret: Secret::new(""),
            created: Millis(0),
        })
    }

    fn place(webhook: &Arc<Webhook>, concert: u32) -> Place {
        Place { webhook: Arc::clone(webhook), log: Some(LogName::Concert(ConcertId(concert))) }
    }

    #[tokio::test]
    async fn neither_an_endpoint_nor_an_organiser_takes_all_places() {
        let mut session = Session::default();
        for id in 1..=4 {
            let webhook = webhook(id, "busy");
            for concert in 1..=4 {
                assert!(session.is_free(&webhook, Some(LogName::Concert(ConcertId(concert)))));
                session.spawn(place(&webhook, concert), std::future::pending());
            }
            assert_eq!(session.room(&webhook), 0);
        }
        assert_eq!(session.room(&webhook(5, "busy")), 0);
        assert_eq!(session.room(&webhook(6, "other")), AT_ONCE_EACH);
    }

    #[tokio::test]
    async fn a_delivery_that_panics_frees_its_place_and_is_left_alone_for_a_while() {
        let mut session = Session::default();
        let webhook = webhook(1, "demo");
        session.spawn(place(&webhook, 7), async { panic!("on purpose") });
        let (_archive, mut applied) = watch::channel(Applied::default());
        session.wait(&mut applied).await;
        assert!(session.under_way.is_empty());
        let (same, other) = (LogName::Concert(ConcertId(7)), LogName::Concert(ConcertId(8)));
        assert!(!session.is_free(&webhook, Some(same)) && session.is_free(&webhook, Some(other)));
        session.panicked.values_mut().for_each(|until| *until = Instant::now());
        assert!(session.is_free(&webhook, Some(same)));
    }
}
