//! How far each concert of the pull log has been read, as a text that fits the head of the next request.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::ids::ConcertId;

/// Bytes of a cursor: some 1,300 concerts with a million entries each. It comes back in the request line, and a head of more
/// than 16 KiB is refused before anybody reads it; the rest is for an identity token and other headers.
pub(super) const TEXT_MAX: usize = 12 * 1024;

/// The first byte: a cursor of another form is refused, not misread.
const FORM: u8 = 1;

/// How far each concert has been read: the last entry read whole, and how many events of the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The concert whose turn it is to be first.
    pub(super) first: u32,
    pub(super) read: BTreeMap<ConcertId, (u64, usize)>,
}

/// No answer gave it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![FORM];
        write(&mut bytes, u64::from(self.first));
        let mut before = 0;
        for (concert, (number, done)) in &self.read {
            write(&mut bytes, u64::from(concert.0 - before));
            write(&mut bytes, *number);
            write(&mut bytes, *done as u64);
            before = concert.0;
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (FORM, mut rest) = bytes.split_first().map(|(form, rest)| (*form, rest)).ok_or(InvalidCursor)?
        else {
            return Err(InvalidCursor);
        };
        let first = number(&mut rest)?;
        let mut read = BTreeMap::new();
        let mut before = 0_u32;
        while !rest.is_empty() {
            let step: u32 = number(&mut rest)?;
            before = before.checked_add(step).ok_or(InvalidCursor)?;
            read.insert(ConcertId(before), (number(&mut rest)?, number(&mut rest)?));
        }
        Ok(Self { first, read })
    }
}

/// Seven bits a byte, the lowest first; the eighth says that there is more.
fn write(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return;
        }
    }
}

fn number<T: TryFrom<u64>>(rest: &mut &[u8]) -> Result<T, InvalidCursor> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, more) = rest.split_first().ok_or(InvalidCursor)?;
        *rest = more;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value.try_into().map_err(|_| InvalidCursor);
        }
    }
    Err(InvalidCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_says() {
        let read = [(ConcertId(7), (12, 3)), (ConcertId(1_000_001), (1 << 40, 300))].into_iter().collect();
        for cursor in [Cursor { first: u32::MAX, read }, Cursor::default()] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bytes in [
            &[][..],
            &[2, 0],
            &[1],
            &[1, 0x80],
            &[1, 0, 7],
            &[1, 0, 7, 1],
            &[1, 255, 255, 255, 255, 127],
            &[0x80; 30],
        ] {
            assert_eq!(URL_SAFE_NO_PAD.encode(bytes).parse::<Cursor>(), Err(InvalidCursor), "{bytes:?}");
        }
        for text in ["", "x", "MA=="] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }

    #[test]
    fn a_cursor_of_many_concerts_fits_a_request() {
        let read = (0..1_300).map(|n| (ConcertId(1_000_000 + 3 * n), (1_000_000, 100))).collect();
        assert!(Cursor { first: 1_000_000, read }.to_string().len() <= TEXT_MAX);
    }
}
