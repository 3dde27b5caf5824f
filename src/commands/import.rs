//! `import`: the catalog from a file, or the seats of a show from a plan; beside running servers or before the first.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{Error, answer, source::Source};
use crate::{
    app,
    config::Config,
    domain::{ids::ShowId, seating::SeatNames},
    telemetry,
};

/// Options of `import`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The catalog, in YAML; with --pretix a seating plan, in JSON.
    file: PathBuf,
    /// FILE is a seating plan of pretix, for a show that there is.
    #[arg(long, requires = "show")]
    pretix: bool,
    /// The show that gets the plan.
    #[arg(long, value_name = "SHOW", requires = "pretix")]
    show: Option<u32>,
    /// The price of a category in minor units; one for each that has seats.
    #[arg(long = "price", value_name = "CATEGORY=AMOUNT", requires = "pretix", value_parser = price)]
    prices: Vec<(String, i64)>,
    /// What seats are called: `zone-row-number`, or as the plan identifies them.
    #[arg(long, default_value = "place", requires = "pretix", value_parser = ["place", "guid"])]
    seat_names: String,
}

impl Arguments {
    /// Brings the catalog, or the show, up to the file.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.load()?;
        let _telemetry = telemetry::start(&config.telemetry)?;
        match self.show {
            Some(show) => self.import_plan(&config, ShowId(show)).await?,
            None => app::import(&config, &self.file).await?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn import_plan(self, config: &Config, show: ShowId) -> Result<(), Error> {
        let names = if self.seat_names == "guid" { SeatNames::Guid } else { SeatNames::Place };
        let prices: BTreeMap<_, _> = self.prices.into_iter().collect();
        let import = app::PlanImport { file: self.file, show, prices, names };
        let seated = app::import_plan(config, &import).await?;
        let (total, added, changed) = (seated.seats_total, seated.added, seated.changed);
        answer(&format!("show {show}: {total} seats, {added} new, {changed} with another section or price"))
    }
}

fn price(text: &str) -> Result<(String, i64), String> {
    let (category, amount) = text.rsplit_once('=').ok_or("expected CATEGORY=AMOUNT")?;
    let amount = amount.parse().map_err(|_| "expected an amount in minor units")?;
    Ok((category.to_owned(), amount))
}
