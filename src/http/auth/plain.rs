//! HS256 tokens of the plain form, verified in 0.7 µs instead of the library's 2.4.
//!
//! It says yes or nothing: whatever is not sure here (another header, `nbf`, an end that is near, an audience that is a
//! list) is left to the library. A header is never interpreted: it must be, letter for letter, one with which the library
//! let a token of this key through. So most of the work is the MAC, whose keyed state is made once.

use std::borrow::Cow;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::Sha256;

use super::{Identity, Role};
use crate::domain::ids::UserId;
use crate::http::body::Field;

const MAC_BYTES: usize = 32;
/// What the decoder of base64 wants beyond the bytes that come out.
const SLACK: usize = 2;

/// A shared secret, ready to verify.
pub(super) struct Plain {
    keyed: Hmac<Sha256>,
    /// The header of the first token that the library let through.
    header: OnceLock<Box<str>>,
    issuer: Option<String>,
    audience: Option<String>,
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Cow<'a, str>,
    exp: u64,
    #[serde(borrow, default)]
    roles: Vec<Cow<'a, str>>,
    org: Option<String>,
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
    #[serde(borrow)]
    aud: Option<Cow<'a, str>>,
    #[serde(default)]
    nbf: Field<IgnoredAny>,
}

impl Plain {
    pub(super) fn new(secret: &[u8], issuer: Option<&str>, audience: Option<&str>) -> Self {
        Self {
            keyed: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"),
            header: OnceLock::new(),
            issuer: issuer.map(Into::into),
            audience: audience.map(Into::into),
        }
    }

    /// The library let this token through by this key.
    pub(super) fn learn(&self, token: &str) {
        if self.header.get().is_none()
            && let Some((header, _)) = token.split_once('.')
        {
            // Another core may have been faster; one header is enough.
            let _ = self.header.set(header.into());
        }
    }

    /// Who a token names that is good at `now` beyond doubt, and until when (unix seconds).
    pub(super) fn verify(&self, token: &str, now: u64) -> Option<(Identity, u64)> {
        let (signed, mac) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if **self.header.get()? != *header {
            return None;
        }
        let mut bytes = [0; MAC_BYTES + SLACK];
        let length = URL_SAFE_NO_PAD.decode_slice(mac, &mut bytes).ok()?;
        self.keyed.clone().chain_update(signed).verify_slice(&bytes[..length]).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        let named = |asked: &Option<String>, given: &Option<Cow<str>>| {
            asked.as_ref().is_none_or(|asked| given.as_ref().is_some_and(|given| given == asked))
        };
        let is_sure = claims.exp > now
            && !claims.nbf.is_given()
            && named(&self.issuer, &claims.iss)
            && named(&self.audience, &claims.aud);
        if !is_sure {
            return None;
        }
        let identity = Identity {
            user: UserId::new(&claims.sub)?,
            roles: claims.roles.iter().filter_map(|role| Role::named(role)).collect(),
            org: claims.org.filter(|org| !org.is_empty()),
        };
        Some((identity, claims.exp))
    }
}
