//! The queue token: a signed proof of one place in one line (formats 3).
//!
//! It binds user and concert and carries the sequence number, so that a poll is answered from memory and a
//! place survives the loss of Redis. `q1.` types it: it can't be taken for an identity token, nor the reverse.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::ids::{ConcertId, UserId};

const PREFIX: &str = "q1.";
const MAC_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + 4 + 2 + 8 + 8;
const PAYLOAD_BYTES_MAX: usize = HEAD_BYTES + UserId::BYTES_MAX;
/// What the decoder of base64 wants beyond the bytes that come out.
const SLACK: usize = 2;

/// A place in line as its token proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The concert whose line it is in.
    pub concert: ConcertId,
    /// How often that concert's log had been recovered when it was issued.
    pub epoch: u16,
    /// Its sequence number.
    pub seq: u64,
    /// The token is not good from this time on, unix seconds.
    pub expires: u64,
    /// Its owner.
    pub user: UserId,
}

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours, or changed on its way.
    #[error("the queue token is not valid")]
    Invalid,
    /// Too old.
    #[error("the queue token has expired")]
    Expired,
}

/// The keys that sign and verify; the first signs.
#[derive(Clone)]
pub struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    /// Tells keys apart at a glance: the first byte of the key's MAC over nothing.
    number: u8,
    /// The MAC's state after the prefix.
    state: Hmac<Sha256>,
}

impl Keys {
    /// Keys from secrets of at least 32 bytes, newest first; at most 256.
    ///
    /// # Panics
    /// Without any key: the configuration demands one.
    pub fn new(secrets: &[Vec<u8>]) -> Self {
        assert!(!secrets.is_empty() && secrets.len() <= 256, "between 1 and 256 queue token keys");
        Self(secrets.iter().map(|secret| Key::new(secret)).collect())
    }

    /// Signs a place.
    pub fn sign(&self, place: &Place) -> String {
        let mut payload = Vec::with_capacity(HEAD_BYTES + place.user.as_str().len());
        payload.push(self.0[0].number);
        payload.extend(place.concert.0.to_be_bytes());
        payload.extend(place.epoch.to_be_bytes());
        payload.extend(place.seq.to_be_bytes());
        payload.extend(place.expires.to_be_bytes());
        payload.extend(place.user.as_str().as_bytes());
        let mac = self.0[0].mac(&payload);
        format!("{PREFIX}{}.{}", URL_SAFE_NO_PAD.encode(&payload), URL_SAFE_NO_PAD.encode(mac))
    }

    /// Whether the newest key signed a token that [`Keys::verify`] accepts.
    pub fn signed_by_newest(&self, token: &str) -> bool {
        self.0.len() == 1 || Self(vec![self.0[0].clone()]).verify(token, 0).is_ok()
    }

    /// The place that a token proves, at `now` in unix seconds.
    pub fn verify(&self, token: &str, now: u64) -> Result<Place, TokenError> {
        let (payload, mac) =
            token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).ok_or(TokenError::Invalid)?;
        let mut bytes = [0; PAYLOAD_BYTES_MAX + SLACK];
        let payload = decoded(payload, &mut bytes)?;
        let mut bytes = [0; MAC_BYTES + SLACK];
        let mac = decoded(mac, &mut bytes)?;
        let signed = mac.len() == MAC_BYTES && self.0.iter().any(|key| key.signed(payload, mac));
        if !signed {
            return Err(TokenError::Invalid);
        }
        let place = decode(payload).ok_or(TokenError::Invalid)?;
        if now >= place.expires { Err(TokenError::Expired) } else { Ok(place) }
    }
}

impl Key {
    fn new(secret: &[u8]) -> Self {
        let empty: Hmac<Sha256> = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        let mut state = empty.clone();
        state.update(PREFIX.as_bytes());
        Self { number: empty.finalize().into_bytes()[0], state }
    }

    fn signed(&self, payload: &[u8], claimed: &[u8]) -> bool {
        payload.first() == Some(&self.number)
            && self.state.clone().chain_update(payload).verify_truncated_left(claimed).is_ok()
    }

    fn mac(&self, payload: &[u8]) -> [u8; MAC_BYTES] {
        let whole = self.state.clone().chain_update(payload).finalize().into_bytes();
        whole[..MAC_BYTES].try_into().expect("SHA-256 is longer than the MAC")
    }
}

/// What stands in base64, on the stack: a poll verifies a token, and there are a hundred thousand polls a second.
fn decoded<'b>(text: &str, bytes: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
    let length = URL_SAFE_NO_PAD.decode_slice(text, bytes).map_err(|_| TokenError::Invalid)?;
    Ok(&bytes[..length])
}

fn decode(payload: &[u8]) -> Option<Place> {
    let (_, rest) = payload.split_first()?;
    let (concert, rest) = rest.split_first_chunk()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (expires, user) = rest.split_first_chunk()?;
    Some(Place {
        concert: ConcertId(u32::from_be_bytes(*concert)),
        epoch: u16::from_be_bytes(*epoch),
        seq: u64::from_be_bytes(*seq),
        expires: u64::from_be_bytes(*expires),
        user: UserId::new(std::str::from_utf8(user).ok()?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let user = UserId::new("한|user").unwrap();
        Place { concert: ConcertId(7), epoch: 1, seq: 1 << 40, expires: 2_000, user }
    }

    #[test]
    fn a_signed_place_is_proved_until_it_expires() {
        let keys = Keys::new(&[vec![1; 32]]);
        let token = keys.sign(&place());
        assert_eq!(keys.verify(&token, 1_999), Ok(place()));
        assert_eq!(keys.verify(&token, 2_000), Err(TokenError::Expired));
    }

    #[test]
    fn a_previous_key_still_verifies_and_another_does_not() {
        let old = Keys::new(&[vec![1; 32]]);
        let token = old.sign(&place());
        let both = Keys::new(&[vec![2; 32], vec![1; 32]]);
        assert!(both.verify(&token, 0).is_ok() && !both.signed_by_newest(&token));
        assert!(both.signed_by_newest(&both.sign(&place())) && old.signed_by_newest(&token));
        assert_eq!(Keys::new(&[vec![2; 32]]).verify(&token, 0), Err(TokenError::Invalid));
    }

    #[test]
    fn no_single_changed_character_is_accepted() {
        let keys = Keys::new(&[vec![1; 32]]);
        let token = keys.sign(&place());
        for i in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[i] = if forged[i] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_ne!(keys.verify(&forged, 0), Ok(place()), "character {i}");
        }
    }
}
