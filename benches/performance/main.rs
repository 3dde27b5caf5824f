//! Measures the figures of docs/performance.md against their goals: `make bench`, or some of them with `-- --only P4,P16`.
//!
//! Each group of figures has an installation of its own, fresh and private, and is checked by `onsale audit` when it is done. A binary
//! of its own without cargo's harness: figures are medians of rounds that take turns, not times of a function.

mod catalog;
mod client;
mod cpu;
mod crowd;
mod direct;
mod duplicate;
mod efficiency;
mod goal;
mod hello;
mod journey;
mod load;
mod machine;
mod people;
mod plan;
mod plot;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/it/support/process.rs"]
mod process;
mod report;
mod rounds;
mod rows;
mod sale;
mod site;
mod slow;
#[path = "../../tests/it/support/spawner.rs"]
mod spawner;
mod stats;
mod stock;
mod turnover;
mod watch;

use std::{
    error::Error,
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use goal::{Outcome, Verdict};
use machine::Machine;
use plan::Plan;
use rows::GROUPS;

/// As in the server: *hello* shall not lose by its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever keeps a figure from being measured ends the run: there is nobody to handle it.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// For anything to start or to come level, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_mins(2);

/// Measures onsale.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these rows; prints them and leaves the document as it is.
    #[arg(long, value_delimiter = ',', value_name = "ROWS")]
    only: Vec<String>,
    /// Every row once, briefly: whether the harness works and the invariants hold, never the speed.
    #[arg(long)]
    smoke: bool,
    /// From cargo; says nothing.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serves as the reference. For this program itself.
    #[command(hide = true)]
    Hello { listen: SocketAddr },
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Verb::Hello { listen }) = arguments.verb {
        hello::serve(listen)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<ExitCode> {
    let plan = if arguments.smoke { Plan::smoke() } else { Plan::full() };
    let machine = Machine::look(tempfile::tempdir()?.path())?;
    let mut all = Outcome::default();
    for group in GROUPS.iter().filter(|group| group.is_wanted(&arguments.only)) {
        let begun = Instant::now();
        say(&format!("measuring {}", group.ids.join(", ")))?;
        // What can't be measured counts as 0: the others are not thrown away with it.
        let outcome = (group.run)(&plan).await.unwrap_or_else(|error| group.broken_by(&error.to_string()));
        say(&format!("{:.0} s\n{}", begun.elapsed().as_secs_f64(), report::tables(&outcome.rows)?))?;
        all.rows.extend(outcome.rows);
        all.plots.extend(outcome.plots);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    if arguments.only.is_empty() && !arguments.smoke {
        fs::create_dir_all(folder.join("performance"))?;
        fs::write(folder.join("performance.md"), report::page(&machine, &plan, &all)?)?;
        plot::draw_all(&all.plots, &folder.join("performance"))?;
    } else {
        let scratch = tempfile::tempdir()?;
        plot::draw_all(&all.plots, scratch.path())?;
        say(&report::page(&machine, &plan, &all)?)?;
    }
    let is_broken = all.rows.iter().any(|row| row.verdict() == Verdict::Broken);
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tells whoever waits.
fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Looks at `condition` until it holds; panics, naming `what`, when it does not by [`SOON`].
pub(crate) fn wait_until_blocking(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "after {SOON:?} still not: {what}");
        std::thread::sleep(POLL);
    }
}
