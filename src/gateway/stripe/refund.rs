//! Refunds: once for each name, whatever gets lost or fails, and whichever process asks.
//!
//! Keys are forgotten, and refunds may be asked for days later: the list of a payment's refunds knows for good, and at once.

use super::super::{Error, GivenBack, Intent};
use super::wire::{self, Failure, Listed, Refund};
use super::{KEYS, Known, Stripe, Trust, amount};

/// Refunds in one answer: the most that Stripe gives.
const PAGE: usize = 100;

/// What the list has of one name.
struct Made {
    /// The one that has not failed.
    good: Option<Refund>,
    failed: usize,
}

impl Stripe {
    pub(in crate::gateway) async fn refund(
        &self,
        intent: &Intent,
        refund: &str,
        amount: i64,
    ) -> Result<GivenBack, Error> {
        let Some(amount) = amount::charged(&intent.currency, amount) else {
            return Ok(GivenBack::Refused { reason: amount::REFUSED.to_owned() });
        };
        let (id, amount) = (self.paid(intent).await?, amount.to_string());
        let form = [
            ("payment_intent", id.as_str()),
            ("amount", &amount),
            ("metadata[onsale]", &intent.name),
            ("metadata[onsale_refund]", refund),
        ];
        for again in 0..KEYS {
            // Each time: the failure that was kept may be that of another process, and what it did come to light since.
            let made = self.made(&id, refund).await?;
            if let Some(good) = made.good {
                return Ok(good.given_back());
            }
            // Not a payment's name, which is the key of its PaymentIntent. What failed stays so: the next try is another refund.
            let mut key = format!("refund-{refund}~{}", made.failed);
            if again > 0 {
                key = format!("{key}.{again}");
            }
            match self.wire.post::<Refund>("/v1/refunds", &form, Some(&key)).await {
                Ok(answer) => return Ok(answer.value.given_back()),
                Err(Failure::Kept(_)) => {}
                Err(Failure::Refused(refusal)) if refusal.gives_nothing_back() => {
                    return Ok(GivenBack::Refused { reason: refusal.reason() });
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(wire::unanswered(Error::Unexpected(format!("failures that it keeps for refund {refund}"))))
    }

    /// Whether there is one of this name that has not failed.
    pub(in crate::gateway) async fn has_given_back(
        &self,
        intent: &Intent,
        refund: &str,
    ) -> Result<bool, Error> {
        let id = self.paid(intent).await?;
        Ok(self.made(&id, refund).await?.good.is_some())
    }

    /// The refunds of a PaymentIntent that have this name.
    async fn made(&self, id: &str, refund: &str) -> Result<Made, Error> {
        let size = PAGE.to_string();
        let query = [("payment_intent", id), ("limit", &size)];
        let list: Listed<Refund> = self.wire.get("/v1/refunds", &query).await?;
        let of_name = list.data.into_iter().filter(|made| made.metadata.refund.as_deref() == Some(refund));
        let (failed, mut good): (Vec<_>, Vec<_>) = of_name.partition(Refund::has_failed);
        let good = good.pop();
        if good.is_none() && list.has_more {
            return Err(Error::Unexpected(format!("more than {PAGE} refunds of {id}")));
        }
        Ok(Made { good, failed: failed.len() })
    }

    /// The id of the PaymentIntent that has paid.
    async fn paid(&self, intent: &Intent) -> Result<String, Error> {
        if let Some(Known { id, trust: Trust::Full }) = self.recall(&intent.name) {
            return Ok(id);
        }
        let id = match self.other(&intent.name, "").await? {
            Some(found) => found.id,
            // Paid within the last hour, then.
            None => self.find(intent).await?.map_err(Error::Unexpected)?.id,
        };
        self.remember(&intent.name, &id, Trust::Full);
        Ok(id)
    }
}
