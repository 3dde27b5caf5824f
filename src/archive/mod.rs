//! MySQL: what the logs said, for good, and the catalog.
//!
//! The archive follows the logs, it decides nothing. What one transaction writes and the offsets it has reached
//! are committed together, so every log entry counts exactly once whatever crashes. Reads here are histories, as
//! fresh as the archive; only organisers' calls and history reads come here while a sale runs.

mod action;
mod apply;
mod cancellation;
mod card;
mod catalog;
mod changes;
mod concert;
mod engine;
mod error;
mod export;
mod follower;
mod forgetting;
mod import;
mod import_show;
mod log;
mod page;
mod payment;
mod queue;
mod report;
mod reservation;
mod reservation_history;
mod rows;
mod seating;
mod seats;
mod show;
pub mod snapshot;
mod wallet;
mod wallet_history;
mod webhook;
mod webhook_progress;

use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};

use crate::config::Mysql;

pub use action::{ActionCursor, ActionEnd, NewAction, StoredAction};
pub use cancellation::Refunds;
pub use card::{StoredCard, StoredCardState};
pub use catalog::{CatalogConcert, CatalogFile, CatalogShow, IMPORTED_IDS_MAX, InvalidCatalog};
pub use concert::{ConcertUpdate, NewConcert};
pub use error::Error;
pub use export::{EXPORT_MAX, ExportedReservation, Movement, MovementCursor};
pub use forgetting::{ForgettingLock, ForgottenLog, ForgottenLogs, Rewritten};
pub use import::{Change, ImportRefused, ImportReport, ImportedConcert, ImportedShow};
pub use log::{LogBatch, LogOffset, LogState};
pub use page::{InvalidCursor, LIMIT_MAX, Page};
pub use payment::StoredPayment;
pub use report::{MoneyOfDay, Sales, TakenSeat};
pub use reservation_history::{Action, HistoryItem, ReservationCursor, StoredReservation};
pub use seating::Seated;
pub use wallet_history::{LedgerCursor, LedgerItem, LedgerKind};
pub use webhook::{Webhook, WebhookState};
pub use webhook_progress::{DeadLetter, WebhookProgress};

/// The archive. Cheap to clone: one pool of connections for all its clones.
#[derive(Clone, Debug)]
pub struct Archive {
    pool: MySqlPool,
}

impl Archive {
    /// An archive that connects when it is first asked. Fails only if the address can't be read.
    pub fn lazy(config: &Mysql) -> Result<Self, Error> {
        // A slow statement of a thousand rows would be logged whole, with what users are called.
        let options = MySqlConnectOptions::from_str(config.url.expose())?.disable_statement_logging();
        let pool = MySqlPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(Duration::from_secs(config.connect_timeout_seconds))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // Workers insert side by side. The default level locks the gaps between rows too, and two
                    // workers that write the ends of two concerts would wait for each other.
                    sqlx::query("set session transaction isolation level read committed")
                        .execute(connection)
                        .await
                        .map(drop)
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// An archive whose server has answered.
    pub async fn connect(config: &Mysql) -> Result<Self, Error> {
        let archive = Self::lazy(config)?;
        archive.ping().await?;
        Ok(archive)
    }

    /// Whether the server answers, on a connection that is kept if it does.
    pub async fn ping(&self) -> Result<(), Error> {
        // Asks the server on the connection that it takes up, or on a new one.
        self.pool.acquire().await?;
        Ok(())
    }

    /// Brings the schema up to date. Safe beside other processes that do the same.
    pub async fn migrate(&self) -> Result<(), Error> {
        sqlx::migrate!().run(&self.pool).await?;
        Ok(())
    }
}
