//! Bringing the catalog up to a catalog file: MySQL first, then the logs.

use std::path::Path;

use tokio::time::Instant;

use super::installation::Installation;
use super::{Error, START};
use crate::archive::{Archive, CatalogFile, ImportedConcert};
use crate::config::Config;
use crate::domain::ids::ConcertId;
use crate::domain::policy::PolicyState;
use crate::opening::Opening;
use crate::store::{ShowOpening, Store};

/// Imports `file`; the same file again changes nothing. Finishes what an earlier import broke off.
pub async fn import(config: &Config, file: &Path) -> Result<(), Error> {
    let catalog = read(file).await?;
    let installation = Installation::connect(config).await?;
    let report = installation.archive.import(&catalog).await?;
    let (opening, store) = (installation.opening()?, installation.store()?);
    for concert in &report.concerts {
        open(&installation.archive, &opening, concert.concert, concert.policy.as_ref()).await?;
        announce(&opening, &store, concert).await?;
    }
    Ok(())
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
pub(super) async fn open(
    archive: &Archive,
    opening: &Opening,
    concert: ConcertId,
    policy: Option<&PolicyState>,
) -> Result<(), Error> {
    let deadline = Instant::now() + START;
    let stored = archive.policy(concert).await?.map(|(_, policy)| policy).unwrap_or_default();
    opening.concert(concert, policy.unwrap_or(&stored), deadline).await?;
    let catalog = archive.concert(concert).await?.map_or(0, |record| record.version);
    for (show, seats) in archive.show_sizes(concert).await? {
        opening.show(concert, ShowOpening { show, seats, catalog }, deadline).await?;
    }
    Ok(())
}

/// Tells the running servers what changed.
async fn announce(opening: &Opening, store: &Store, imported: &ImportedConcert) -> Result<(), Error> {
    let deadline = Instant::now() + START;
    if let Some(policy) = &imported.policy {
        opening.policy(imported.concert, policy, deadline).await?;
    }
    store.catalog_changed(imported.concert, imported.version, deadline).await?;
    Ok(())
}
