//! Bringing the catalog up to a file, or a show up to a seating plan: MySQL first, then the logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::installation::Installation;
use super::{Error, START};
use crate::archive::{self, Archive, CatalogConcert, CatalogFile, ImportedConcert, Seated};
use crate::config::Config;
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::seating::{PretixPlan, SeatNames};
use crate::opening::Opening;
use crate::store::{ShowOpening, Store};

/// Imports `file`; the same file again changes nothing. Finishes what an earlier import broke off.
pub async fn import(config: &Config, file: &Path) -> Result<(), Error> {
    let catalog = read(file).await?;
    let installation = Installation::connect(config).await?;
    let archive = &installation.archive;
    let report = archive.import(&catalog).await.map_err(|error| match error {
        archive::Error::Refused(source) => Error::Import { file: file.display().to_string(), source },
        error => error.into(),
    })?;
    let (opening, store) = (installation.opening()?, installation.store()?);
    for (file, imported) in catalog.concerts.iter().zip(&report.concerts) {
        open(archive, &opening, imported.concert).await?;
        announce(&opening, &store, file, imported).await?;
        if let Some(run) = imported.unfinished
            && !archive.end_import(file, run).await?
        {
            return Err(Error::TwoImports(imported.concert));
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
    open(archive, &installation.opening()?, concert).await?;
    let deadline = Instant::now() + START;
    installation.store()?.catalog_changed(concert, seated.version, deadline).await?;
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

/// Makes sure that a concert of MySQL is born, and all of its shows are on sale.
pub(super) async fn open(archive: &Archive, opening: &Opening, concert: ConcertId) -> Result<(), Error> {
    let deadline = Instant::now() + START;
    let stored = archive.policy(concert).await?.map(|(_, policy)| policy).unwrap_or_default();
    opening.concert(concert, &stored, deadline).await?;
    let catalog = archive.concert(concert).await?.map_or(0, |record| record.version);
    for (show, seats) in archive.show_sizes(concert).await? {
        opening.show(concert, ShowOpening { show, seats, catalog }, deadline).await?;
    }
    Ok(())
}

/// Tells the running servers what changed.
async fn announce(
    opening: &Opening,
    store: &Store,
    file: &CatalogConcert,
    imported: &ImportedConcert,
) -> Result<(), Error> {
    let deadline = Instant::now() + START;
    if imported.unfinished.is_some() {
        opening.policy(imported.concert, |stands| file.policy_over(stands), deadline).await?;
    }
    store.catalog_changed(imported.concert, imported.version, deadline).await?;
    Ok(())
}
