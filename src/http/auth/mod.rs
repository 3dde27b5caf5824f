//! Who calls: identity tokens (JWT) from `Authorization: Bearer`, verified once and remembered for a while.
//!
//! A queue token is no JWT, so it never passes here; nor does an identity token where a queue token is asked for.

pub(super) mod keys;
mod memory;
pub(super) mod rights;

use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::AUTHORIZATION;

use self::keys::IdentityKeys;
use self::memory::Memory;
use self::rights::Right;
use super::context::Context;
use super::problem::{Code, Problem};
use super::request::Request;
use crate::domain::catalog::Concert;
use crate::domain::ids::UserId;

/// What a caller may do beside buying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs the concerts of his organiser.
    Organiser,
    /// Steers their sales.
    Operator,
    /// Looks at them.
    Viewer,
    /// Charges any balance.
    Cashier,
    /// Sees all organisers' concerts.
    Admin,
}

impl Role {
    /// The role of this name; others are somebody else's and ignored.
    fn named(name: &str) -> Option<Self> {
        match name {
            "organiser" => Some(Self::Organiser),
            "operator" => Some(Self::Operator),
            "viewer" => Some(Self::Viewer),
            "cashier" => Some(Self::Cashier),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// A caller whose token was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `sub`.
    pub user: UserId,
    /// `roles`, those known here.
    pub roles: Vec<Role>,
    /// The organiser that he works for.
    pub org: Option<String>,
}

impl Identity {
    /// Whether he has the role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether this concert is his organiser's. To anybody else it does not exist.
    pub(crate) fn runs(&self, concert: &Concert) -> bool {
        self.is(Role::Admin) || (self.has(Right::Read) && self.org.as_ref() == Some(&concert.org))
    }
}

/// Verifies tokens and remembers those that passed until they expire.
pub(crate) struct Verifier {
    keys: Arc<IdentityKeys>,
    remembered: Mutex<Memory>,
}

impl Verifier {
    pub(crate) fn new(keys: Arc<IdentityKeys>) -> Self {
        Self { keys, remembered: Mutex::default() }
    }

    /// The identity that a token proves at `now` (unix seconds).
    pub(crate) fn verify(&self, token: &str, now: u64) -> Option<Arc<Identity>> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = remembered.recall(token, now) {
            return Some(identity);
        }
        let (identity, expires) = self.keys.verify(token)?;
        let identity = Arc::new(identity);
        remembered.keep(token, Arc::clone(&identity), expires);
        Some(identity)
    }
}

/// What stands behind `Bearer` in `Authorization`, if anything does.
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    let value = request.header(&AUTHORIZATION).ok()??;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The caller, or 401 `unauthenticated`.
pub(crate) fn identity(ctx: &Context, request: &Request) -> Result<Arc<Identity>, Problem> {
    let now = Context::now_seconds();
    bearer(request)
        .and_then(|token| ctx.identity.verify(token, now))
        .ok_or_else(|| Problem::new(Code::Unauthenticated))
}

/// The caller, who must have a role that may make this call ([`rights`]), else 403.
pub(crate) fn organiser(ctx: &Context, request: &Request) -> Result<Arc<Identity>, Problem> {
    let identity = identity(ctx, request)?;
    let right = rights::needed(request.endpoint);
    if identity.has(right) { Ok(identity) } else { Err(Problem::new(Code::Forbidden).detail(right.who())) }
}

#[cfg(test)]
mod tests;
