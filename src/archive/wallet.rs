//! The ledger: a row a movement of a user's money, from which the view `ledger_entries` makes both legs of it.
//!
//! Legs that follow from one number sum to zero whatever happens, and cost nothing to write. Money lies in wallet logs
//! only. A concert's log tells the same payment once more for its reservation; nothing of that is written here.

use super::rows::{self, Query, Row};
use crate::domain::event::{Event, Passed, Returned, TopUp, TopUpStep};
use crate::domain::ids::{Id20, LogName, ReservationId};
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

/// A movement of a user's money.
#[derive(Debug)]
struct Transaction<'a> {
    place: Place,
    kind: &'static str,
    reference: Id20,
    /// What was paid, or paid back; `None` for a charge.
    paid: Option<ReservationId>,
    user: &'a str,
    /// What a gateway moved to the concert, below 0 for what it gives back; the user's amount is 0 then.
    gateway: Option<i64>,
    /// What came in for the user, minor units.
    amount: i64,
    /// His balance after it.
    balance: i64,
}

/// The ledger transactions of one archive transaction.
#[derive(Debug, Default)]
pub(super) struct Ledger<'a>(Vec<Transaction<'a>>);

impl<'a> Ledger<'a> {
    /// Takes a movement of money in; other events are none of its business.
    pub(super) fn take(&mut self, place: Place, event: &Event<'a>) {
        let gateway = None;
        let transaction = match *event {
            Event::Charged { charge, user, amount, balance, .. } => Transaction {
                place,
                kind: "charged",
                reference: charge,
                paid: None,
                gateway,
                user,
                amount,
                balance,
            },
            Event::Spent { payment, user, reservation, amount, balance } => {
                let (paid, amount) = (Some(reservation), -amount);
                Transaction { place, kind: "paid", reference: payment, paid, gateway, user, amount, balance }
            }
            Event::Returned(Returned { refund, user, reservation, amount, balance }) => {
                let paid = Some(reservation);
                Transaction {
                    place,
                    kind: "refunded",
                    reference: refund,
                    paid,
                    gateway,
                    user,
                    amount,
                    balance,
                }
            }
            Event::Passed(Passed { payment, user, reservation, amount, balance }) => {
                let (paid, gateway) = (Some(reservation), Some(amount));
                Transaction {
                    place,
                    kind: "card",
                    reference: payment,
                    paid,
                    gateway,
                    user,
                    amount: 0,
                    balance,
                }
            }
            Event::TopUp(TopUp { charge, user, step: TopUpStep::Credited { amount, balance } }) => {
                let (kind, reference) = ("credited", charge);
                Transaction { place, kind, reference, paid: None, gateway, user, amount, balance }
            }
            Event::PassedBack(Returned { refund, user, reservation, amount, balance }) => {
                let (paid, gateway) = (Some(reservation), Some(-amount));
                Transaction {
                    place,
                    kind: "card_back",
                    reference: refund,
                    paid,
                    gateway,
                    user,
                    amount: 0,
                    balance,
                }
            }
            _ => return,
        };
        self.0.push(transaction);
    }

    /// Writes them.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        rows::write(connection, &self.0).await.map(drop)
    }
}

impl Row for Transaction<'_> {
    const HEAD: &'static str = "insert into ledger_transactions (log, number, ordinal, at, kind, reference, concert, show_id, \
                                reservation, gateway_amount, user, amount, balance) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

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
            .bind(self.gateway)
            .bind(self.user.as_bytes())
            .bind(self.amount)
            .bind(self.balance)
    }
}
