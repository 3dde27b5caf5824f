//! Prometheus's text format, as far as a test reads it.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One scrape.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) text: String,
    /// Value by series, as spelled.
    series: BTreeMap<String, f64>,
}

impl Scrape {
    /// Scrapes an operations listener.
    pub(super) async fn of(address: &str) -> Self {
        let text = get(address, "/metrics").await;
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let series = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        });
        Self { series: series.collect(), text }
    }

    /// The value of one series.
    pub(super) fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// Whether a metric has a series; a histogram one of its count.
    pub(super) fn has(&self, metric: &str) -> bool {
        let named = |name: &str| self.series.keys().any(|series| series.split('{').next() == Some(name));
        named(metric) || named(&format!("{metric}_count"))
    }
}

/// The body of an answer with 200.
pub(super) async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    body.to_owned()
}
