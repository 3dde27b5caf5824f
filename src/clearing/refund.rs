//! Money that goes back: what was decided of a refund is told until the gateway has done it; and what comes back to it afterwards.

use tokio::time::Instant;

use super::error::counted;
use super::{Clearing, ClearingError, STEP};
use crate::domain::card::RefundsOf;
use crate::domain::ids::{Id20, PaymentId};
use crate::gateway::{self, GivenBack, Intent, Standing};
use crate::store::{Done, Task};

impl Clearing {
    /// Goes as far with a refund, by its own name, as it goes now.
    pub async fn clear_refund(&self, refund: PaymentId) -> Result<(), ClearingError> {
        match self.0.store.card_refund(refund, Instant::now() + STEP).await? {
            Some(card) => self.clear(refund, &card).await.map(drop),
            None => Ok(()),
        }
    }

    /// The gateway tells that a refund has failed. One that is not at its end here is told again by whoever looks at it. One that is,
    /// since it had succeeded, is told by nobody any more: [`ClearingError::RefundFailed`], unless another of its name has not failed.
    pub async fn hear_of_failed_refund(&self, payment: PaymentId, refund: &str) -> Result<(), ClearingError> {
        let _slot = self.slot()?;
        let Some(paid) = self.ended_refund(payment, refund).await? else {
            return Ok(());
        };
        let intent = self.intent(payment, paid)?;
        if self.0.gateway.has_given_back(&intent, refund).await? {
            return Ok(());
        }
        counted(Err(ClearingError::RefundFailed { payment, refund: refund.to_owned() }))
    }

    /// What a payment came to whose refund of this name is at its end here; `None`: it is not, or is none of ours.
    async fn ended_refund(&self, payment: PaymentId, refund: &str) -> Result<Option<i64>, ClearingError> {
        let (store, archive, deadline) = (&self.0.store, &self.0.archive, Instant::now() + STEP);
        let has_ended = if refund == payment.to_string() {
            // Money that was taken for nothing (`let_go`).
            store.card(payment, deadline).await?.is_none()
        } else {
            let Ok(id) = refund.parse::<Id20>() else {
                return Ok(None);
            };
            let name = PaymentId { id, ..payment };
            store.card_refund(name, deadline).await?.is_none() && archive.has_card_refund(name).await?
        };
        if has_ended { Ok(archive.amount_of(payment.reservation).await?) } else { Ok(None) }
    }

    /// Tells the gateway to give back what was decided, once it has taken it, and notes what it did. One whose outcome it does not
    /// know yet stays; so does one that MySQL has not got yet. Were its log lost after it was told, the seats would be sold still, and
    /// whoever asks again would pay the buyer twice.
    pub(super) async fn give_back(
        &self,
        refund: PaymentId,
        amount: i64,
        of: RefundsOf,
    ) -> Result<(), ClearingError> {
        if !self.0.archive.has_card_refund(refund).await? {
            return Ok(());
        }
        let payment = PaymentId { id: of.payment, ..refund };
        let intent = self.intent(payment, of.paid)?;
        if self.0.store.card(payment, Instant::now() + STEP).await?.is_some() {
            // It has paid, so what is left of it is this.
            self.tell(payment, &intent, Task::Capture).await?;
        }
        // Seats that cost nothing leave nothing to tell.
        let answer = if amount == 0 {
            GivenBack::Done
        } else {
            self.0.gateway.refund(&intent, refund.id.as_str(), amount).await?
        };
        let done = match answer {
            GivenBack::Done => Done::Returned,
            GivenBack::Pending => return Ok(()),
            GivenBack::Refused { .. } => Done::Refused,
        };
        self.0.store.settle(refund, done, Instant::now() + STEP).await?;
        match answer {
            GivenBack::Refused { reason } => Err(ClearingError::RefundRefused { payment, amount, reason }),
            GivenBack::Done | GivenBack::Pending => Ok(()),
        }
    }

    /// Has the gateway let the money go, and give it back if it had taken it: whoever decided that did so in a log that was lost.
    /// Answers how the payment stands then, `Voided` if nothing of it is left there; `None` if it has to be asked again.
    pub(super) async fn let_go(&self, intent: &Intent) -> Result<Option<Standing>, gateway::Error> {
        let standing = self.0.gateway.void(intent).await?;
        if standing != Standing::Captured {
            return Ok(Some(standing));
        }
        // The payment's name is no refund's.
        Ok(match self.0.gateway.refund(intent, &intent.name, intent.amount).await? {
            GivenBack::Done => Some(Standing::Voided),
            GivenBack::Pending => None,
            GivenBack::Refused { .. } => Some(Standing::Captured),
        })
    }
}
