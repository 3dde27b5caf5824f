//! Carries each charge through the gateway to its one end: captured and credited, or voided.
//!
//! As with card payments `credit.lua` alone decides, and the record stays in Redis until the end, so anybody may take any step
//! again. Nothing lapses here but the patience with the gateway: the money is taken first, and credited when it is there.

use tokio::time::Instant;

use super::{Clearing, ClearingError, STEP};
use crate::domain::ids::{ChargeId, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::top_up::{TopUp, TopUpEnd, TopUpState};
use crate::gateway::{Intent, Standing};
use crate::store::{Failure, Said, TopUpTask};

/// Steps in a row: authorised, captured, credited. A gateway that goes in circles is asked again by the worker's loop.
const STEPS_MAX: usize = 4;

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
        let intent = intent(charge, top_up);
        let standing = self.0.gateway.begin(&intent).await?;
        self.carry(charge, top_up, &intent, standing).await
    }

    /// Goes as far with a top-up as it goes now.
    pub async fn clear_top_up(&self, charge: ChargeId, top_up: &TopUp) -> Result<Progress, ClearingError> {
        let (gateway, intent) = (&self.0.gateway, intent(charge, top_up));
        let standing = match top_up.state {
            TopUpState::Authorising => gateway.standing(&intent).await?,
            // What has been decided is told, not asked.
            TopUpState::Capture => gateway.capture(&intent).await?,
            TopUpState::Declined | TopUpState::Expired => gateway.void(&intent).await?,
        };
        self.carry(charge, top_up, &intent, standing).await
    }

    async fn carry(
        &self,
        charge: ChargeId,
        top_up: &TopUp,
        intent: &Intent,
        mut standing: Standing,
    ) -> Result<Progress, ClearingError> {
        let gateway = &self.0.gateway;
        let user = UserId::new(&top_up.user).ok_or(ClearingError::NoPayer(charge))?;
        let (mut told, mut reason) = ("begin", None);
        for _ in 0..STEPS_MAX {
            if let Standing::Declined { reason: said } = &standing {
                reason = Some(said.clone());
            }
            let credited = self.0.store.credit(charge, &user, said(&standing), Instant::now() + STEP);
            let task = match credited.await {
                Err(Failure::Refused(Refusal::NotFound)) => return Ok(Progress::Forgotten),
                task => task?,
            };
            (told, standing) = match task {
                TopUpTask::Nothing(end) => {
                    let taken = standing == Standing::Captured;
                    if taken == matches!(end, TopUpEnd::Credited { .. }) || !is_final(&standing) {
                        return Ok(Progress::Ended { end, reason });
                    }
                    return Err(ClearingError::TopUpContradicts { charge, told, standing });
                }
                TopUpTask::Capture => ("capture", gateway.capture(intent).await?),
                TopUpTask::Void => ("void", gateway.void(intent).await?),
                // Whoever was to begin it has died, or its call is still on its way.
                TopUpTask::Wait if standing == Standing::Unknown => ("begin", gateway.begin(intent).await?),
                TopUpTask::Wait => return Ok(Progress::Open(standing)),
            };
        }
        Err(ClearingError::TopUpContradicts { charge, told, standing })
    }

    /// The same because somebody looks at it: once a second for one top-up. `None`: not now.
    pub async fn look_at_top_up(
        &self,
        charge: ChargeId,
        top_up: &TopUp,
    ) -> Result<Option<Progress>, ClearingError> {
        if self.looked_just_now(charge.to_string()) {
            return Ok(None);
        }
        self.clear_top_up(charge, top_up).await.map(Some)
    }
}

fn intent(charge: ChargeId, top_up: &TopUp) -> Intent {
    Intent { name: charge.to_string(), amount: top_up.amount, currency: top_up.currency.clone() }
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

/// Whether money has moved, or never will.
fn is_final(standing: &Standing) -> bool {
    matches!(standing, Standing::Captured | Standing::Voided)
}
