//! Identity tokens that were verified, remembered for a while: an ES256 check costs some 100 µs, HS256 2.4, a look 0.1.
//!
//! A token is found by a hash of its signature and then compared whole, so nothing passes but what was verified byte for
//! byte. The hash is keyed, so that nobody can choose what collides. Two generations, each bounded by bytes: when the younger is
//! full the elder is forgotten, and who is still asked for has moved to the younger by then. Clearing all at a number of
//! tokens made every one of 100,000 users unknown each time he came.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::mem;
use std::sync::Arc;

use super::Identity;

/// Bytes of one generation: some 40,000 tokens of 170 bytes. A core holds two at most.
const GENERATION_BYTES_MAX: usize = 16 << 20;
/// What a token takes beside its own text: the identity (user, roles, organiser), the entry, and a map that is half empty.
const ENTRY_BYTES: usize = 250;

/// What one core remembers.
#[derive(Default)]
pub(super) struct Memory {
    hasher: RandomState,
    young: Generation,
    elder: Generation,
}

#[derive(Default)]
struct Generation {
    /// By the keyed hash of the signature.
    tokens: HashMap<u64, Remembered>,
    bytes: usize,
}

struct Remembered {
    token: Box<str>,
    identity: Arc<Identity>,
    /// Unix seconds.
    expires: u64,
}

impl Memory {
    /// Who a token names that was verified before and is good at `now` (unix seconds).
    pub(super) fn recall(&mut self, token: &str, now: u64) -> Option<Arc<Identity>> {
        let hash = self.hash(token);
        let is_same = |found: &&Remembered| *found.token == *token && now < found.expires;
        if let Some(found) = self.young.tokens.get(&hash).filter(is_same) {
            return Some(Arc::clone(&found.identity));
        }
        let found = self.elder.tokens.get(&hash).filter(is_same)?;
        let (identity, expires) = (Arc::clone(&found.identity), found.expires);
        self.keep(token, Arc::clone(&identity), expires);
        Some(identity)
    }

    /// Remembers a token that was verified, until `expires` (unix seconds).
    pub(super) fn keep(&mut self, token: &str, identity: Arc<Identity>, expires: u64) {
        let bytes = token.len() + ENTRY_BYTES;
        if self.young.bytes + bytes > GENERATION_BYTES_MAX {
            let next = HashMap::with_capacity(self.young.tokens.len());
            self.elder = mem::replace(&mut self.young, Generation { tokens: next, bytes: 0 });
        }
        let hash = self.hash(token);
        let remembered = Remembered { token: token.into(), identity, expires };
        self.young.bytes += bytes;
        if let Some(forgotten) = self.young.tokens.insert(hash, remembered) {
            self.young.bytes -= forgotten.token.len() + ENTRY_BYTES;
        }
    }

    /// Of the signature alone: that of a token which was verified looks random already.
    fn hash(&self, token: &str) -> u64 {
        self.hasher.hash_one(token.rsplit('.').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::UserId;

    fn identity() -> Arc<Identity> {
        Arc::new(Identity { user: UserId::new("u").unwrap(), roles: Vec::new(), org: None })
    }

    #[test]
    fn a_token_is_known_whole_and_until_it_expires() {
        let mut memory = Memory::default();
        memory.keep("head.claims.mac", identity(), 10);
        assert!(memory.recall("head.claims.mac", 9).is_some());
        for (token, now) in
            [("head.claims.mac", 10), ("head.others.mac", 9), ("head.claims.cam", 9), ("mac", 9), ("", 9)]
        {
            assert!(memory.recall(token, now).is_none(), "{token} at {now}");
        }
    }

    #[test]
    fn who_is_asked_for_outlives_generations_and_bytes_are_bounded() {
        let mut memory = Memory::default();
        let name = |number: usize| format!("{}.{number}", "x".repeat(1000));
        memory.keep("often.1", identity(), 10);
        memory.keep("seldom.2", identity(), 10);
        for number in 10..40_000 {
            memory.keep(&name(number), identity(), 10);
            assert!(number % 1000 > 0 || memory.recall("often.1", 9).is_some());
        }
        assert!(memory.recall("seldom.2", 9).is_none());
        let tokens = memory.young.tokens.len() + memory.elder.tokens.len();
        assert!(tokens * 1250 <= 2 * GENERATION_BYTES_MAX, "{tokens} tokens");
        assert!(memory.young.bytes <= GENERATION_BYTES_MAX && memory.elder.bytes <= GENERATION_BYTES_MAX);
    }
}
