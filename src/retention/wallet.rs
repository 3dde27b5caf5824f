//! A wallet partition: users who have nothing, have moved nothing for long, and are in no concert by their own name. The ledger stays, in
//! their new names; balances above 0 stay theirs.

use super::{Retention, Turn};
use crate::domain::ids::LogName;
use crate::forgetting::{ForgettingError, deadline};
use crate::store::{ForgetMode, ForgetRequest};

/// Users of one turn; the others follow a day later. Some 100 bytes each are kept in memory.
const USERS_MAX: u32 = 20_000;

impl Retention {
    /// Gives them their names, those of whom Redis says the same.
    pub(super) async fn rename_idle(&self, turn: &Turn, partition: u8) -> Result<(), ForgettingError> {
        for user in self.archive.idle_users(LogName::Wallet(partition), turn.before, USERS_MAX).await? {
            let name = turn.state.key.name(&user, self.store.partitions());
            let request = ForgetRequest::of(&user, &name, ForgetMode::Idle(turn.before));
            self.store.forget_wallet(partition, request, deadline()).await?;
        }
        Ok(())
    }
}
