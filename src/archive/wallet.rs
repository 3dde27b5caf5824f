//! The ledger: double entry, each transaction's legs sum to zero.
//!
//! Money lies in wallet logs only. A concert's log tells the same payment once more for its reservation; nothing
//! of that is written here.

use super::rows::{self, Query, Row};
use crate::domain::event::Event;
use crate::domain::ids::{ConcertId, Id20, LogName, ReservationId};
use crate::domain::time::Millis;
use sqlx::mysql::MySqlConnection;

/// Where a ledger transaction stands: its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) log: LogName,
    /// Number of the entry.
    pub(super) number: u64,
    /// Place of the event in its entry.
    pub(super) ordinal: u16,
    /// Time of the entry.
    pub(super) at: Millis,
}

#[derive(Debug)]
struct Transaction {
    place: Place,
    kind: &'static str,
    reference: Id20,
    /// `None` for a charge.
    paid: Option<ReservationId>,
}

/// Who owns the money of a leg.
#[derive(Clone, Copy, Debug)]
enum Account<'a> {
    /// A user, with his balance after it.
    User(&'a str, i64),
    /// The outside world.
    Cash,
    /// What a concert took.
    Concert(ConcertId),
}

#[derive(Debug)]
struct Leg<'a> {
    place: Place,
    /// 0: what the amount was taken from; 1: what it went to.
    side: u8,
    account: Account<'a>,
    amount: i64,
}

/// The ledger transactions of one archive transaction.
#[derive(Debug, Default)]
pub(super) struct Ledger<'a> {
    transactions: Vec<Transaction>,
    legs: Vec<Leg<'a>>,
}

impl<'a> Ledger<'a> {
    /// Takes a movement of money in; other events are none of its business.
    pub(super) fn take(&mut self, place: Place, event: &Event<'a>) {
        match *event {
            Event::Charged { charge, user, amount, balance, .. } => {
                self.transactions.push(Transaction { place, kind: "charged", reference: charge, paid: None });
                self.transfer(place, amount, Account::Cash, Account::User(user, balance));
            }
            Event::Spent { payment, user, reservation, amount, balance } => {
                let paid = Some(reservation);
                self.transactions.push(Transaction { place, kind: "paid", reference: payment, paid });
                self.transfer(
                    place,
                    amount,
                    Account::User(user, balance),
                    Account::Concert(reservation.concert),
                );
            }
            _ => {}
        }
    }

    fn transfer(&mut self, place: Place, amount: i64, from: Account<'a>, to: Account<'a>) {
        let out = Leg { place, side: 0, account: from, amount: -amount };
        self.legs.extend([out, Leg { place, side: 1, account: to, amount }]);
    }

    /// Writes them.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        rows::write(connection, &self.transactions).await?;
        rows::write(connection, &self.legs).await?;
        Ok(())
    }
}

impl Row for Transaction {
    const HEAD: &'static str = "insert into ledger_transactions (log, number, ordinal, at, kind, reference, concert, show_id, reservation) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?, ?, ?, ?, ?)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query
            .bind(self.place.log.to_string())
            .bind(self.place.number)
            .bind(self.place.ordinal)
            .bind(self.place.at.0)
            .bind(self.kind)
            .bind(self.reference.as_str())
            .bind(self.paid.map(|paid| paid.concert.0))
            .bind(self.paid.map(|paid| paid.show.0))
            .bind(self.paid.as_ref().map(|paid| paid.id.as_str()))
    }
}

impl Row for Leg<'_> {
    const HEAD: &'static str =
        "insert into ledger_entries (log, number, ordinal, leg, account, owner, amount, balance) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?, ?, ?, ?)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let query = query
            .bind(self.place.log.to_string())
            .bind(self.place.number)
            .bind(self.place.ordinal)
            .bind(self.side);
        let query = match self.account {
            Account::User(user, _) => query.bind("user").bind(user.as_bytes()),
            Account::Cash => query.bind("cash").bind(b"".as_slice()),
            Account::Concert(concert) => query.bind("concert").bind(concert.to_string().into_bytes()),
        };
        let balance = match self.account {
            Account::User(_, balance) => Some(balance),
            Account::Cash | Account::Concert(_) => None,
        };
        query.bind(self.amount).bind(balance)
    }
}
