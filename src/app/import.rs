//! Bringing the catalog up to a file, or a show up to a seating plan: MySQL first, then the logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::installation::Installation;
use super::{Error, START};
use crate::archive::{self, CatalogFile, Seated};
use crate::config::Config;
use crate::domain::ids::ShowId;
use crate::domain::seating::{PretixPlan, SeatNames};

/// Imports `file`; the same file again changes nothing. Finishes what an earlier import broke off.
pub async fn import(config: &Config, file: &Path) -> Result<(), Error> {
    let catalog = read(file).await?;
    let installation = Installation::connect(config).await?;
    let archive = &installation.archive;
    let report = archive.import(&catalog).await.map_err(|error| match error {
        archive::Error::Refused(source) => Error::Import { file: file.display().to_string(), source },
        error => error.into(),
    })?;
    let opening = installation.opening()?;
    for (file, imported) in catalog.concerts.iter().zip(&report.concerts) {
        let concert = imported.concert;
        opening.finish(concert, Instant::now() + START).await?;
        if imported.unfinished {
            let policy = opening.policy(concert, |stands| file.policy_over(stands), Instant::now() + START);
            policy.await?;
            if !archive.end_import(file).await? {
                return Err(Error::TwoImports(concert));
            }
        }
    }
    Ok(())
}

/// A seating plan of pretix for a show that there is.
#[derive(Clone, Debug)]
pub struct PlanImport {
    /// The plan, in JSON.
    pub file: PathBuf,
    /// The show.
    pub show: ShowId,
    /// A price for each category that has seats, minor units.
    pub prices: BTreeMap<String, i64>,
    /// What seats are called.
    pub names: SeatNames,
}

/// Gives a show the seats of a plan; the same plan again changes nothing. Finishes what an earlier import broke off.
pub async fn import_plan(config: &Config, import: &PlanImport) -> Result<Seated, Error> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| Error::Plan {
        file: import.file.display().to_string(),
        source,
    };
    let text = tokio::fs::read_to_string(&import.file).await.map_err(|error| refused(error.into()))?;
    let plan: PretixPlan = serde_json::from_str(&text).map_err(|error| refused(error.into()))?;
    let sections = plan.sections(&import.prices, import.names).map_err(|error| refused(error.into()))?;

    let installation = Installation::connect(config).await?;
    let (archive, show) = (&installation.archive, import.show);
    let concert = archive.concert_of(show).await?.ok_or(Error::NoShow(show))?;
    let seated = archive.change_seating(concert, show, sections).await;
    let seated = seated.map_err(|error| match error {
        archive::Error::SeatsDropped(_) | archive::Error::Layout(_) => refused(error.into()),
        error => error.into(),
    })?;
    let seated = seated.ok_or(Error::NoShow(show))?;
    installation.opening()?.finish(concert, Instant::now() + START).await?;
    Ok(seated)
}

async fn read(file: &Path) -> Result<CatalogFile, Error> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| Error::File {
        file: file.display().to_string(),
        source,
    };
    let text = tokio::fs::read_to_string(file).await.map_err(|error| refused(error.into()))?;
    CatalogFile::parse(&text).map_err(|error| refused(error.into()))
}
