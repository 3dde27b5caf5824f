//! What a consumer sees of a topic, from its beginning to its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use super::broker::PARTITIONS;
use crate::support::SOON;

/// For one answer of the broker; none where there is no such topic.
const ANSWER: Duration = Duration::from_secs(10);

/// An event as it lies in Kafka.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) content_type: String,
    pub(crate) event: Value,
}

impl Told {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.event[name].as_str().unwrap_or_default()
    }
}

/// All that the topic holds now, in the order of each partition; nothing while there is no such topic.
pub(crate) async fn read_all(brokers: String, topic: &'static str) -> Vec<Told> {
    tokio::task::spawn_blocking(move || read(&brokers, topic)).await.expect("the broker answers")
}

/// How many messages the topic holds.
pub(crate) async fn held(brokers: String, topic: &'static str) -> u64 {
    let count = move || {
        let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
        let of = |partition| consumer.fetch_watermarks(topic, partition, ANSWER).unwrap().1;
        (0..PARTITIONS).map(of).sum::<i64>()
    };
    let count = tokio::task::spawn_blocking(count).await.expect("the broker answers");
    u64::try_from(count).unwrap()
}

fn read(brokers: &str, topic: &str) -> Vec<Told> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut ends = BTreeMap::new();
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let Ok((_, end)) = consumer.fetch_watermarks(topic, partition, ANSWER) else {
            return Vec::new();
        };
        ends.insert(partition, end);
        places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&places).unwrap();
    let mut next: BTreeMap<i32, i64> = ends.keys().map(|partition| (*partition, 0)).collect();
    let mut all = Vec::new();
    let deadline = Instant::now() + SOON;
    while ends.iter().any(|(partition, end)| next[partition] < *end) {
        assert!(Instant::now() < deadline, "read {next:?} of {ends:?}");
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        next.insert(message.partition(), message.offset() + 1);
        let header = message.headers().and_then(|headers| headers.iter().next());
        all.push(Told {
            partition: message.partition(),
            key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
            content_type: String::from_utf8(header.unwrap().value.unwrap().to_vec()).unwrap(),
            event: serde_json::from_slice(message.payload().unwrap()).unwrap(),
        });
    }
    all
}
