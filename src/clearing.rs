//! Carries each card payment to its one end: captured with its seats, or voided without; and each refund of one to its: given back.
//!
//! What becomes of a payment is decided by `confirm.lua` alone, from what the gateway says and the state of the hold; only
//! then is the gateway told, again and again until it has answered, and `settle.lua` notes that. Each step may be done by anybody
//! (the server that was asked, a webhook, a buyer who looks, a worker's loop), twice or at once, and may break off anywhere:
//! the record of the payment stays in Redis until its end, and whoever finds it goes on.

mod disowned;
mod error;
mod looked;
mod refund;
mod top_up;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use self::error::counted;
use self::looked::Looked;
use crate::archive::Archive;
use crate::domain::card::{CardPayment, CardState};
use crate::domain::ids::{PaymentId, UserId};
use crate::gateway::{Gateway, Intent, Standing, Told, WebhookSecret};
use crate::live::Live;
use crate::metrics;
use crate::store::{Done, Store, Task, Verdict};

pub use self::error::ClearingError;
pub use self::top_up::Progress;

/// Payments with which requests of buyers and of the gateway are busy at once, each with a connection to it: a gateway that is slow
/// costs no more of them. Those beyond are left to the worker's loop.
const AT_ONCE: usize = 256;

/// One call of a script.
const STEP: Duration = Duration::from_secs(2);

/// What it takes. Cheap to clone.
#[derive(Clone)]
pub struct Clearing(Arc<Inner>);

struct Inner {
    store: Store,
    live: Live,
    archive: Archive,
    gateway: Gateway,
    webhooks: Option<WebhookSecret>,
    looked: Looked,
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
            metrics::GATEWAY_CONTRADICTIONS.with(told).increment(0);
        }
        let looked = Looked::new(webhooks.is_some());
        let slots = Semaphore::new(AT_ONCE);
        Self(Arc::new(Inner { store, live, archive, gateway, webhooks, looked, slots }))
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

    /// Which payment a webhook of the gateway is about, if it is about one.
    pub fn told(&self, message: &[u8]) -> Result<Option<Told>, serde_json::Error> {
        self.0.gateway.told(message)
    }

    /// Whether the gateway can give back so much of what it took in this currency, in minor units.
    pub fn gives_back(&self, currency: &str, amount: i64) -> bool {
        self.0.gateway.takes(currency, amount)
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
        self.0.looked.turn(&intent.name, true, Instant::now());
        let standing = self.0.gateway.begin(&intent).await?;
        self.0.looked.keep(&intent.name, &standing, Instant::now());
        counted(self.advance(payment, &intent, user, &standing).await)?;
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
        if let Ok(Some(standing)) = &cleared {
            self.0.looked.keep(&payment.to_string(), standing, Instant::now());
        }
        counted(cleared)
    }

    /// Whether a payment waits for its buyer, as far as is known here, and the gateway has been asked lately: it tells by itself when
    /// he has done something.
    pub fn rests(&self, payment: PaymentId, card: &CardPayment) -> bool {
        card.state == CardState::Authorising && self.0.looked.rests(&payment.to_string(), Instant::now())
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

    /// The same because somebody looks at it: once in a while for one payment ([`Looked`]), in between the answer is what it was.
    pub async fn look(
        &self,
        payment: PaymentId,
        card: &CardPayment,
    ) -> Result<Option<Standing>, ClearingError> {
        let (name, waits) = (payment.to_string(), card.state == CardState::Authorising);
        if !self.0.looked.turn(&name, waits, Instant::now()) {
            return Ok(self.0.looked.said(&name));
        }
        let _slot = self.slot()?;
        self.clear(payment, card).await
    }

    /// Why the gateway declined a payment, if this process has heard it last.
    pub fn said_no(&self, payment: PaymentId) -> Option<String> {
        match self.0.looked.said(&payment.to_string()) {
            Some(Standing::Declined { reason }) => Some(reason),
            _ => None,
        }
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
            None => counted(self.disown(payment, &self.0.archive, deadline).await),
        }
    }

    fn slot(&self) -> Result<SemaphorePermit<'_>, ClearingError> {
        self.0.slots.try_acquire().map_err(|_| ClearingError::Busy)
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
}
