//! The followers that tell the world outside: Kafka, if it is configured, and webhooks.

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Error;
use super::installation::Installation;
use crate::config::Config;
use crate::follow::{Applied, KafkaFollower, KafkaParts, WebhookFollower, WebhookParts};
use crate::live::Live;
use crate::metrics;

/// What they are made of.
pub(super) struct Telling<'a> {
    pub(super) config: &'a Config,
    pub(super) installation: &'a Installation,
    pub(super) live: &'a Live,
    pub(super) archived: &'a watch::Receiver<Applied>,
    pub(super) stopping: &'a watch::Receiver<bool>,
    /// Told while Kafka does not take what it should.
    pub(super) kafka_well: watch::Sender<bool>,
}

/// How far each of them is, by name.
pub(super) type Told = Vec<(&'static str, watch::Receiver<Applied>)>;

impl Telling<'_> {
    /// Starts those that are configured.
    pub(super) fn start(self, tasks: &mut JoinSet<()>) -> Result<Told, Error> {
        let Self { config, installation, live, archived, stopping, kafka_well } = self;
        let mut told = Told::new();
        if !config.kafka.brokers.is_empty() {
            let (follower, progress) = KafkaFollower::new(KafkaParts {
                archive: installation.archive.clone(),
                tail: installation.tail()?,
                live: live.clone(),
                applied: archived.clone(),
                settings: config.kafka.clone(),
                password: config.kafka.read_password()?,
                well: kafka_well,
            });
            tasks.spawn(follower.run(stopping.clone()));
            told.push((metrics::KAFKA, progress));
        }
        let webhooks = WebhookParts {
            archive: installation.archive.clone(),
            live: live.clone(),
            applied: archived.clone(),
            settings: config.webhook.clone(),
        };
        match WebhookFollower::new(webhooks) {
            Ok(follower) => drop(tasks.spawn(follower.run(stopping.clone()))),
            // A system without certificates; what is sold does not depend on it.
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "webhooks are not told"),
        }
        Ok(told)
    }
}
