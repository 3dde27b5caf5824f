//! The OpenAPI document against a running server: schemathesis asks all that it allows and more, and a client that was
//! generated from it buys a seat. Both are programs of others, pinned in `requirements.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::Client;
use crate::support::process::Process;
use crate::support::wait_until;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openapi");

/// The demonstration, served.
struct Demonstration {
    folder: TempDir,
    address: String,
    _onsale: Process,
}

impl Demonstration {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/demo.yaml");
        let arguments = ["up", "--data-dir", "data", "--catalog", demo];
        let listen = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
        let mut onsale = Process::start(folder.path(), &[&arguments[..], &listen].concat());
        let address = onsale.ready().await;
        Self { folder, address, _onsale: onsale }
    }

    /// An identity token of this user with these roles.
    fn token(&self, user: &str, roles: &[&str]) -> String {
        let roles = roles.iter().flat_map(|role| ["--role", role]);
        let arguments: Vec<_> =
            ["token", "--data-dir", "data", "--user", user].into_iter().chain(roles).collect();
        let output = Process::run(self.folder.path(), &arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// The document, in a file too.
    async fn document(&self) -> (Value, PathBuf) {
        let answer = self.client().get("/openapi.json").await.unwrap();
        assert_eq!(answer.status, 200);
        let file = self.folder.path().join("openapi.json");
        fs::write(&file, answer.body.to_string()).unwrap();
        (answer.body, file)
    }

    /// A program of the virtual environment, in the folder of the demonstration.
    fn python(&self, program: &str) -> Command {
        let programs = programs();
        let mut command = Command::new(programs.join(program));
        // The generator calls a formatter that lies beside it.
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).env("PATH", path);
        command
    }
}

/// Where `make install` puts them: in the target folder.
fn programs() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_onsale"));
    let found = built.ancestors().map(|folder| folder.join("python/bin")).find(|folder| folder.is_dir());
    found.expect("`make install` has put Python programs into the target folder")
}

/// What a program printed, if it went well.
fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_fault() {
    let demonstration = Demonstration::start().await;
    let identity = demonstration.token("asker", &["organiser", "cashier", "admin"]);
    let bearer = format!("Bearer {identity}");
    let bearer = [("authorization", bearer.as_str())];
    let join = json!({ "concertId": 1 });
    let client = demonstration.client();
    let joined = client.send("POST", "/v1/queue/tokens", &bearer, Some(&join)).await.unwrap();
    let (document, file) = demonstration.document().await;

    let mut command = demonstration.python("schemathesis");
    command.args(["--config-file", &format!("{FOLDER}/schemathesis.toml"), "run", "--no-color"]);
    command.args(["--url", &demonstration.address]).arg(file);
    command.env("ONSALE_IDENTITY", &identity).env("ONSALE_QUEUE_TOKEN", joined.text("token"));
    let report = printed(&command.output().unwrap());

    let paths = document["paths"].as_object().unwrap();
    let calls: usize = paths.values().map(|item| item.as_object().unwrap().len()).sum();
    assert!(report.contains(&format!("Selected: {calls}/{calls}")), "{report}");
    assert!(report.contains(&format!("Tested: {calls}")), "{report}");
    // It came as far as the store: it bought something, or it would have proven little.
    wait_until("what was held is in the archive", || async {
        let held = client.send("GET", "/v1/reservations", &bearer, None).await;
        held.is_ok_and(|held| held.body["items"].as_array().is_some_and(|items| !items.is_empty()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_client_buys_a_seat() {
    let demonstration = Demonstration::start().await;
    let (_, file) = demonstration.document().await;
    let mut generate = demonstration.python("openapi-python-client");
    generate.args([
        "generate",
        "--fail-on-warning",
        "--meta",
        "none",
        "--output-path",
        "onsale_client",
        "--path",
    ]);
    printed(&generate.arg(file).output().unwrap());

    let mut buy = demonstration.python("python");
    buy.env("PYTHONPATH", demonstration.folder.path()).arg(format!("{FOLDER}/buy.py"));
    let bought = buy.args([&demonstration.address, &demonstration.token("buyer", &[])]).output().unwrap();
    let bought = printed(&bought);
    let (status, seat) = bought.trim().split_once(' ').unwrap();
    assert_eq!(status, "CONFIRMED");
    assert!(!seat.is_empty(), "{bought}");
}
