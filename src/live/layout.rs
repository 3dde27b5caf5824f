//! What never changes about a show's seats, encoded once: the JSON of each seat but for its status.
//!
//! A full seat map is these pieces with a status behind each, so encoding 50,000 seats is copying, not formatting.
//! The fingerprint is that of the text, so all servers agree on it, and a new price makes a new one.

use std::fmt::Write;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::domain::catalog::Show;

/// A show of the catalog with its encoding, made when first asked for.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) show: Arc<Show>,
    pieces: OnceLock<Pieces>,
}

/// The encoded seats.
#[derive(Debug)]
pub(crate) struct Pieces {
    text: Vec<u8>,
    /// Where the piece of each seat ends in `text`.
    ends: Vec<u32>,
    /// FNV-1a, 64 bits, of what a client can see.
    pub(crate) fingerprint: u64,
}

impl Layout {
    pub(crate) fn new(show: Arc<Show>) -> Self {
        Self { show, pieces: OnceLock::new() }
    }

    /// Whether clients see the same seats in both.
    pub(crate) fn same_seats(&self, show: &Show) -> bool {
        let ours = &self.show;
        ours.currency == show.currency && ours.sections == show.sections && ours.seats == show.seats
    }

    pub(crate) fn pieces(&self) -> &Pieces {
        self.pieces.get_or_init(|| Pieces::encode(&self.show))
    }
}

impl Pieces {
    fn encode(show: &Show) -> Self {
        let sections: Vec<String> = show.sections.iter().map(|name| quoted(name)).collect();
        let mut text = String::with_capacity(show.seats.len() * 80);
        let mut ends = Vec::with_capacity(show.seats.len());
        for (index, seat) in show.seats.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let section = sections.get(usize::from(seat.section)).map_or("null", String::as_str);
            write!(
                text,
                r#"{comma}{{"seat":{},"section":{section},"row":{},"number":{},"price":{}"#,
                quoted(&seat.label),
                Number(seat.row),
                Number(seat.number),
                seat.price
            )
            .expect("a String takes everything");
            ends.push(u32::try_from(text.len()).expect("200,000 seats of at most 900 bytes"));
        }
        Self {
            fingerprint: fnv(show.currency.as_bytes(), fnv(text.as_bytes(), FNV_START)),
            text: text.into_bytes(),
            ends,
        }
    }

    /// The fingerprint as clients see it.
    pub(crate) fn version(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }

    /// How many seats there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all pieces.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The piece of each of these seats: JSON of an object that is not closed, with the comma before it.
    pub(crate) fn of(&self, seats: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let mut start = seats.start.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        self.ends[seats].iter().map(move |&end| {
            let piece = &self.text[start..end as usize];
            start = end as usize;
            piece
        })
    }
}

/// A number that JSON shows as `null` when there is none.
struct Number(Option<u32>);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("null"),
        }
    }
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(bytes: &[u8], start: u64) -> u64 {
    bytes.iter().fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
