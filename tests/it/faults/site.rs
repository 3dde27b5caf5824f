//! An installation of several processes on engines that the test breaks: its keys, configuration and catalog.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::http::Client;
use crate::support::process::Process;
use crate::support::{free_address, wait_until};

/// Concert 1 is the large one, and the one that gets lost; 3 lets one person in at a time. Shows have their concert's number.
pub(crate) const CATALOG: &str = r#"
concerts:
  - concertId: 1
    title: One
    artist: A
    venue: V
    policy: &open { maxActive: 100000, admitPerSecond: 100000, maxSeatsPerUser: 1000 }
    shows: [{ showId: 1, startsAt: "2030-01-01T00:00:00.000Z", currency: KRW, sections:
      [{ name: A, rows: 160, seatsPerRow: 100, price: 10000 }] }]
  - concertId: 2
    title: Two
    artist: A
    venue: V
    policy: *open
    shows: [{ showId: 2, startsAt: "2030-01-01T00:00:00.000Z", currency: KRW, sections: &hall
      [{ name: A, rows: 10, seatsPerRow: 100, price: 10000 }] }]
  - concertId: 3
    title: Three
    artist: A
    venue: V
    policy: { maxActive: 1, admitPerSecond: 100000, claimSeconds: 0 }
    shows: [{ showId: 3, startsAt: "2030-01-01T00:00:00.000Z", currency: KRW, sections: *hall }]
"#;

/// The label of seat `number` of a show: below 16,000 in the first, below 1,000 in the others.
pub(crate) fn seat(number: usize) -> String {
    format!("A-{}-{}", number / 100 + 1, number % 100 + 1)
}

/// A folder with the keys that its processes share.
pub(crate) struct Site {
    folder: TempDir,
    redis: String,
    mysql: String,
    /// Of all its processes.
    pub(crate) environment: Vec<(String, String)>,
    /// Sections of the configuration that others have no use for.
    more: String,
}

/// A running `serve`.
pub(crate) struct Server {
    pub(crate) client: Client,
    process: Process,
    operations: Client,
}

impl Server {
    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// What `/readyz` names as in trouble. Panics if the server is not ready.
    pub(crate) async fn degraded(&self) -> Vec<String> {
        let answer = self.operations.get("/readyz").await.expect("the operations listener answers");
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let names = answer.body["degraded"].as_array().expect("a list").iter();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

impl Site {
    /// The same with a setting of its processes, like `KAFKA__TOPIC`.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((format!("ONSALE__{name}"), value.to_owned()));
        self
    }

    /// Brings schema and catalog into both engines.
    pub(crate) async fn open(redis: &str, mysql: &str) -> Self {
        Self::open_with(redis, mysql, "").await
    }

    /// The same with more sections in its configuration.
    pub(crate) async fn open_with(redis: &str, mysql: &str, more: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-site-").tempdir().expect("a temporary folder");
        for (name, digit) in [("identity.key", "1"), ("queue_token.key", "2"), ("ticket.key", "3")] {
            fs::write(folder.path().join(name), digit.repeat(64)).expect("our folder");
        }
        fs::write(folder.path().join("catalog.yaml"), CATALOG).expect("our folder");
        let site = Self {
            folder,
            redis: redis.to_owned(),
            mysql: mysql.to_owned(),
            environment: Vec::new(),
            more: more.to_owned(),
        };
        let config = site.configure("site.toml", "127.0.0.1:1");
        let folder = site.folder.path().to_owned();
        let prepare = move || {
            for arguments in
                [&["migrate", "--config", &config][..], &["import", "--config", &config, "catalog.yaml"]]
            {
                let output = Process::run(&folder, arguments);
                assert!(output.status.success(), "{arguments:?}: {output:?}");
            }
        };
        tokio::task::spawn_blocking(prepare).await.expect("the installation is prepared");
        site
    }

    /// Its folder, with the key `identity.key` that signs identity tokens.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a server with one runtime, so that requests of one verb share their batches.
    pub(crate) async fn serve(&self) -> Server {
        let server = self.serve_anyway().await;
        wait_until("every view is whole", async || server.degraded().await.is_empty()).await;
        server
    }

    /// As [`Site::serve`], whatever it finds.
    pub(crate) async fn serve_anyway(&self) -> Server {
        let operations = free_address().to_string();
        let config = self.configure(&format!("serve-{}.toml", operations.replace(':', "-")), &operations);
        let mut process =
            Process::start_with(self.folder(), &["serve", "--dev", "--config", &config], &self.environment);
        let client = Client::new(&process.ready().await);
        Server { client, process, operations: Client::new(&operations) }
    }

    /// Starts a worker; it does not say when it is ready.
    pub(crate) fn work(&self) -> Process {
        Process::start_with(self.folder(), &["work", "--config", "site.toml"], &self.environment)
    }

    fn configure(&self, name: &str, operations: &str) -> String {
        let Self { redis, mysql, more, .. } = self;
        let text = format!(
            "redis = {{ url = '{redis}' }}\nmysql = {{ url = '{mysql}' }}\n\
             server = {{ listen = '127.0.0.1:0', ops_listen = '{operations}', runtimes = 1, drain_seconds = 0 }}\n\
             identity = {{ keys = [{{ alg = 'HS256', secret_file = 'identity.key' }}] }}\n\
             queue_token = {{ key_file = 'queue_token.key' }}\n\
             ticket = {{ signing_key_file = 'ticket.key' }}\n\
             wallet = {{ top_up = 'self' }}\nworker = {{ ops_listen = '127.0.0.1:0' }}\n{more}"
        );
        fs::write(self.folder().join(name), text).expect("our folder");
        name.to_owned()
    }
}
