//! MySQL: what the logs said, for good, and the catalog.
//!
//! The archive follows the logs, it decides nothing. What one transaction writes and the offsets it has reached
//! are committed together, so every log entry counts exactly once whatever crashes. Reads here are histories, as
//! fresh as the archive; only organisers' calls and history reads come here while a sale runs.

mod action;
mod apply;
mod cancellation;
mod card;
mod card_refund;
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
mod renaming;
mod report;
mod reservation;
mod reservation_history;
mod retention;
mod rewriting;
mod rows;
mod seating;
mod seats;
mod show;
pub mod snapshot;
mod top_up;
mod wallet;
mod wallet_history;
mod webhook;
mod webhook_progress;

use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{ConnectOptions, MySql, Transaction};

use crate::config::Mysql;

pub use action::{ActionCursor, ActionEnd, NewAction, StoredAction};
pub use cancellation::Refunds;
pub use card::{StoredCard, StoredCardState};
pub use catalog::{CatalogConcert, CatalogFile, CatalogShow, IMPORTED_IDS_MAX, InvalidCatalog};
pub use concert::{ConcertUpdate, NewConcert};
pub use error::Error;
pub use export::{EXPORT_MAX, ExportedReservation, Movement, MovementCursor};
pub use forgetting::{ForgettingLock, ForgottenLog, ForgottenLogs, Rewritten};
pub use import::{Change, ImportRefusal, ImportRefused, ImportReport, ImportedConcert, ImportedShow};
pub use log::{LogBatch, LogOffset, LogState};
pub use page::{InvalidCursor, LIMIT_MAX, Page};
pub use payment::StoredPayment;
pub use report::{MoneyOfDay, TakenSeat};
pub use reservation_history::{Action, HistoryItem, ReservationCursor, StoredReservation};
pub use retention::RetentionState;
pub use rewriting::Joined;
pub use seating::Seated;
pub use top_up::StoredTopUp;
pub use wallet_history::{LedgerCursor, LedgerItem, LedgerKind};
pub use webhook::{Webhook, WebhookState};
pub use webhook_progress::{DeadLetter, WebhookProgress};

/// Connections for reads of a whole concert, so that no number of reports keeps the others from their turn.
const WHOLE_CONNECTIONS: u32 = 2;
/// How the sessions of those begin: a read of several statements sees one moment, and none goes on for more than 30 s after its
/// caller gave it up. The comments are for one engine each, MariaDB and MySQL.
const WHOLE_SESSION: &str = "set session transaction isolation level repeatable read; \
     set session /*M! max_statement_time = 30 */ /*!80000 max_execution_time = 30000 */";

/// The archive. Cheap to clone: its clones share its connections.
#[derive(Clone, Debug)]
pub struct Archive {
    pool: MySqlPool,
    /// Of what reads all that a concert has.
    whole: MySqlPool,
}

impl Archive {
    /// An archive that connects when it is first asked. Fails only if the address can't be read.
    pub fn lazy(config: &Mysql) -> Result<Self, Error> {
        // A slow statement of a thousand rows would be logged whole, with what users are called.
        let options = MySqlConnectOptions::from_str(config.url.expose())?.disable_statement_logging();
        let pool = |connections: u32, session: &'static str| {
            MySqlPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(config.connect_timeout_seconds))
                .after_connect(move |connection, _| {
                    Box::pin(async move { sqlx::raw_sql(session).execute(connection).await.map(drop) })
                })
                .connect_lazy_with(options.clone())
        };
        // Workers insert side by side. The default level locks the gaps between rows too, and two workers that write
        // the ends of two concerts would wait for each other.
        let each = "set session transaction isolation level read committed";
        Ok(Self { pool: pool(config.max_connections, each), whole: pool(WHOLE_CONNECTIONS, WHOLE_SESSION) })
    }

    /// One moment of all tables, for a read of a whole concert. Beginning it ends what such a read left behind when it was given
    /// up half-way.
    async fn moment(&self) -> Result<Transaction<'static, MySql>, Error> {
        Ok(self.whole.begin_with("start transaction with consistent snapshot, read only").await?)
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
