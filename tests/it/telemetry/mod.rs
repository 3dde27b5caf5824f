//! What operators see of a running installation: metrics, probes, log lines and traces.

mod collector;
mod exposition;
mod scrape;
mod traces;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::faults::buyer::Buyer;
use crate::faults::site::CATALOG;
use crate::support::free_address;
use crate::support::http::Client;
use crate::support::process::Process;

/// A running `up` with what it was told to do otherwise.
struct Up {
    folder: TempDir,
    operations: String,
    client: Client,
    process: Process,
}

impl Up {
    /// Starts one; `sections` is laid over its configuration.
    async fn start(sections: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-telemetry-").tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("catalog.yaml"), CATALOG).unwrap();
        let token = Process::run(path, &["token", "--user", "x", "--data-dir", "data"]);
        assert!(token.status.success(), "{token:?}");
        let operations = free_address().to_string();
        let server =
            format!("server = {{ drain_seconds = 0, listen = '127.0.0.1:0', ops_listen = '{operations}' }}");
        configure(&path.join("data/onsale.toml"), &format!("{server}\n{sections}"));
        let mut process = Process::start(path, &["up", "--data-dir", "data", "--catalog", "catalog.yaml"]);
        let client = Client::new(&process.ready().await);
        Self { folder, operations, client, process }
    }

    fn buyer(&self, name: &str) -> Buyer {
        Buyer::new(name, &self.folder.path().join("data/keys/identity.key"))
    }
}

fn configure(file: &Path, sections: &str) {
    let text = fs::read_to_string(file).unwrap();
    let server = "server = { drain_seconds = 0 }";
    assert!(text.contains(server), "{text}");
    fs::write(file, text.replace(server, sections)).unwrap();
}
