//! What is sold: concert, show, its seats, and the secret that buyers' identity tokens are signed with.

use std::env;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use goose::prelude::*;
use jsonwebtoken::EncodingKey;
use serde::Deserialize;

use crate::client::Call;

/// The concert and show of `loadtest/catalog.yaml` that the journey buys from.
const JOURNEY: u32 = 1;

/// Why a run can't begin.
#[derive(Debug)]
pub(crate) enum Unprepared {
    /// A setting that is needed or can't be read.
    Setting(&'static str),
    /// The file with the secret.
    Secret(String, std::io::Error),
}

impl std::fmt::Display for Unprepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setting(name) => write!(f, "{name} is absent from the environment or no number"),
            Self::Secret(path, error) => write!(f, "{path}: {error}"),
        }
    }
}

impl std::error::Error for Unprepared {}

/// Shared by all buyers of a run.
pub(crate) struct Sale {
    pub(crate) concert: u32,
    pub(crate) show: u32,
    pub(crate) kid: String,
    pub(crate) key: EncodingKey,
    /// Labels by seat index, once the map was read.
    labels: OnceLock<Vec<String>>,
    tickets: AtomicU64,
}

#[derive(Deserialize)]
struct Layout {
    seats: Vec<Seat>,
}

#[derive(Deserialize)]
struct Seat {
    seat: String,
}

#[derive(Deserialize)]
struct Map {
    status: String,
}

impl Sale {
    /// `CONCERT`, `SHOW`, `IDENTITY_KEY_FILE` (the file with the HS256 secret) and `IDENTITY_KEY_ID`.
    pub(crate) fn from_environment() -> Result<Self, Unprepared> {
        let file = env::var("IDENTITY_KEY_FILE").map_err(|_| Unprepared::Setting("IDENTITY_KEY_FILE"))?;
        let secret = std::fs::read_to_string(&file).map_err(|error| Unprepared::Secret(file, error))?;
        Ok(Self {
            concert: number("CONCERT")?,
            show: number("SHOW")?,
            kid: env::var("IDENTITY_KEY_ID").unwrap_or_else(|_| "development".to_owned()),
            key: EncodingKey::from_secret(secret.trim().as_bytes()),
            labels: OnceLock::new(),
            tickets: AtomicU64::new(0),
        })
    }

    /// Reads what never changes of the map.
    pub(crate) async fn read_seats(&self, user: &mut GooseUser) -> TransactionResult {
        let path = format!("/v1/shows/{}/seats?view=layout", self.show);
        let layout: Layout = Call::get("/v1/shows/{id}/seats layout", path).send(user).await?.read()?;
        let labels = layout.seats.into_iter().map(|seat| seat.seat).collect();
        // A second reading finds the same: seats keep their index.
        self.labels.get_or_init(|| labels);
        Ok(())
    }

    /// Up to `count` neighbours that are free now, from a random point of the map on.
    pub(crate) async fn free_seats(
        &self,
        user: &mut GooseUser,
        count: usize,
    ) -> Result<&[String], Box<TransactionError>> {
        let path = format!("/v1/shows/{}/seats?view=status", self.show);
        let map: Map = Call::get("/v1/shows/{id}/seats", path).send(user).await?.read()?;
        let labels = self.labels.get().ok_or("the map was not read")?;
        let status = map.status.as_bytes();
        let start = rand::random_range(0..status.len().max(1));
        let mut indexes = (start..status.len()).chain(0..start);
        let first = indexes.find(|index| status[*index] == b'0').ok_or("the show is sold out")?;
        let free = status[first..].iter().take(count).take_while(|seat| **seat == b'0').count();
        labels.get(first..first + free).ok_or_else(|| "the map has more seats than its layout".into())
    }

    pub(crate) fn count_tickets(&self, seats: usize) {
        self.tickets.fetch_add(seats as u64, Ordering::Relaxed);
    }

    /// Tickets that buyers of this run have.
    pub(crate) fn tickets(&self) -> u64 {
        self.tickets.load(Ordering::Relaxed)
    }
}

fn number(name: &'static str) -> Result<u32, Unprepared> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|_| Unprepared::Setting(name)),
        Err(_) => Ok(JOURNEY),
    }
}
