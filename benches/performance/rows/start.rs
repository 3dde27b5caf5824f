//! P17: from nothing to the first buyer.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    Result, SOON,
    catalog::concerts,
    goal::{Goal, Outcome, Row},
    hello::free_address,
    plan::Plan,
    process::Process,
    rounds::Series,
    site::get,
};

/// As many rounds will do: a start takes seconds.
const ROUNDS: usize = 3;

/// Starts of one catalog, seconds.
#[derive(Default)]
struct Starts {
    ready: Series,
    whole: Series,
    again: Series,
    broken: Option<String>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let demo = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/demo.yaml"))?;
    let policies = vec!["{}"; usize::try_from(plan.concerts)?];
    let large = concerts(&policies, &[u64::from(plan.concert_rows) * 100]);
    let (mut small_starts, mut large_starts) = (Starts::default(), Starts::default());
    for _ in 0..plan.rounds.min(ROUNDS) {
        start(&demo, &mut small_starts).await?;
        start(&large, &mut large_starts).await?;
    }
    let seats = u64::from(plan.concerts) * u64::from(plan.concert_rows) * 100;
    let large = format!("{} concerts, {seats} seats in all.", plan.concerts);
    Ok(Outcome {
        rows: vec![
            row(
                "`up` from a cold start, demo catalog",
                Goal::AtMost(5.0),
                small_starts,
                "The catalog of `make run`.",
            ),
            row(
                "`up` from a cold start, 100 concerts and 10⁶ seats",
                Goal::AtMost(15.0),
                large_starts,
                &large,
            ),
        ],
        plots: Vec::new(),
    })
}

/// In an empty folder; then once more, over what is there.
async fn start(catalog: &str, starts: &mut Starts) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("onsale-bench-").tempdir()?;
    fs::write(folder.path().join("catalog.yaml"), catalog)?;
    let (mut up, ready, whole) = begin(folder.path()).await?;
    starts.ready.push(ready);
    starts.whole.push(whole);
    if starts.broken.is_none() {
        let output = Process::run(folder.path(), &["audit", "--config", "data/onsale.toml"]);
        starts.broken =
            (!output.status.success()).then(|| String::from_utf8_lossy(&output.stdout).into_owned());
    }
    up.terminate();
    let (mut up, _, whole) = begin(folder.path()).await?;
    starts.again.push(whole);
    up.terminate();
    Ok(())
}

/// Seconds until it says that it is ready, and until it is whole.
async fn begin(folder: &Path) -> Result<(Process, f64, f64)> {
    let (listen, operations) = (free_address()?, free_address()?);
    let [listen_text, operations_text] = [listen, operations].map(|address| address.to_string());
    let arguments = [
        "up",
        "--data-dir",
        "data",
        "--catalog",
        "catalog.yaml",
        "--listen",
        &listen_text,
        "--ops-listen",
        &operations_text,
    ];
    let begun = Instant::now();
    let mut up = Process::start(folder, &arguments);
    up.ready().await;
    let ready = begun.elapsed();
    loop {
        let health = get(operations, "/readyz").unwrap_or_default();
        if health.contains("200 OK") && health.contains("\"degraded\":[]") {
            return Ok((up, ready.as_secs_f64(), begun.elapsed().as_secs_f64()));
        }
        if begun.elapsed() > SOON {
            return Err(format!("never whole: {health} {}", up.log()).into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn row(figure: &'static str, goal: Goal, starts: Starts, note: &str) -> Row {
    let measured = starts.whole.spread();
    Row::new("P17", figure, "s", goal, measured)
        .part("until it says that it is ready", "s", starts.ready.spread())
        .part("the second start, same data", "s", starts.again.spread())
        .note(format!(
            "{note} Cold: an empty data folder; engines are initialised, schema and catalog written. Counts until `/readyz` names nothing degraded."
        ))
        .broken_by(starts.broken)
}
