//! The payment gateway: reserves a buyer's money, takes it or lets it go, when it is told to.
//!
//! It decides nothing about a sale, and nothing here does: `clearing` asks and tells it what the scripts decided. Every call
//! is bounded in time and may be made again: the payment's id is the gateway's idempotency key, and a payment that was voided
//! before it was ever begun can't begin any more. One type for all kinds, since there are few and callers must not care.
//! Only this module names the HTTP client.

mod remote;
mod sandbox;
mod signature;
mod stripe;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::remote::Remote;
use self::stripe::Stripe;

pub use self::sandbox::Sandbox;
pub use self::signature::WebhookSecret;

/// A payment as the gateway is asked for it.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Its name, there and here, and the key of idempotency.
    pub name: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// What the gateway says of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Standing {
    /// It has never heard of it.
    Unknown,
    /// The buyer has something to do.
    RequiresAction {
        /// What, in words for his client.
        next: Value,
    },
    /// The bank has.
    Processing,
    /// The money is reserved.
    Authorised,
    /// It will never be.
    Declined {
        /// Why, in a word.
        reason: String,
    },
    /// The money was taken.
    Captured,
    /// Nothing is reserved, and nothing ever will be.
    Voided,
}

/// What became of money that is to go back to the card.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum GivenBack {
    /// It is on its way, and the gateway answers for it.
    Done,
    /// The gateway is not sure yet: to be asked again.
    Pending,
    /// It does not give it back.
    Refused {
        /// Why, in a word.
        reason: String,
    },
}

/// What a message of the gateway's own is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The name of a payment.
    pub payment: String,
    /// The name of a refund of it that has failed.
    pub failed_refund: Option<String>,
}

/// A call that came to nothing that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer, or none that says anything: it may have happened.
    #[error("the gateway did not answer")]
    Unanswered(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An answer that nobody expects: a wrong address, key or version.
    #[error("the gateway answered {0}")]
    Unexpected(String),
}

/// A gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Inside(Sandbox),
    Remote(Remote),
    Stripe(Stripe),
}

impl Gateway {
    /// A sandbox in this process, for development: it forgets everything with it.
    pub fn inside() -> Self {
        Self(Arc::new(Kind::Inside(Sandbox::default())))
    }

    /// A sandbox behind this base address; a call is given up after `timeout`.
    pub fn sandbox(url: &str, timeout: Duration) -> Result<Self, Error> {
        Ok(Self(Arc::new(Kind::Remote(Remote::new(url, timeout)?))))
    }

    /// An account at Stripe, by its secret key; at `url`, or where Stripe is if that is empty. A call is given up after `timeout`.
    pub fn stripe(url: &str, key: &[u8], timeout: Duration) -> Result<Self, Error> {
        Ok(Self(Arc::new(Kind::Stripe(Stripe::new(url, key, timeout)?))))
    }

    /// Its name in addresses and metrics.
    pub fn name(&self) -> &'static str {
        match &*self.0 {
            Kind::Inside(_) | Kind::Remote(_) => "sandbox",
            Kind::Stripe(_) => "stripe",
        }
    }

    /// The header that carries the signature of what it sends by itself, in lower case.
    pub fn signature_header(&self) -> &'static str {
        match &*self.0 {
            Kind::Inside(_) | Kind::Remote(_) => signature::HEADER,
            Kind::Stripe(_) => stripe::SIGNATURE_HEADER,
        }
    }

    /// What a message of its own is about, if it is about a payment. The signature must have been checked.
    pub fn told(&self, message: &[u8]) -> Result<Option<Told>, serde_json::Error> {
        match &*self.0 {
            Kind::Inside(_) | Kind::Remote(_) => {
                sandbox::told(message).map(|payment| Some(Told { payment, failed_refund: None }))
            }
            Kind::Stripe(stripe) => stripe.told(message),
        }
    }

    /// Begins a payment, once: the same again tells how it stands.
    pub async fn begin(&self, intent: &Intent) -> Result<Standing, Error> {
        match &*self.0 {
            Kind::Inside(sandbox) => Ok(sandbox.begin(&intent.name, intent.amount)),
            Kind::Remote(remote) => remote.begin(intent).await,
            Kind::Stripe(stripe) => stripe.begin(intent).await,
        }
    }

    /// How a payment stands.
    pub async fn standing(&self, intent: &Intent) -> Result<Standing, Error> {
        match &*self.0 {
            Kind::Inside(sandbox) => Ok(sandbox.standing(&intent.name)),
            Kind::Remote(remote) => remote.standing(intent).await,
            Kind::Stripe(stripe) => stripe.standing(intent).await,
        }
    }

    /// Takes the money of an authorised payment, once; answers how it stands then.
    pub async fn capture(&self, intent: &Intent) -> Result<Standing, Error> {
        match &*self.0 {
            Kind::Inside(sandbox) => Ok(sandbox.capture(&intent.name)),
            Kind::Remote(remote) => remote.tell(intent, "capture").await,
            Kind::Stripe(stripe) => stripe.capture(intent).await,
        }
    }

    /// Lets the money go, and sees to it that none can be reserved any more; answers how it stands then.
    pub async fn void(&self, intent: &Intent) -> Result<Standing, Error> {
        match &*self.0 {
            Kind::Inside(sandbox) => Ok(sandbox.void(&intent.name)),
            Kind::Remote(remote) => remote.tell(intent, "void").await,
            Kind::Stripe(stripe) => stripe.void(intent).await,
        }
    }

    /// Gives back `amount` of a captured payment, once for each name of a refund, in minor units.
    pub async fn refund(&self, intent: &Intent, refund: &str, amount: i64) -> Result<GivenBack, Error> {
        match &*self.0 {
            Kind::Inside(sandbox) => Ok(sandbox.refund(&intent.name, refund, amount)),
            Kind::Remote(remote) => remote.refund(intent, refund, amount).await,
            Kind::Stripe(stripe) => stripe.refund(intent, refund, amount).await,
        }
    }

    /// Whether a refund of this name has not failed.
    pub async fn has_given_back(&self, intent: &Intent, refund: &str) -> Result<bool, Error> {
        match &*self.0 {
            // What they have given back stays so.
            Kind::Inside(_) | Kind::Remote(_) => Ok(true),
            Kind::Stripe(stripe) => stripe.has_given_back(intent, refund).await,
        }
    }

    /// Whether it can move so much of this currency, in ISO 4217's minor units.
    pub fn takes(&self, currency: &str, amount: i64) -> bool {
        match &*self.0 {
            Kind::Inside(_) | Kind::Remote(_) => true,
            Kind::Stripe(_) => stripe::takes(currency, amount),
        }
    }
}
