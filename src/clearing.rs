//! Carries each card payment to its one end: captured with its seats, or voided without; and each refund of one to its: given back.
//!
//! What becomes of a payment is decided by `confirm.lua` alone, from what the gateway says and the state of the hold; only
//! then is the gateway told, again and again until it has answered, and `settle.lua` notes that. Each step may be done by anybody
//! (the server that was asked, a webhook, a buyer who looks, a worker's loop), twice or at once, and may break off anywhere:
//! the record of the payment stays in Redis until its end, and whoever finds it goes on.

mod disowned;
mod top_up;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::archive::{self, Archive};
use crate::domain::card::{CardPayment, CardState, RefundsOf};
use crate::domain::ids::{ChargeId, ConcertId, PaymentId, UserId};
use crate::gateway::{self, Gateway, GivenBack, Intent, Standing, WebhookSecret};
use crate::live::Live;
use crate::metrics;
use crate::store::{Done, Failure, Store, Task, Verdict};

pub use self::top_up::Progress;

/// How often one payment is asked about because somebody looks at it.
const LOOK: Duration = Duration::from_secs(1);

/// Payments looked at whose times are remembered; beyond it those that are over are forgotten.
const LOOKS_MAX: usize = 10_000;

/// Payments with which requests of buyers and of the gateway are busy at once, each with a connection to it: a gateway that is slow
/// costs no more of them. Those beyond are left to the worker's loop.
const AT_ONCE: usize = 256;

/// One call of a script.
const STEP: Duration = Duration::from_secs(2);

/// Why a payment is not a step further. Somebody tries again.
#[derive(Debug, thiserror::Error)]
pub enum ClearingError {
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    /// The store.
    #[error("the store failed")]
    Store(#[from] Failure),
    /// The archive.
    #[error("the archive failed")]
    Archive(#[from] archive::Error),
    /// The catalog of its show is not known here, and so neither is its currency.
    #[error("show {0} is not known here")]
    UnknownShow(crate::domain::ids::ShowId),
    /// As many as may be are with the gateway. Nothing has happened.
    #[error("too many payments are with the gateway")]
    Busy,
    /// Nobody here knows it, and what MySQL has is not all that there was.
    #[error("log of concert {0} is not level")]
    NotLevel(ConcertId),
    /// The owner in the record is no user id: a bug.
    #[error("card payment {0} has no owner")]
    NoOwner(PaymentId),
    /// The user in the record of a top-up is no user id: a bug.
    #[error("top-up {0} has no user")]
    NoPayer(ChargeId),
    /// As with a payment: people have to look.
    #[error("the gateway was told to {told} top-up {charge}, which is {standing:?}")]
    TopUpContradicts {
        /// The top-up.
        charge: ChargeId,
        /// `tell about`, `begin`, `capture` or `void`.
        told: &'static str,
        /// What it says.
        standing: Standing,
    },
    /// The gateway has done, or will do, something else than was decided: people have to look.
    #[error("the gateway was told to {told} payment {payment}, which is {standing:?}")]
    Contradicts {
        /// The payment.
        payment: PaymentId,
        /// `capture` or `void`.
        told: &'static str,
        /// What it says.
        standing: Standing,
    },
    /// The gateway does not give back what it took: people have to look.
    #[error("the gateway does not give back {amount} of payment {payment}: {reason}")]
    RefundRefused {
        /// The payment.
        payment: PaymentId,
        /// Minor units.
        amount: i64,
        /// The gateway's word.
        reason: String,
    },
}

impl ClearingError {
    /// What the gateway was told and did not do, if it contradicts: of `told`.
    pub fn contradicted(&self) -> Option<&'static str> {
        match self {
            Self::Contradicts { told, .. } => Some(told),
            Self::RefundRefused { .. } => Some("refund"),
            _ => None,
        }
    }
}

/// What it takes. Cheap to clone.
#[derive(Clone)]
pub struct Clearing(Arc<Inner>);

struct Inner {
    store: Store,
    live: Live,
    archive: Archive,
    gateway: Gateway,
    webhooks: Option<WebhookSecret>,
    looked: Mutex<HashMap<String, Instant>>,
    /// What the gateway said when a payment was looked at, as long as it is not asked again.
    said: Mutex<HashMap<String, (Instant, Standing)>>,
    slots: Semaphore,
}

impl Clearing {
    /// Clears payments by `gateway`; without a secret it sends no webhooks.
    pub fn new(
        store: Store,
        live: Live,
        archive: Archive,
        gateway: Gateway,
        webhooks: Option<WebhookSecret>,
    ) -> Self {
        for told in metrics::CONTRADICTED {
            // From 0 on, so that the first one is an increase.
            metrics::GATEWAY_CONTRADICTIONS.with([told]).increment(0);
        }
        let (looked, said) = (Mutex::default(), Mutex::default());
        let slots = Semaphore::new(AT_ONCE);
        Self(Arc::new(Inner { store, live, archive, gateway, webhooks, looked, said, slots }))
    }

    /// The gateway's name.
    pub fn gateway(&self) -> &'static str {
        self.0.gateway.name()
    }

    /// The key of the gateway's webhooks, if it sends any.
    pub fn webhooks(&self) -> Option<&WebhookSecret> {
        self.0.webhooks.as_ref()
    }

    /// The header with the signature of the gateway's webhooks, in lower case.
    pub fn signature_header(&self) -> &'static str {
        self.0.gateway.signature_header()
    }

    /// The name of the payment that a webhook of the gateway is about, if it is about one.
    pub fn told(&self, message: &[u8]) -> Result<Option<String>, serde_json::Error> {
        self.0.gateway.told(message)
    }

    /// Begins at the gateway a payment that has just begun here, and goes as far with it as it goes now.
    pub async fn begin(
        &self,
        payment: PaymentId,
        user: &UserId,
        amount: i64,
    ) -> Result<Standing, ClearingError> {
        let intent = self.intent(payment, amount)?;
        let _slot = self.slot()?;
        self.looked_just_now(payment.to_string());
        let standing = self.0.gateway.begin(&intent).await?;
        self.keep(payment.to_string(), &standing);
        self.advance(payment, &intent, user, &standing).await?;
        Ok(standing)
    }

    /// Goes as far with a payment, or with a refund by its own name, as it goes now. How the gateway says that a payment stands, if
    /// it had to be asked.
    pub async fn clear(
        &self,
        payment: PaymentId,
        card: &CardPayment,
    ) -> Result<Option<Standing>, ClearingError> {
        let cleared = match card.refunds {
            Some(of) => self.give_back(payment, card.amount, of).await.map(|()| None),
            None => self.clear_payment(payment, card).await,
        };
        if let Err(Some(told)) = cleared.as_ref().map_err(ClearingError::contradicted) {
            metrics::GATEWAY_CONTRADICTIONS.with([told]).increment(1);
        }
        cleared
    }

    /// Goes as far with a refund, by its own name, as it goes now.
    pub async fn clear_refund(&self, refund: PaymentId) -> Result<(), ClearingError> {
        match self.0.store.card_refund(refund, Instant::now() + STEP).await? {
            Some(card) => self.clear(refund, &card).await.map(drop),
            None => Ok(()),
        }
    }

    async fn clear_payment(
        &self,
        payment: PaymentId,
        card: &CardPayment,
    ) -> Result<Option<Standing>, ClearingError> {
        let intent = self.intent(payment, card.amount)?;
        match card.state {
            CardState::Authorising => {
                let user = UserId::new(&card.user).ok_or(ClearingError::NoOwner(payment))?;
                let mut standing = self.0.gateway.standing(&intent).await?;
                if standing == Standing::Unknown {
                    // Whoever was to begin it has died, or its call is still on its way. Nobody's money is reserved for what
                    // he can't have any more.
                    let task = self.advance(payment, &intent, &user, &standing).await?;
                    if task != Task::Wait {
                        return Ok(Some(standing));
                    }
                    standing = self.0.gateway.begin(&intent).await?;
                }
                self.advance(payment, &intent, &user, &standing).await?;
                Ok(Some(standing))
            }
            CardState::Capture => self.tell(payment, &intent, Task::Capture).await.map(|()| None),
            CardState::Void => self.tell(payment, &intent, Task::Void).await.map(|()| None),
            // Records of payments have no other state (`CardPayment::decode`).
            CardState::Refund | CardState::Refused => Ok(None),
        }
    }

    /// Tells the gateway to give back what was decided, once it has taken it, and notes what it did. One whose outcome it does not
    /// know yet stays; so does one that MySQL has not got yet. Were its log lost after it was told, the seats would be sold still, and
    /// whoever asks again would pay the buyer twice.
    async fn give_back(&self, refund: PaymentId, amount: i64, of: RefundsOf) -> Result<(), ClearingError> {
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

    /// The same because somebody looks at it: once a second for one payment, in between the answer is what it was.
    pub async fn look(
        &self,
        payment: PaymentId,
        card: &CardPayment,
    ) -> Result<Option<Standing>, ClearingError> {
        let name = payment.to_string();
        if self.looked_just_now(name.clone()) {
            return Ok(self.just_said(&name));
        }
        let _slot = self.slot()?;
        let standing = self.clear(payment, card).await?;
        if let Some(standing) = &standing {
            self.keep(name, standing);
        }
        Ok(standing)
    }

    /// The same of a payment that is known by its name only.
    pub async fn look_up(&self, payment: PaymentId) -> Result<Option<Standing>, ClearingError> {
        match self.0.store.card(payment, Instant::now() + STEP).await? {
            Some(card) => self.look(payment, &card).await,
            None => Ok(None),
        }
    }

    /// The same because the gateway has told of it; `card` is its record, if it has one.
    pub async fn hear(
        &self,
        payment: PaymentId,
        card: Option<CardPayment>,
        deadline: Instant,
    ) -> Result<(), ClearingError> {
        let _slot = self.slot()?;
        match card {
            Some(card) => self.clear(payment, &card).await.map(drop),
            // At its end, or lost.
            None => self.disown(payment, &self.0.archive, deadline).await,
        }
    }

    fn slot(&self) -> Result<SemaphorePermit<'_>, ClearingError> {
        self.0.slots.try_acquire().map_err(|_| ClearingError::Busy)
    }

    fn keep(&self, payment: String, standing: &Standing) {
        let now = Instant::now();
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= LOOKS_MAX {
            said.retain(|_, (at, _)| now - *at < LOOK);
        }
        said.insert(payment, (now, standing.clone()));
    }

    fn just_said(&self, payment: &str) -> Option<Standing> {
        let said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.get(payment).map(|(_, standing)| standing.clone())
    }

    fn looked_just_now(&self, payment: String) -> bool {
        let now = Instant::now();
        let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.len() >= LOOKS_MAX {
            looked.retain(|_, at| now - *at < LOOK);
        }
        if looked.get(&payment).is_some_and(|at| now - *at < LOOK) {
            return true;
        }
        looked.insert(payment, now);
        false
    }

    fn intent(&self, payment: PaymentId, amount: i64) -> Result<Intent, ClearingError> {
        let show = payment.reservation.show;
        let (_, view) = self.0.live.show(show).ok_or(ClearingError::UnknownShow(show))?;
        Ok(Intent { name: payment.to_string(), amount, currency: view.layout().currency.clone() })
    }

    /// Has it decided what becomes of a payment that stands so, and does that. What it was.
    async fn advance(
        &self,
        payment: PaymentId,
        intent: &Intent,
        user: &UserId,
        standing: &Standing,
    ) -> Result<Task, ClearingError> {
        let verdict = match standing {
            Standing::Authorised | Standing::Captured => Verdict::Authorised,
            Standing::Declined { .. } | Standing::Voided => Verdict::Declined,
            Standing::Unknown | Standing::RequiresAction { .. } | Standing::Processing => Verdict::Pending,
        };
        let task = self.0.store.confirm(payment, user, verdict, Instant::now() + STEP).await?;
        self.tell(payment, intent, task).await?;
        Ok(task)
    }

    /// Tells the gateway what was decided, and notes that it has done it.
    async fn tell(&self, payment: PaymentId, intent: &Intent, task: Task) -> Result<(), ClearingError> {
        let (done, standing, told) = match task {
            Task::Wait | Task::Nothing => return Ok(()),
            Task::Capture => (Done::Captured, self.0.gateway.capture(intent).await?, "capture"),
            Task::Void => match self.let_go(intent).await? {
                Some(standing) => (Done::Voided, standing, "void"),
                None => return Ok(()),
            },
        };
        let wanted = if done == Done::Captured { Standing::Captured } else { Standing::Voided };
        if standing != wanted {
            return Err(ClearingError::Contradicts { payment, told, standing });
        }
        let settled = self.0.store.settle(payment, done, Instant::now() + STEP).await?;
        if settled { Ok(()) } else { Err(ClearingError::Contradicts { payment, told, standing }) }
    }
    /// Has the gateway let the money go, and give it back if it had taken it: whoever decided that did so in a log that was lost.
    /// Answers how the payment stands then, `Voided` if nothing of it is left there; `None` if it has to be asked again.
    async fn let_go(&self, intent: &Intent) -> Result<Option<Standing>, gateway::Error> {
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
