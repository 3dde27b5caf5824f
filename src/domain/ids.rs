//! Names of things: concerts, shows, users, reservations, payments, logs and their marks.
//!
//! Catalog ids are small integers that organisers see. All other ids are made by the server from random bits
//! and carry their concert, so that a reservation or payment is found without an index (formats 1).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A concert: from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConcertId(pub u32);

/// A show (one performance), unique over all concerts: from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShowId(pub u32);

impl fmt::Display for ConcertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ShowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A user as the identity token names him: 1 to 64 bytes of UTF-8 without control characters, not `me`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Bytes of the longest.
    pub const BYTES_MAX: usize = 64;

    /// The id, or `None` if the text breaks the rule of `api.md` ("Identity").
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        (fits && text != "me" && !text.chars().any(char::is_control)).then(|| Self(text.into()))
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The wallet partition out of `partitions` that holds this user's money. Stable for ever: FNV-1a, 64 bits.
    pub fn partition(&self, partitions: u8) -> u8 {
        partition_of(self.0.bytes(), partitions)
    }
}

/// The partition of a user id of these bytes.
pub(super) fn partition_of(id: impl Iterator<Item = u8>, partitions: u8) -> u8 {
    let hash = id.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u8::try_from(hash % u64::from(partitions)).expect("a remainder of a u8 fits a u8")
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Whether a byte is one of the alphabet: each hold and each log entry reads some ids.
const IN_ALPHABET: [bool; 256] = {
    let mut known = [false; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        known[ALPHABET[i] as usize] = true;
        i += 1;
    }
    known
};

/// 100 random bits as 20 characters of lower-case Crockford base32: names a reservation or a payment inside a concert.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id20([u8; 20]);

impl Id20 {
    /// The id made of the lowest 100 of these random bits.
    pub fn from_bits(bits: u128) -> Self {
        let mut text = [0; 20];
        for (i, place) in text.iter_mut().enumerate() {
            *place = ALPHABET[usize::try_from((bits >> (5 * i)) & 31).expect("five bits fit a usize")];
        }
        Self(text)
    }

    /// The id with its first character telling a number of seats, so that what a call will touch is known before it is sent.
    pub fn with_seats(mut self, seats: usize) -> Self {
        self.0[0] = ALPHABET[seats.min(31)];
        self
    }

    /// The number of seats that the first character tells, at least 1; 31 stands for all that are more.
    pub fn seats(&self) -> usize {
        let seats = ALPHABET.iter().position(|letter| *letter == self.0[0]).unwrap_or(31);
        if seats == 31 { super::policy::SEATS_PER_RESERVATION_MAX as usize } else { seats.max(1) }
    }

    /// The id as it stands in keys, entries and tables.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

impl FromStr for Id20 {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bytes: [u8; 20] = text.as_bytes().try_into().map_err(|_| InvalidId)?;
        if !bytes.iter().all(|byte| IN_ALPHABET[usize::from(*byte)]) {
            return Err(InvalidId);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Id20 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id20 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not an id of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed id")]
pub struct InvalidId;

/// A reservation: `r<concert>-<show>-<id>` for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReservationId {
    /// The concert whose log and keys hold it.
    pub concert: ConcertId,
    /// Its show; scripts check that it is.
    pub show: ShowId,
    /// Its name there.
    pub id: Id20,
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}-{}-{}", self.concert, self.show, self.id)
    }
}

impl FromStr for ReservationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        parse_reservation(text.strip_prefix('r').ok_or(InvalidId)?)
    }
}

/// A payment: `p<concert>-<show>-<reservation>-<id>` for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentId {
    /// The reservation that it pays.
    pub reservation: ReservationId,
    /// Its name there.
    pub id: Id20,
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReservationId { concert, show, id } = self.reservation;
        write!(f, "p{concert}-{show}-{id}-{}", self.id)
    }
}

impl FromStr for PaymentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (reservation, id) =
            text.strip_prefix('p').and_then(|rest| rest.rsplit_once('-')).ok_or(InvalidId)?;
        Ok(Self { reservation: parse_reservation(reservation)?, id: id.parse()? })
    }
}

/// A charge through the payment gateway: `t<partition>-<id>` for clients and there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChargeId {
    /// The wallet partition whose log and keys hold it.
    pub partition: u8,
    /// Its name there.
    pub id: Id20,
}

impl fmt::Display for ChargeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{:02}-{}", self.partition, self.id)
    }
}

impl FromStr for ChargeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (partition, id) =
            text.strip_prefix('t').and_then(|rest| rest.split_once('-')).ok_or(InvalidId)?;
        let digits = partition.len() == 2 && partition.bytes().all(|byte| byte.is_ascii_digit());
        let partition = partition.parse().ok().filter(|_| digits).ok_or(InvalidId)?;
        Ok(Self { partition, id: id.parse()? })
    }
}

fn parse_reservation(text: &str) -> Result<ReservationId, InvalidId> {
    let (concert, rest) = text.split_once('-').ok_or(InvalidId)?;
    let (show, id) = rest.split_once('-').ok_or(InvalidId)?;
    Ok(ReservationId {
        concert: ConcertId(catalog_id(concert)?),
        show: ShowId(catalog_id(show)?),
        id: id.parse()?,
    })
}

fn catalog_id(text: &str) -> Result<u32, InvalidId> {
    let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().map_err(|_| InvalidId)?;
    canonical.then_some(id).ok_or(InvalidId)
}

/// One log: a concert's or a wallet partition's. `c7`, `w03` in tables, metrics and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogName {
    /// The log of a concert: its line, seats and reservations.
    Concert(ConcertId),
    /// The log of a wallet partition: the money of its users.
    Wallet(u8),
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concert(id) => write!(f, "c{id}"),
            Self::Wallet(partition) => write!(f, "w{partition:02}"),
        }
    }
}

impl FromStr for LogName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_at_checked(1) {
            Some(("c", id)) => Ok(Self::Concert(ConcertId(catalog_id(id)?))),
            Some(("w", partition)) if partition.len() == 2 => {
                partition.parse().map(Self::Wallet).map_err(|_| InvalidId)
            }
            _ => Err(InvalidId),
        }
    }
}

/// A random 64-bit value: the mark of a log entry, or the id of a log. 16 lower-case hex digits in every format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark(pub u64);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Mark {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() != 16 {
            return Err(InvalidId);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidId)
    }
}

/// A place in a log: the number of an entry and its mark. `Offset::default()` is before the first entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    /// Dense per log, from 1; 0: nothing yet.
    pub number: u64,
    /// The mark that entry carries; tells two histories with the same numbers apart.
    pub mark: Mark,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = Id20::from_bits(0x000f_edcb_a987_6543_210f_edcb_a987_6543);
        let reservation = ReservationId { concert: ConcertId(7), show: ShowId(12), id };
        let payment = PaymentId { reservation, id: Id20::from_bits(5) };
        assert_eq!(reservation.to_string().parse(), Ok(reservation));
        assert_eq!(payment.to_string().parse(), Ok(payment));
        let charge = ChargeId { partition: 3, id };
        assert_eq!(charge.to_string().parse(), Ok(charge));
        assert_eq!(charge.to_string().parse::<PaymentId>(), Err(InvalidId));
        for log in [LogName::Concert(ConcertId(12)), LogName::Wallet(3)] {
            assert_eq!(log.to_string().parse(), Ok(log));
        }
        assert_eq!(Mark(255).to_string().parse(), Ok(Mark(255)));
    }

    #[test]
    fn an_id_has_letters_of_the_alphabet_only() {
        for byte in 0..=127_u8 {
            let text = "0".repeat(19) + &char::from(byte).to_string();
            assert_eq!(text.parse::<Id20>().is_ok(), ALPHABET.contains(&byte), "{text}");
        }
    }

    #[test]
    fn a_reservation_tells_how_many_seats_it_has() {
        let id = Id20::from_bits(u128::MAX);
        for (seats, told) in [(1, 1), (4, 4), (30, 30), (31, 50), (50, 50)] {
            assert_eq!(id.with_seats(seats).seats(), told);
        }
    }

    #[test]
    fn ids_that_are_not_canonical_are_refused() {
        for text in [
            "r07-1-00000000000000000000",
            "r7-1-0000000000000000000O",
            "r-1",
            "7",
            "r+7-1-00000000000000000000",
        ] {
            assert_eq!(text.parse::<ReservationId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn users_obey_the_contract() {
        assert!(UserId::new("가|a b").is_some());
        for text in ["", "me", "a\nb", &"x".repeat(65)] {
            assert!(UserId::new(text).is_none(), "{text:?}");
        }
    }
}
