//! Stripe: a payment is a PaymentIntent for cards, captured by hand; the buyer's client confirms it with Stripe.js.
//!
//! Only names are kept here, so a PaymentIntent is found again by its name. Creating it once more under the same idempotency key has
//! Stripe tell which one it was, for 24 hours at least; a search by metadata knows it from an hour on at the latest. So one of
//! both always does (0013). To capture and to cancel have no key: a PaymentIntent does either once, and under a key Stripe
//! would keep its failures, too. What is known already spares calls, nothing else.

mod amount;
mod message;
mod refund;
mod wire;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use self::wire::{Failure, Listed, PaymentIntent, Wire};
use super::{Error, Intent, Standing, Told};

pub(super) use self::message::SIGNATURE_HEADER;

/// Where Stripe is.
const ADDRESS: &str = "https://api.stripe.com";

/// Keys that a payment is created under, or a refund made, one after the other: the next where Stripe keeps a failure under the last.
/// A payment that it may have created then can't be paid, since nobody was told its secret; a refund is looked for first.
const KEYS: u32 = 3;

/// Payments whose PaymentIntents are remembered; beyond it all are asked for again.
const KNOWN_MAX: usize = 50_000;

/// A PaymentIntent that a key leads to and that is younger may have been made only to find it, with the answer lost: what is voided
/// so soon is rare.
const YOUNG: Duration = Duration::from_mins(2);

/// An account at Stripe.
#[derive(Debug)]
pub(super) struct Stripe {
    wire: Wire,
    known: Mutex<HashMap<String, Known>>,
}

/// The PaymentIntent of a payment.
#[derive(Clone, Debug)]
struct Known {
    id: String,
    trust: Trust,
}

/// Whether there may be an older one than its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Begun here, or named by Stripe.
    Full,
    /// A key led to it, made at this time, unix seconds.
    Key(u64),
    /// Made just now for a payment that was begun before, if it ever was: not to be used before a search.
    None,
}

enum Created {
    /// Now.
    New(PaymentIntent),
    /// Before; as it was then.
    Before(PaymentIntent),
    /// Stripe takes no such payment, whoever pays.
    Never(String),
}

impl Trust {
    fn is_young(self) -> bool {
        let Self::Key(made) = self else {
            return false;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        now.saturating_sub(made) < YOUNG.as_secs()
    }
}

impl Stripe {
    pub(super) fn new(url: &str, key: &[u8], timeout: Duration) -> Result<Self, Error> {
        let url = if url.is_empty() { ADDRESS } else { url };
        Ok(Self { wire: Wire::new(url, key, timeout)?, known: Mutex::default() })
    }

    pub(super) async fn begin(&self, intent: &Intent) -> Result<Standing, Error> {
        match self.create(intent).await? {
            Created::Never(reason) => Ok(Standing::Declined { reason }),
            Created::New(made) => {
                self.remember(&intent.name, &made.id, Trust::Full);
                standing(&made, charged(intent)?)
            }
            Created::Before(made) => {
                let known = Known { id: made.id, trust: Trust::Key(made.created) };
                self.remember(&intent.name, &known.id, known.trust);
                self.stands(intent, &known).await
            }
        }
    }

    /// One that was never begun begins by it.
    pub(super) async fn standing(&self, intent: &Intent) -> Result<Standing, Error> {
        match self.find(intent).await? {
            Ok(found) => self.stands(intent, &found).await,
            Err(reason) => Ok(Standing::Declined { reason }),
        }
    }

    /// A canceled one that only a key led to may have been made to find the true one, and that may have money.
    async fn stands(&self, intent: &Intent, known: &Known) -> Result<Standing, Error> {
        let mut found = self.retrieve(&known.id).await?;
        if found.status == "canceled"
            && known.trust != Trust::Full
            && let Some(other) = self.other(&intent.name, &known.id).await?
        {
            self.remember(&intent.name, &other.id, Trust::Full);
            // What a search tells may be old.
            found = self.retrieve(&other.id).await?;
        }
        standing(&found, charged(intent)?)
    }

    pub(super) async fn capture(&self, intent: &Intent) -> Result<Standing, Error> {
        let id = match self.find(intent).await? {
            Ok(found) => found.id,
            Err(reason) => return Ok(Standing::Declined { reason }),
        };
        let (mut told, _) = self.tell(&id, "capture").await?;
        if told.status != "succeeded"
            && let Some(other) = self.other(&intent.name, &id).await?
        {
            (told, _) = self.tell(&other.id, "capture").await?;
        }
        done(&told, charged(intent)?)
    }

    pub(super) async fn void(&self, intent: &Intent) -> Result<Standing, Error> {
        // What Stripe never takes can't begin, either.
        let Ok(Known { id, trust }) = self.find(intent).await? else {
            return Ok(Standing::Voided);
        };
        let (mut told, before) = self.tell(&id, "cancel").await?;
        if told.status == "canceled"
            && (before || trust.is_young())
            && let Some(other) = self.other(&intent.name, &id).await?
        {
            (told, _) = self.tell(&other.id, "cancel").await?;
        }
        done(&told, charged(intent)?)
    }

    /// What a signed message is about, if it is about a payment of ours.
    pub(super) fn told(&self, message: &[u8]) -> Result<Option<Told>, serde_json::Error> {
        let about = message::about(message)?;
        Ok(about.map(|about| {
            if let Some(id) = about.payment_intent {
                self.remember(&about.name, &id, Trust::Full);
            }
            Told { payment: about.name, failed_refund: about.failed_refund }
        }))
    }

    fn recall(&self, name: &str) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn remember(&self, name: &str, id: &str, trust: Trust) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, known| known.trust == Trust::None);
        }
        known.insert(name.to_owned(), Known { id: id.to_owned(), trust });
    }

    /// Makes the PaymentIntent, or learns which one it is. All that is sent has to be the same each time.
    async fn create(&self, intent: &Intent) -> Result<Created, Error> {
        let Ok(amount) = charged(intent) else {
            return Ok(Created::Never(amount::REFUSED.to_owned()));
        };
        let (amount, currency) = (amount.to_string(), intent.currency.to_lowercase());
        let form = [
            ("amount", amount.as_str()),
            ("currency", &currency),
            ("capture_method", "manual"),
            ("payment_method_types[]", "card"),
            ("metadata[onsale]", &intent.name),
        ];
        let mut key = intent.name.clone();
        for again in 1..=KEYS {
            match self.wire.post::<PaymentIntent>("/v1/payment_intents", &form, Some(&key)).await {
                Ok(answer) if answer.replayed => return Ok(Created::Before(answer.value)),
                Ok(answer) => return Ok(Created::New(answer.value)),
                Err(Failure::Kept(_)) => key = format!("{}~{again}", intent.name),
                Err(Failure::Refused(refusal)) if refusal.is_for_good() => {
                    return Ok(Created::Never(refusal.reason()));
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(wire::unanswered(Error::Unexpected(format!("failures that it keeps for {}", intent.name))))
    }

    /// Its PaymentIntent, which is made if there is none; or why Stripe takes no such payment.
    async fn find(&self, intent: &Intent) -> Result<Result<Known, String>, Error> {
        let known = match self.recall(&intent.name) {
            Some(known) => known,
            None => match self.create(intent).await? {
                Created::Never(reason) => return Ok(Err(reason)),
                Created::Before(made) => Known { id: made.id, trust: Trust::Key(made.created) },
                Created::New(made) => Known { id: made.id, trust: Trust::None },
            },
        };
        self.remember(&intent.name, &known.id, known.trust);
        if known.trust != Trust::None {
            return Ok(Ok(known));
        }
        let older = self.other(&intent.name, &known.id).await?.map(|older| older.id);
        if older.is_some() {
            // Nobody was told its secret, so it does no harm if this comes to nothing.
            drop(self.tell(&known.id, "cancel").await);
        }
        let id = older.unwrap_or(known.id);
        self.remember(&intent.name, &id, Trust::Full);
        Ok(Ok(Known { id, trust: Trust::Full }))
    }

    /// Another PaymentIntent of this name that is not canceled, one with money first, if Stripe's search knows one.
    async fn other(&self, name: &str, than: &str) -> Result<Option<PaymentIntent>, Error> {
        let query = format!("metadata['onsale']:'{name}'");
        let query = [("query", query.as_str())];
        let found: Listed<PaymentIntent> = self.wire.get("/v1/payment_intents/search", &query).await?;
        let others = found.data.into_iter().filter(|other| {
            other.id != than && other.status != "canceled" && other.metadata.onsale.as_deref() == Some(name)
        });
        Ok(others.min_by_key(|other| (!other.has_money(), other.created)))
    }

    async fn retrieve(&self, id: &str) -> Result<PaymentIntent, Error> {
        Ok(self.wire.get(&format!("/v1/payment_intents/{id}"), &[]).await?)
    }

    /// Has it captured or canceled. How it is then, and whether Stripe refused since it is so already.
    async fn tell(&self, id: &str, what: &str) -> Result<(PaymentIntent, bool), Error> {
        match self.wire.post(&format!("/v1/payment_intents/{id}/{what}"), &[], None).await {
            Ok(answer) => Ok((answer.value, false)),
            Err(Failure::Refused(refusal)) => match refusal.stands() {
                Ok(found) => Ok((found, true)),
                Err(refusal) => Err(Failure::Refused(refusal).into()),
            },
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Whether Stripe can be asked for so much of a currency.
pub(super) fn takes(currency: &str, amount: i64) -> bool {
    amount::charged(currency, amount).is_some()
}

fn charged(intent: &Intent) -> Result<i64, Error> {
    let charged = amount::charged(&intent.currency, intent.amount);
    charged.ok_or_else(|| Error::Unexpected(format!("no amount of {} {}", intent.amount, intent.currency)))
}

/// How a PaymentIntent stands that is to be worth `amount`. A card that was declined is no end: the buyer may take another.
fn standing(found: &PaymentIntent, amount: i64) -> Result<Standing, Error> {
    let money = |held: i64, standing| {
        let differs = || Error::Unexpected(format!("{held} in {}, not {amount}", found.id));
        if held == amount { Ok(standing) } else { Err(differs()) }
    };
    match found.status.as_str() {
        "requires_payment_method" | "requires_confirmation" | "requires_action" => {
            let next = json!({
                "type": "stripe",
                "paymentIntent": found.id,
                "clientSecret": found.client_secret,
                "status": found.status,
                "declined": found.last_payment_error.as_ref().map(wire::Trouble::reason),
            });
            Ok(Standing::RequiresAction { next })
        }
        "processing" => Ok(Standing::Processing),
        "requires_capture" => money(found.amount_capturable, Standing::Authorised),
        "succeeded" => money(found.amount_received, Standing::Captured),
        "canceled" => Ok(Standing::Voided),
        other => Err(Error::Unexpected(format!("{} that is {other}", found.id))),
    }
}

/// The same of one that was told to capture or cancel: what its bank has not decided is asked again, and logs get no secret.
fn done(found: &PaymentIntent, amount: i64) -> Result<Standing, Error> {
    match standing(found, amount)? {
        Standing::Processing => {
            Err(wire::unanswered(Error::Unexpected(format!("{} that is processing", found.id))))
        }
        Standing::RequiresAction { .. } => Ok(Standing::RequiresAction {
            next: json!({ "paymentIntent": found.id, "status": found.status }),
        }),
        standing => Ok(standing),
    }
}
