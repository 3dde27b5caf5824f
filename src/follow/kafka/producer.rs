//! A producer that keeps order and loses nothing: idempotent, acknowledged by all replicas, without a deadline of its own.
//!
//! A message that timed out alone would let later ones overtake its repetition. So none does; whoever gives up drops the
//! producer with all that it has not sent, and begins again at the last stored offset with a new one.

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::config::{Kafka, KafkaSecurity, SaslMechanism, Secret};
use crate::domain::cloud_event::CloudEvent;

/// Kafka did not take an event.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProduceError {
    /// The client's settings are of no use.
    #[error("no producer can be made")]
    Settings(#[source] KafkaError),
    /// The broker refused it, or the producer is broken.
    #[error("an event was not taken")]
    Refused(#[source] KafkaError),
    /// The producer went away with it.
    #[error("an event was dropped by the producer")]
    Dropped,
}

/// A connection to the brokers, and the topic.
pub(super) struct Producer {
    /// `None` only while it is dropped.
    producer: Option<FutureProducer<Reports>>,
    topic: String,
}

/// Waits for the acknowledgement of one event.
pub(super) struct Sent(DeliveryFuture);

/// Says what the client says, where all of us say it.
struct Reports;

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl Producer {
    /// Connects in the background; what is sent meanwhile waits.
    pub(super) fn new(settings: &Kafka, password: Option<&Secret>) -> Result<Self, ProduceError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &settings.brokers)
            .set("client.id", "onsale")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            // A broker that is back is noticed within a second.
            .set("reconnect.backoff.max.ms", "1000")
            .set("retry.backoff.max.ms", "1000")
            // As Java's clients spread keys, so that other writers of the topic agree with us.
            .set("partitioner", "murmur2_random");
        secure(&mut config, settings, password);
        let producer = config.create_with_context(Reports).map_err(ProduceError::Settings)?;
        Ok(Self { producer: Some(producer), topic: settings.topic.clone() })
    }

    /// Hands one event to the producer; it is sent behind all that were handed before.
    pub(super) fn send(&self, event: &CloudEvent) -> Result<Sent, ProduceError> {
        let body =
            serde_json::to_string(event).expect("string keys and plain values always have a JSON form");
        let kind = Header { key: "content-type", value: Some("application/cloudevents+json; charset=UTF-8") };
        let record = FutureRecord::to(&self.topic)
            .key(&event.key)
            .payload(&body)
            .timestamp(event.time.0)
            .headers(OwnedHeaders::new().insert(kind));
        let producer = self.producer.as_ref().expect("only dropping takes it");
        producer.send_result(record).map(Sent).map_err(|(error, _)| ProduceError::Refused(error))
    }
}

/// TLS and who we are. A broker's certificate has to name its host: librdkafka's default.
fn secure(config: &mut ClientConfig, settings: &Kafka, password: Option<&Secret>) {
    let protocol = match settings.security {
        KafkaSecurity::Plaintext => "plaintext",
        KafkaSecurity::Ssl => "ssl",
        KafkaSecurity::SaslSsl => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(path) = &settings.ca_file {
        config.set("ssl.ca.location", path.to_string_lossy());
    }
    if let Some(password) = password {
        let mechanism = match settings.mechanism {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        config
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", &settings.user)
            .set("sasl.password", String::from_utf8_lossy(password.expose()));
    }
}

impl Sent {
    /// Until all replicas have it; not before the broker is there.
    pub(super) async fn acknowledged(&mut self) -> Result<(), ProduceError> {
        match (&mut self.0).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(ProduceError::Refused(error)),
            Err(_) => Err(ProduceError::Dropped),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // Its end may take half a second, which no runtime of ours has.
        let producer = self.producer.take();
        std::thread::spawn(move || drop(producer));
    }
}
