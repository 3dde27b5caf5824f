//! Payments that the gateway tells of and nobody here remembers: what began them was lost with its log.
//!
//! Such a payment buys nothing, so its money goes back. Only where it is certain: its reservation is one of ours (an account at
//! a gateway may serve others, too), and Redis and MySQL are level and do not know it.

use tokio::time::Instant;

use super::{Clearing, ClearingError};
use crate::archive::{Archive, LogOffset, LogState};
use crate::domain::ids::{LogName, Mark, Offset, PaymentId};
use crate::domain::reservation::Reservation;
use crate::gateway::Standing;

impl Clearing {
    /// Has the gateway let the money go of a payment of which Redis has no record, unless it was a payment. Fails while that is
    /// not certain, and at `deadline`: the gateway tells of it again.
    pub(super) async fn disown(
        &self,
        payment: PaymentId,
        archive: &Archive,
        deadline: Instant,
    ) -> Result<(), ClearingError> {
        let answer = self.0.store.reservation(payment.reservation, deadline).await?;
        if answer.value.as_ref().is_some_and(|held| names(held, payment))
            || archive.card(payment).await?.is_some()
        {
            return Ok(());
        }
        self.level(payment, archive, (answer.log_id, answer.at), deadline).await?;
        if archive.card(payment).await?.is_some() {
            return Ok(());
        }
        let amount = match answer.value {
            Some(held) => Some(held.amount),
            None => archive.amount_of(payment.reservation).await?,
        };
        let Some(amount) = amount else {
            return Ok(());
        };
        let intent = self.intent(payment, amount)?;
        if self.0.gateway.standing(&intent).await? == Standing::Unknown {
            return Ok(());
        }
        match self.let_go(&intent).await? {
            Some(Standing::Voided) => {
                tracing::warn!(%payment, amount, "a payment that was lost with its log was let go");
                Ok(())
            }
            Some(standing) => Err(ClearingError::Contradicts { payment, told: "void", standing }),
            None => Err(ClearingError::NotLevel(payment.reservation.concert)),
        }
    }

    /// Waits until MySQL has all that Redis had at `end`, and finds that Redis has all that MySQL has.
    async fn level(
        &self,
        payment: PaymentId,
        archive: &Archive,
        (log_id, end): (Mark, Offset),
        deadline: Instant,
    ) -> Result<(), ClearingError> {
        let concert = payment.reservation.concert;
        let not_level = || ClearingError::NotLevel(concert);
        let log = archive.reached(LogName::Concert(concert), end.number, deadline).await?;
        let sells = |log: &LogOffset| log.state == LogState::Selling && log.log_id == log_id;
        let archived = log.filter(sells).ok_or_else(not_level)?.offset;
        if archived.number < end.number {
            return Err(not_level());
        }
        let now = self.0.store.reservation(payment.reservation, deadline).await?.at;
        let same = now.number > archived.number || now == archived;
        if same { Ok(()) } else { Err(not_level()) }
    }
}

/// Whether a reservation remembers that payment.
fn names(held: &Reservation, payment: PaymentId) -> bool {
    [held.payment, held.card].contains(&Some(payment.id)) || held.declined.contains(&payment.id)
}
