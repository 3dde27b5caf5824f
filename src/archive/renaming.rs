//! What is a user's in the tables gets his new name (0010): with the event that says so, and in the transaction that forgets him.

use sqlx::mysql::MySqlConnection;

use super::Error;
use super::log::read_text;
use crate::domain::event::{Entry, Event, Forgotten, LogKind, TopUp, TopUpStep};
use crate::domain::forgetting::{only, rewritten};
use crate::domain::ids::{ConcertId, LogName, UserId};

/// Follows an event: his reservations up to it are those of the pseudonym.
pub(super) async fn apply_forgotten(
    connection: &mut MySqlConnection,
    concert: ConcertId,
    number: u64,
    forgotten: &Forgotten<'_>,
) -> Result<(), Error> {
    let (user, pseudonym) = (forgotten.user, forgotten.pseudonym);
    if user != pseudonym {
        rename_reservations(connection, concert, number, [user, pseudonym]).await?;
    }
    Ok(())
}

/// Reservations made up to this entry, their card payments and refunds to cards. Answers how many rows.
async fn rename_reservations(
    connection: &mut MySqlConnection,
    concert: ConcertId,
    number: u64,
    [user, pseudonym]: [&str; 2],
) -> Result<u64, Error> {
    // `entries` is the number of the entry that made it (0005).
    let reservations = "update reservations set user = ? \
                        where user = ? and concert = ? and cast(entries as unsigned) <= ?";
    let cards = "update reservations r join card_payments c on c.concert = r.concert and c.reservation = r.reservation \
                 set c.user = r.user where r.user = ? and c.user = ? and r.concert = ?";
    let refunds = "update reservations r join card_refunds c on c.concert = r.concert and c.reservation = r.reservation \
                   set c.user = r.user where r.user = ? and c.user = ? and r.concert = ?";
    let query = sqlx::query(reservations)
        .bind(pseudonym.as_bytes())
        .bind(user.as_bytes())
        .bind(concert.0)
        .bind(number);
    let mut changed = query.execute(&mut *connection).await?.rows_affected();
    for update in [cards, refunds] {
        let query = sqlx::query(update).bind(pseudonym.as_bytes()).bind(user.as_bytes()).bind(concert.0);
        changed += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(changed)
}

/// Charges through the gateway have the name that the entry which begins them tells: one of the old name may be a new user's. Answers
/// how many rows.
pub(super) async fn rename_charges(
    connection: &mut MySqlConnection,
    log: LogName,
    entry: &Entry<'_>,
) -> Result<u64, Error> {
    let mut changed = 0;
    for event in &entry.events {
        let Event::TopUp(TopUp { charge, user, step: TopUpStep::Charging { .. } }) = event else { continue };
        let update = sqlx::query("update top_ups set user = ? where log = ? and charge = ? and user <> ?")
            .bind(user.as_bytes())
            .bind(log.to_string())
            .bind(charge.as_str())
            .bind(user.as_bytes());
        changed += update.execute(&mut *connection).await?.rows_affected();
    }
    Ok(changed)
}

/// The transaction that forgets a user.
pub(super) struct Renaming<'a> {
    pub(super) connection: &'a mut MySqlConnection,
    pub(super) user: &'a UserId,
    pub(super) pseudonym: &'a UserId,
}

impl Renaming<'_> {
    /// These entries, and the charges through the gateway that begin in them. Answers how many rows of each.
    pub(super) async fn entries(&mut self, log: LogName, numbers: &[u64]) -> Result<(u64, u64), Error> {
        let kind = LogKind::of(log);
        let (mut changed, mut top_ups) = (0, 0);
        for number in numbers {
            let select = sqlx::query("select body from events where log = ? and number = ?")
                .bind(log.to_string())
                .bind(number);
            let body = read_text(&select.fetch_one(&mut *self.connection).await?, "body")?;
            let told = rewritten(kind, &body, only(self.user.as_str(), self.pseudonym.as_str()));
            let told = told.map_err(|source| Error::Entry { log, number: *number, source })?;
            let Some(told) = told else { continue };
            let update = sqlx::query("update events set body = ? where log = ? and number = ?")
                .bind(told.as_bytes())
                .bind(log.to_string())
                .bind(number);
            changed += update.execute(&mut *self.connection).await?.rows_affected();
            let entry =
                Entry::decode(kind, &told).map_err(|source| Error::Entry { log, number: *number, source })?;
            top_ups += rename_charges(self.connection, log, &entry).await?;
        }
        Ok((changed, top_ups))
    }

    pub(super) async fn places(&mut self, concert: ConcertId, seqs: &[u64]) -> Result<u64, Error> {
        let mut changed = 0;
        for seq in seqs {
            let update =
                sqlx::query("update queue_tokens set user = ? where concert = ? and seq = ? and user = ?")
                    .bind(self.pseudonym.as_str().as_bytes())
                    .bind(concert.0)
                    .bind(seq)
                    .bind(self.user.as_str().as_bytes());
            changed += update.execute(&mut *self.connection).await?.rows_affected();
        }
        Ok(changed)
    }

    pub(super) async fn reservations(&mut self, concert: ConcertId, number: u64) -> Result<u64, Error> {
        let names = [self.user.as_str(), self.pseudonym.as_str()];
        rename_reservations(self.connection, concert, number, names).await
    }

    pub(super) async fn ledger(&mut self, log: LogName, number: u64) -> Result<u64, Error> {
        let update = "update ledger_transactions set user = ? where user = ? and log = ? and number <= ?";
        let query = sqlx::query(update)
            .bind(self.pseudonym.as_str().as_bytes())
            .bind(self.user.as_str().as_bytes())
            .bind(log.to_string())
            .bind(number);
        Ok(query.execute(&mut *self.connection).await?.rows_affected())
    }

    pub(super) async fn actions(&mut self) -> Result<u64, Error> {
        let query = sqlx::query("update organiser_actions set who = ? where who = ?")
            .bind(self.pseudonym.as_str().as_bytes())
            .bind(self.user.as_str().as_bytes());
        Ok(query.execute(&mut *self.connection).await?.rows_affected())
    }
}
