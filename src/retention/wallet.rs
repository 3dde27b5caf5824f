//! A wallet partition: users who have nothing, have moved nothing for long, and are in no concert by their own name. The ledger stays, in
//! their new names; balances above 0 stay theirs.

use super::{PAGE, Retention, Turn};
use crate::domain::ids::LogName;
use crate::forgetting::{ForgettingError, deadline};
use crate::store::{ForgetMode, ForgetRequest};

/// Users of one turn; the others follow a day later. Some 100 bytes each are kept in memory.
const USERS_MAX: u32 = 20_000;

impl Retention {
    /// Gives them their names, those of whom Redis says the same.
    pub(super) async fn rename_idle(&self, turn: &Turn, partition: u8) -> Result<bool, ForgettingError> {
        let log = LogName::Wallet(partition);
        let mut after = None;
        for _ in 0..USERS_MAX / PAGE {
            let users = self.archive.idle_users(log, turn.before, after.as_ref(), PAGE).await?;
            for user in &users {
                let request = ForgetRequest {
                    user,
                    pseudonym: &turn.state.key.name(user, self.store.partitions()),
                    mode: ForgetMode::Idle(turn.before),
                    reservations: &[],
                    requests: &[],
                    cards: &[],
                };
                self.store.forget_wallet(partition, request, deadline()).await?;
            }
            let Some(last) = users.last() else { break };
            after = Some(last.clone());
        }
        Ok(true)
    }
}
