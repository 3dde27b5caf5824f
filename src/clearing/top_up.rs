//! Carries each charge through the gateway to its one end: captured and credited, or voided.
//!
//! As with card payments `credit.lua` alone decides, and the record stays in Redis until the end, so anybody may take any step
//! again. Nothing lapses here but the patience with the gateway: the money is taken first, and credited when it is there.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::counted;
use super::{Clearing, ClearingError, STEP};
use crate::domain::ids::{ChargeId, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::top_up::{TopUp, TopUpEnd, TopUpState};
use crate::gateway::{self, Intent, Standing};
use crate::store::{Failure, Said, TopUpTask};

/// How long a charge waits for MySQL before it is taken, and how often it looks. The archive is some 100 ms behind.
const ARCHIVED: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// What the gateway is asked or told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Ask,
    Begin,
    Capture,
    Void,
}

/// How a top-up stands after as many steps as can be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// At its end.
    Ended {
        /// Which.
        end: TopUpEnd,
        /// What the gateway said when it declined, if it did so just now.
        reason: Option<String>,
    },
    /// Not yet; what the gateway says of it.
    Open(Standing),
    /// Nothing is known of it any more: it was at its end long ago.
    Forgotten,
}

impl Clearing {
    /// Begins a new top-up at the gateway, and goes as far with it as it goes now.
    pub async fn begin_top_up(&self, charge: ChargeId, top_up: &TopUp) -> Result<Progress, ClearingError> {
        let _slot = self.slot()?;
        self.0.looked.turn(&charge.to_string(), true, Instant::now());
        self.carry(charge, top_up, Call::Begin).await
    }

    /// Goes as far with a top-up as it goes now.
    pub async fn clear_top_up(&self, charge: ChargeId, top_up: &TopUp) -> Result<Progress, ClearingError> {
        // What has been decided is told, not asked.
        let first = match top_up.state {
            TopUpState::Authorising => Call::Ask,
            TopUpState::Capture => Call::Capture,
            TopUpState::Declined | TopUpState::Expired => Call::Void,
        };
        self.carry(charge, top_up, first).await
    }

    /// Whether it waits for its user, and the gateway has been asked lately ([`Self::rests`]).
    pub fn top_up_rests(&self, charge: ChargeId, top_up: &TopUp) -> bool {
        top_up.state == TopUpState::Authorising && self.0.looked.rests(&charge.to_string(), Instant::now())
    }

    async fn carry(&self, charge: ChargeId, top_up: &TopUp, first: Call) -> Result<Progress, ClearingError> {
        let progress = self.steps(charge, top_up, first).await;
        if let Ok(Progress::Open(standing)) = &progress {
            self.0.looked.keep(&charge.to_string(), standing, Instant::now());
        }
        counted(progress)
    }

    /// Each call at most once, in the order of [`Call`]: a gateway that goes in circles is asked again by the worker's loop.
    async fn steps(&self, charge: ChargeId, top_up: &TopUp, first: Call) -> Result<Progress, ClearingError> {
        let user = UserId::new(&top_up.user).ok_or(ClearingError::NoPayer(charge))?;
        let intent =
            Intent { name: charge.to_string(), amount: top_up.amount, currency: top_up.currency.clone() };
        let (mut call, mut reason) = (first, None);
        loop {
            let standing = self.call_gateway(call, &intent).await?;
            if let Standing::Declined { reason: said } = &standing {
                reason = Some(said.clone());
            }
            let credited = self.0.store.credit(charge, &user, said(&standing), Instant::now() + STEP);
            let task = match credited.await {
                Err(Failure::Refused(Refusal::NotFound)) => return Ok(Progress::Forgotten),
                task => task?,
            };
            let contradicts = |told, standing| ClearingError::TopUpContradicts { charge, told, standing };
            let next = match task {
                TopUpTask::Nothing(end) if agree(&standing, &end) => {
                    return Ok(Progress::Ended { end, reason });
                }
                TopUpTask::Nothing(TopUpEnd::Credited { .. }) => {
                    return Err(contradicts("capture", standing));
                }
                TopUpTask::Nothing(TopUpEnd::Voided { .. }) => return Err(contradicts("void", standing)),
                // Whoever was to begin it has died, or its call is still on its way.
                TopUpTask::Wait if standing == Standing::Unknown => Call::Begin,
                TopUpTask::Wait => return Ok(Progress::Open(standing)),
                TopUpTask::Capture => Call::Capture,
                TopUpTask::Void => Call::Void,
            };
            if next <= call {
                let waits = matches!(standing, Standing::Processing | Standing::Unknown);
                let told = if next == Call::Capture { "capture" } else { "void" };
                return if waits { Ok(Progress::Open(standing)) } else { Err(contradicts(told, standing)) };
            }
            if next == Call::Capture && !self.is_archived(charge).await? {
                return Ok(Progress::Open(standing));
            }
            call = next;
        }
    }

    /// Waits a moment until MySQL has the charge. Money is not taken before: were the log lost after it was, nobody would know
    /// whose it is. Without a row the worker's loop takes it later.
    async fn is_archived(&self, charge: ChargeId) -> Result<bool, ClearingError> {
        let end = Instant::now() + ARCHIVED;
        while self.0.archive.top_up(charge).await?.is_none() {
            if Instant::now() >= end {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
        Ok(true)
    }

    async fn call_gateway(&self, call: Call, intent: &Intent) -> Result<Standing, gateway::Error> {
        let gateway = &self.0.gateway;
        match call {
            Call::Ask => gateway.standing(intent).await,
            Call::Begin => gateway.begin(intent).await,
            Call::Capture => gateway.capture(intent).await,
            Call::Void => gateway.void(intent).await,
        }
    }

    /// The same because somebody looks at it, as often as at a payment. What the gateway said last, if that was just now; `None`:
    /// nothing.
    pub async fn look_at_top_up(
        &self,
        charge: ChargeId,
        top_up: &TopUp,
    ) -> Result<Option<Progress>, ClearingError> {
        let (name, is_open) = (charge.to_string(), top_up.state == TopUpState::Authorising);
        if !self.0.looked.turn(&name, is_open, Instant::now()) {
            return Ok(self.0.looked.said(&name).map(Progress::Open));
        }
        self.hear_of_top_up(charge, top_up).await.map(Some)
    }

    /// The same because the gateway has told of it.
    pub async fn hear_of_top_up(&self, charge: ChargeId, top_up: &TopUp) -> Result<Progress, ClearingError> {
        let _slot = self.slot()?;
        self.clear_top_up(charge, top_up).await
    }
}

fn said(standing: &Standing) -> Said {
    match standing {
        Standing::Unknown | Standing::RequiresAction { .. } | Standing::Processing => Said::Pending,
        Standing::Authorised => Said::Authorised,
        Standing::Declined { .. } => Said::Declined,
        Standing::Captured => Said::Captured,
        Standing::Voided => Said::Voided,
    }
}

/// Whether a top-up can have ended so if the gateway says this: one that asked before it was told may have heard something older.
fn agree(standing: &Standing, end: &TopUpEnd) -> bool {
    match standing {
        Standing::Captured => matches!(end, TopUpEnd::Credited { .. }),
        Standing::Voided => matches!(end, TopUpEnd::Voided { .. }),
        _ => true,
    }
}
