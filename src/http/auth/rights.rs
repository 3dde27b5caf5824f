//! Who may make which of an organiser's calls: a right for each call, a right for each role.
//!
//! Rights include each other, so one comparison decides. A call without a row here is the organiser's alone: what is
//! added later is closed until somebody opens it. Which concerts these are is [`Identity::runs`].

use super::{Identity, Role};
use crate::http::router::Endpoint as E;

/// What a call asks of its caller; each right includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// To look: sales, histories, reports.
    Read,
    /// To steer a sale: the line, single seats, refunds, a show that is off.
    Steer,
    /// To decide what is sold, and how.
    Run,
}

/// The calls that are not the organiser's alone.
const RIGHTS: &[(E, Right)] = &[
    (E::Sale, Right::Read),
    (E::History, Right::Read),
    (E::Actions, Right::Read),
    (E::Report, Right::Read),
    (E::ReservationsSheet, Right::Read),
    (E::LedgerSheet, Right::Read),
    (E::Cancellation, Right::Read),
    (E::Events, Right::Read),
    (E::Webhooks, Right::Read),
    (E::PauseQueue, Right::Steer),
    (E::ResumeQueue, Right::Steer),
    (E::BlockSeats, Right::Steer),
    (E::UnblockSeats, Right::Steer),
    (E::Refund, Right::Steer),
    (E::CancelShow, Right::Steer),
];

/// What a call asks for.
pub(crate) fn needed(endpoint: E) -> Right {
    RIGHTS.iter().find(|(call, _)| *call == endpoint).map_or(Right::Run, |(_, right)| *right)
}

impl Right {
    /// For the detail of a 403.
    pub(crate) fn who(self) -> &'static str {
        match self {
            Self::Read => "This needs one of the roles viewer, operator, organiser or admin.",
            Self::Steer => "This needs one of the roles operator, organiser or admin.",
            Self::Run => "This needs one of the roles organiser or admin.",
        }
    }

    /// What a role brings; `None` for those that have nothing to do with concerts.
    fn of(role: Role) -> Option<Self> {
        match role {
            Role::Admin | Role::Organiser => Some(Self::Run),
            Role::Operator => Some(Self::Steer),
            Role::Viewer => Some(Self::Read),
            Role::Cashier => None,
        }
    }
}

impl Identity {
    /// Whether one of his roles brings this right.
    pub(crate) fn has(&self, right: Right) -> bool {
        self.roles.iter().any(|role| Right::of(*role) >= Some(right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::UserId;

    #[test]
    fn each_role_has_its_rights_and_no_other() {
        let may = |roles: &[Role]| {
            let user = UserId::new("u").unwrap();
            let identity = Identity { user, roles: roles.to_vec(), org: None };
            [Right::Read, Right::Steer, Right::Run].map(|right| identity.has(right))
        };
        assert_eq!(may(&[]), [false, false, false]);
        assert_eq!(may(&[Role::Cashier]), [false, false, false]);
        assert_eq!(may(&[Role::Viewer]), [true, false, false]);
        assert_eq!(may(&[Role::Operator]), [true, true, false]);
        assert_eq!(may(&[Role::Organiser]), [true, true, true]);
        assert_eq!(may(&[Role::Cashier, Role::Admin]), [true, true, true]);
    }

    #[test]
    fn a_call_without_a_row_is_the_organisers() {
        assert_eq!(needed(E::CreateConcert), Right::Run);
        assert_eq!(needed(E::CreateWebhook), Right::Run);
        assert_eq!(needed(E::DeleteWebhook), Right::Run);
        assert_eq!(needed(E::CancelShow), Right::Steer);
        assert_eq!(needed(E::Events), Right::Read);
        assert_eq!(needed(E::PauseQueue), Right::Steer);
        assert_eq!(needed(E::Sale), Right::Read);
    }
}
