//! What `forgotten` says, and where in an entry a user is named.

use super::{CardRefund, Entry, Event, TopUp, TopUpStep};
use crate::domain::fields::{Fields, Malformed};

/// A user who has another name from here on, as `forgotten` tells it; both names are the same once the archive has forgotten him, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten<'a> {
    /// His id.
    pub user: &'a str,
    /// His name from here on.
    pub pseudonym: &'a str,
}

pub(super) fn decode<'a>(fields: &mut Fields<'a>) -> Result<Forgotten<'a>, Malformed> {
    Ok(Forgotten { user: fields.text("user")?, pseudonym: fields.text("pseudonym")? })
}

/// A text of an entry that may name a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming<'a> {
    /// A user.
    User(&'a str),
    /// A request (formats 1); empty if there was none.
    Request(&'a str),
}

impl<'a> Entry<'a> {
    /// Every text of it that may name a user, in the order in which they stand.
    pub fn namings(&self) -> Vec<Naming<'a>> {
        self.events.iter().flat_map(Event::namings).flatten().collect()
    }
}

impl<'a> Event<'a> {
    /// Whom it names. There is no catch-all: a new word of the log is named here, or it does not compile.
    pub fn namings(&self) -> [Option<Naming<'a>>; 2] {
        let user = |user| [Some(Naming::User(user)), None];
        let both = |user, request| [Some(Naming::User(user)), Some(Naming::Request(request))];
        match self {
            Self::Joined { user: of, .. }
            | Self::Admitted { user: of, .. }
            | Self::Claimed { user: of, .. }
            | Self::Stretched { user: of, .. }
            | Self::Ended { user: of, .. }
            | Self::Leaving { user: of }
            | Self::Spent { user: of, .. } => user(of),
            Self::Held(held) => both(held.user, held.request),
            Self::Released(freed) | Self::Expired(freed) => user(freed.user),
            Self::Paid(paid) | Self::Authorised(paid) => both(paid.user, paid.request),
            Self::Extended(extended) => user(extended.user),
            Self::Authorising(begun) => both(begun.card.user, begun.request),
            Self::Voiding { card, .. } | Self::Captured(card) | Self::Voided(card) => user(card.user),
            Self::Refunded(back) | Self::CardRefund(CardRefund::Decided { back, .. }) => {
                both(back.user, back.request)
            }
            Self::CardRefund(CardRefund::Returned(open) | CardRefund::Refused(open)) => user(open.card.user),
            Self::Blocked(seats) | Self::Unblocked(seats) => [Some(Naming::Request(seats.request)), None],
            Self::Charged { user, request, .. }
            | Self::TopUp(TopUp { user, step: TopUpStep::Charging { request, .. }, .. }) => {
                both(user, request)
            }
            Self::TopUp(top_up) => user(top_up.user),
            Self::Passed(passed) => user(passed.user),
            Self::Returned(back) | Self::PassedBack(back) => user(back.user),
            Self::Forgotten(Forgotten { user, pseudonym }) => {
                [Some(Naming::User(user)), Some(Naming::User(pseudonym))]
            }
            Self::Opened { .. }
            | Self::Show { .. }
            | Self::Catalog { .. }
            | Self::Policy { .. }
            | Self::Cancelled { .. } => [None, None],
        }
    }
}
