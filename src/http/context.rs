//! What handlers stand on: one context a core, made on that core's runtime.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use tokio::sync::Semaphore;

use super::auth::Verifier;
use super::auth::keys::IdentityKeys;
use super::settings::Settings;
use super::wrap::Meters;
use crate::archive::Archive;
use crate::clearing::Clearing;
use crate::domain::queue_token;
use crate::domain::time::Millis;
use crate::live::Live;
use crate::opening::Opening;
use crate::store::Store;

/// What a context is made of.
pub struct Parts {
    /// Shared by all cores.
    pub store: Store,
    /// Shared by all cores.
    pub live: Live,
    /// For history reads and organisers' calls.
    pub archive: Archive,
    /// For organisers' calls.
    pub opening: Opening,
    /// Takes card payments, if there is a gateway.
    pub clearing: Option<Clearing>,
    /// Verify identity tokens.
    pub identity: Arc<IdentityKeys>,
    /// Sign and verify queue tokens.
    pub queue_keys: queue_token::Keys,
    /// Signs tickets.
    pub ticket_key: SigningKey,
    /// Limits, times, rules.
    pub settings: Arc<Settings>,
}

/// One core's.
pub struct Context {
    pub(super) store: Store,
    pub(super) live: Live,
    pub(super) archive: Archive,
    pub(super) opening: Opening,
    pub(super) clearing: Option<Clearing>,
    pub(super) identity: Verifier,
    pub(super) queue_keys: queue_token::Keys,
    pub(super) ticket_key: SigningKey,
    pub(super) settings: Arc<Settings>,
    pub(super) meters: Meters,
    /// For reads that wait for the archive.
    pub(super) catching_up: Semaphore,
}

/// Reads of one core that wait for the archive at once; others tell what it has.
const CATCHING_UP: usize = 8;

impl Context {
    /// A context that remembers nothing yet.
    pub fn new(parts: Parts) -> Self {
        Self {
            store: parts.store,
            live: parts.live,
            archive: parts.archive,
            opening: parts.opening,
            clearing: parts.clearing,
            identity: Verifier::new(parts.identity),
            queue_keys: parts.queue_keys,
            ticket_key: parts.ticket_key,
            settings: parts.settings,
            meters: Meters::new(),
            catching_up: Semaphore::new(CATCHING_UP),
        }
    }

    /// This machine's clock: for what is shown and for tokens, never for what a script decides.
    pub(super) fn now() -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// The same in unix seconds.
    pub(super) fn now_seconds() -> u64 {
        u64::try_from(Self::now().0 / 1000).unwrap_or(0)
    }
}
