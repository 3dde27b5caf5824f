//! The catalog file: concerts, shows and seats as YAML (`api.md`, "Catalog file"), checked as a whole before any
//! of it is imported.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::domain::catalog::{LayoutError, Section, Show};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::policy::{Order, Policy, PolicyState};
use crate::domain::time::Millis;
use crate::domain::wallet::is_currency;

/// The largest id that a file may give; the API gives those above.
pub const IMPORTED_IDS_MAX: u32 = 1_000_000;

/// A catalog file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogFile {
    /// Its concerts.
    pub concerts: Vec<CatalogConcert>,
}

/// A concert of a catalog file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogConcert {
    /// Its id, from 1 to [`IMPORTED_IDS_MAX`].
    pub concert_id: ConcertId,
    /// The organiser that owns it.
    #[serde(default = "demo")]
    pub org: String,
    /// Its title.
    pub title: String,
    /// Who plays.
    pub artist: String,
    /// Where.
    pub venue: String,
    /// Nobody is admitted before.
    #[serde(default)]
    pub opens_at: Option<Millis>,
    /// Nobody joins or holds from then on.
    #[serde(default)]
    pub closes_at: Option<Millis>,
    /// Its policy.
    #[serde(default)]
    pub policy: Policy,
    /// Its shows.
    #[serde(default)]
    pub shows: Vec<CatalogShow>,
}

/// A show of a catalog file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogShow {
    /// Its id, unique over all concerts, from 1 to [`IMPORTED_IDS_MAX`].
    pub show_id: ShowId,
    /// When it begins.
    pub starts_at: Millis,
    /// ISO 4217.
    pub currency: String,
    /// Its seats.
    pub sections: Vec<Section>,
}

/// Why a file is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCatalog {
    /// Not YAML, or fields that are missing, unknown or of the wrong type; says where.
    #[error(transparent)]
    Form(#[from] serde_norway::Error),
    /// An id that is used twice or out of range.
    #[error("{what} {id}: ids are unique and from 1 to {IMPORTED_IDS_MAX}")]
    Id {
        /// `concertId` or `showId`.
        what: &'static str,
        /// The id.
        id: u32,
    },
    /// A field of a concert that is empty, too long or out of its range.
    #[error("concert {concert}: {field} is out of range")]
    Concert {
        /// The concert.
        concert: ConcertId,
        /// The field.
        field: &'static str,
    },
    /// A currency that nobody knows.
    #[error("show {0}: currency is not an ISO 4217 code")]
    Currency(ShowId),
    /// Sections that make no seat map.
    #[error("show {show}")]
    Layout {
        /// The show.
        show: ShowId,
        /// What is wrong with them.
        source: LayoutError,
    },
}

impl CatalogFile {
    /// Reads a file and checks all of it.
    pub fn parse(text: &str) -> Result<Self, InvalidCatalog> {
        let file: Self = serde_norway::from_str(text)?;
        let (mut concerts, mut shows) = (HashSet::new(), HashSet::new());
        for concert in &file.concerts {
            check_id("concertId", concert.concert_id.0, &mut concerts)?;
            concert.check()?;
            for show in &concert.shows {
                check_id("showId", show.show_id.0, &mut shows)?;
                show.check()?;
            }
        }
        Ok(file)
    }
}

impl CatalogConcert {
    /// The policy that the file asks for. Pausing is the organiser's hand on a live sale: no file undoes it.
    pub fn policy_over(&self, stands: &PolicyState) -> PolicyState {
        PolicyState {
            policy: self.policy.clone(),
            opens_at: self.opens_at,
            closes_at: self.closes_at,
            paused: stands.paused,
            pause_reason: stands.pause_reason.clone(),
        }
    }

    fn check(&self) -> Result<(), InvalidCatalog> {
        let texts = [
            ("org", &self.org, 64),
            ("title", &self.title, 255),
            ("artist", &self.artist, 255),
            ("venue", &self.venue, 255),
        ];
        let wrong = |(_, text, most): &(&str, &String, usize)| {
            !(1..=*most).contains(&text.chars().count()) || text.chars().any(char::is_control)
        };
        let field = texts.iter().find(|text| wrong(text)).map(|(field, ..)| *field);
        // The pre-queue and its draw are not built yet.
        let order = (self.policy.order == Order::Lottery).then_some("policy.order");
        match field.or_else(|| self.policy.invalid_field()).or(order) {
            Some(field) => Err(InvalidCatalog::Concert { concert: self.concert_id, field }),
            None => Ok(()),
        }
    }
}

impl CatalogShow {
    fn check(&self) -> Result<(), InvalidCatalog> {
        if !is_currency(&self.currency) {
            return Err(InvalidCatalog::Currency(self.show_id));
        }
        let named = |source| InvalidCatalog::Layout { show: self.show_id, source };
        Show::layout(&self.sections).map(drop).map_err(named)
    }
}

fn check_id(what: &'static str, id: u32, seen: &mut HashSet<u32>) -> Result<(), InvalidCatalog> {
    if !(1..=IMPORTED_IDS_MAX).contains(&id) || !seen.insert(id) {
        return Err(InvalidCatalog::Id { what, id });
    }
    Ok(())
}

fn demo() -> String {
    "demo".to_owned()
}
