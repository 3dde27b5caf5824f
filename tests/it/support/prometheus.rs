//! A Prometheus of one test's own, on a free port of loopback.

use std::{fs, fs::File, path::Path, process::Stdio};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    free_address,
    http::Client,
    spawner::{Running, bound_to_us, spawn},
};

/// A running server. Killed, and its data removed, when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Prometheus {
    client: Client,
    running: Running,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one with this configuration, in which paths are absolute. It may not answer yet.
    pub(crate) fn start(config: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-prometheus-").tempdir().expect("a folder");
        let (file, log) = (folder.path().join("prometheus.yml"), folder.path().join("prometheus.log"));
        fs::write(&file, config).expect("its folder is ours");
        let address = free_address();
        let mut command = bound_to_us(Path::new("prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let log_file = File::create(&log).expect("its folder is ours");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let child = spawn(command).expect("install prometheus: make install");
        let client = Client::new(&address.to_string());
        Self { client, running: Running::new(child, log), _folder: folder }
    }

    /// What it says at `path` of its API; null while it does not answer. Panics when it refuses, or has ended.
    pub(crate) async fn ask(&mut self, path: &str) -> Value {
        assert!(self.running.ended().is_none(), "Prometheus ended: {}", self.running.log());
        match self.client.get(&format!("/api/v1/{path}")).await {
            Ok(answer) if answer.status == 400 => panic!("{path}: {}", answer.body),
            Ok(mut answer) if answer.status == 200 => answer.body["data"].take(),
            _ => Value::Null,
        }
    }

    /// The series that an expression gives now, each with its `value`.
    pub(crate) async fn query(&mut self, expression: &str) -> Vec<Value> {
        let encoded = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let mut answer = self.ask(&format!("query?query={encoded}")).await;
        answer["result"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }
}
