//! The crowd: users with the tokens that they show.
//!
//! Made beforehand and by our own hand, with the installation's keys: the loader would spend more on them than the server.
//! Users are 16 bytes and show their tokens in turn, so that one comes again only when all others had theirs: as often as in a
//! real journey, and as far apart.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{EncodingKey, Header, encode};
use onsale::{
    config::{Config, KeyMaterial},
    domain::{
        ids::{ConcertId, UserId},
        queue_token::{Keys, Place},
    },
};
use serde::Serialize;

use crate::Result;

/// The life of all tokens, seconds.
const LIFE: u64 = 24 * 60 * 60;

/// Odd, so that distinct numbers stay distinct: users don't come in the order of their ids.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// One user.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user: UserId,
    /// His identity token.
    pub(crate) identity: String,
    /// The number of his place; 0: none.
    pub(crate) seq: u64,
    /// His queue token; empty without a place.
    pub(crate) queue: String,
}

/// Whoever shows tokens in turn: one of `step` connections, that with the number `first`.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    people: Arc<[Person]>,
    next: usize,
    latest: usize,
    step: usize,
    /// Nobody has a second turn.
    once: bool,
}

/// Signs tokens with the keys of an installation.
pub(crate) struct Signer {
    header: Header,
    identity: EncodingKey,
    queue: Keys,
    now: u64,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    roles: [&'a str; 0],
    iat: u64,
    exp: u64,
}

/// The user with this number: 16 bytes.
pub(crate) fn user(number: usize) -> UserId {
    let scattered = u64::try_from(number).unwrap_or(u64::MAX).wrapping_mul(SPREAD);
    UserId::new(&format!("{scattered:016x}")).expect("hex digits are a user id")
}

/// The first `count` users.
pub(crate) fn users(count: usize) -> Vec<UserId> {
    (0..count).map(user).collect()
}

impl Signer {
    /// With the keys that `up` made for development.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Self::at(config, 0)
    }

    /// The same so many seconds ago: for other tokens of the same users.
    pub(crate) fn at(config: &Config, ago: u64) -> Result<Self> {
        let keys = config.identity.read_keys()?;
        let key = keys.first().ok_or("no identity key")?;
        let KeyMaterial::Shared(secret) = &key.material else {
            return Err("the identity key signs nothing".into());
        };
        let queue = config.queue_token.read_keys()?;
        let queue: Vec<_> = queue.iter().map(|key| key.expose().to_vec()).collect();
        Ok(Self {
            header: Header { kid: key.kid.clone(), ..Header::default() },
            identity: EncodingKey::from_secret(secret.expose()),
            queue: Keys::new(&queue),
            now: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() - ago,
        })
    }

    /// The identity token of a user.
    pub(crate) fn identity(&self, user: &UserId) -> Result<String> {
        let claims = Claims { sub: user.as_str(), roles: [], iat: self.now, exp: self.now + LIFE };
        Ok(encode(&self.header, &claims, &self.identity)?)
    }

    /// The queue token of a place in a log that was never recovered.
    pub(crate) fn place(&self, concert: ConcertId, user: &UserId, seq: u64) -> String {
        self.queue.sign(&Place { concert, epoch: 0, seq, expires: self.now + LIFE, user: user.clone() })
    }

    /// People without a place.
    pub(crate) fn strangers(&self, users: &[UserId]) -> Result<Arc<[Person]>> {
        let person = |user: &UserId| {
            Ok(Person { user: user.clone(), identity: self.identity(user)?, seq: 0, queue: String::new() })
        };
        users.iter().map(person).collect()
    }

    /// People with the places that they were given.
    pub(crate) fn placed(&self, concert: ConcertId, places: &[(UserId, u64)]) -> Result<Arc<[Person]>> {
        let person = |(user, seq): &(UserId, u64)| {
            let queue = self.place(concert, user, *seq);
            Ok(Person { user: user.clone(), identity: self.identity(user)?, seq: *seq, queue })
        };
        places.iter().map(person).collect()
    }
}

impl Turn {
    /// Splits the people among `connections`.
    pub(crate) fn split(people: &Arc<[Person]>, connections: usize) -> Vec<Self> {
        (0..connections)
            .map(|first| Self {
                people: Arc::clone(people),
                next: first,
                latest: first,
                step: connections,
                once: false,
            })
            .collect()
    }

    /// The same, and it is over when everybody had his turn: a place ends with what was bought in it.
    pub(crate) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Whether everybody had his only turn.
    pub(crate) fn is_over(&self) -> bool {
        self.once && self.next >= self.people.len()
    }

    /// The next one's turn.
    pub(crate) fn advance(&mut self) -> &Person {
        self.latest = self.next % self.people.len();
        self.next += self.step;
        &self.people[self.latest]
    }

    /// The number of whoever had his turn last.
    pub(crate) fn latest(&self) -> usize {
        self.latest
    }

    /// Somebody by number.
    pub(crate) fn person(&self, number: usize) -> &Person {
        &self.people[number]
    }
}
