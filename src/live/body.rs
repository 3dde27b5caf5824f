//! The encoded forms of a seat map: JSON and gzip, made when asked for, at most once for each version.
//!
//! A full map of 50,000 seats is 4.8 MB of JSON, 0.3 MB compressed, and takes 6 ms; 2 to 3 ms when its gzip is made of
//! blocks of 256 seats and only those that changed are compressed again. A map that keeps changing is encoded anew only
//! after ten times the time that the last encoding took: a tenth of one core at most for each form.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::gzip::{Piece, whole};
use super::layout::{Layout, Pieces};
use crate::domain::ids::Mark;

/// The forms in which a client can ask for a seat map (`api.md`, `GET /v1/shows/{showId}/seats`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum SeatsForm {
    /// Every seat with all there is to know.
    Full,
    /// One character a seat, by index.
    Status,
    /// Every seat without its status.
    Layout,
}

/// One form of one version of a seat map, ready to be sent.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Strong, with its quotes, as it stands in the header.
    pub etag: String,
    /// The gzip form's: another representation than the plain one, so another tag.
    pub gzip_etag: String,
    /// The log and the last entry that changed the map; none of the layout.
    pub at: Option<Version>,
    /// `<log id>.<number of the last entry that changed the map>`; of the layout its fingerprint.
    pub version: String,
    /// The body.
    pub json: Bytes,
    /// The body, compressed.
    pub gzip: Bytes,
}

/// A log and an entry of it; of the layout its fingerprint and 0.
pub(crate) type Version = (Mark, u64);

/// A seat map as it was at one moment, copied out of the live state.
pub(crate) struct Moment {
    pub(crate) at: Version,
    /// `<log id>.<number>`.
    pub(crate) version: String,
    /// Number of the last entry applied to the sale.
    pub(crate) applied: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The last encoding of one form.
pub(crate) struct Latest {
    pub(crate) encoded: Arc<Encoded>,
    layout: Arc<Layout>,
    at: Version,
    /// What the map had applied when it was encoded.
    pub(crate) applied: u64,
    made: Instant,
    rest: Duration,
}

impl Latest {
    /// Whether this is the encoding of that version with those seats.
    pub(crate) fn is_of(&self, at: Version, layout: &Arc<Layout>) -> bool {
        self.at == at && Arc::ptr_eq(&self.layout, layout)
    }

    /// Whether it is served though the map has changed since: encoding again would come too soon.
    pub(crate) fn rests(&self, at: Version, layout: &Arc<Layout>) -> bool {
        self.made.elapsed() < self.rest && self.is_before(at, layout)
    }

    /// Whether it is served while another thread makes the next one.
    pub(crate) fn stands_in(&self, at: Version, layout: &Arc<Layout>) -> bool {
        self.made.elapsed() < STANDS_IN_MAX && self.is_before(at, layout)
    }

    /// Whether it is an earlier version of the same map with the same seats.
    fn is_before(&self, at: Version, layout: &Arc<Layout>) -> bool {
        Arc::ptr_eq(&self.layout, layout) && self.at.0 == at.0
    }
}

/// The longest that a map is not encoded again: `api.md` lets it be a second old in all.
const REST_MAX: Duration = Duration::from_millis(500);

/// The oldest encoding that is served while the next is made.
const STANDS_IN_MAX: Duration = Duration::from_millis(800);

/// Full maps of this many seats rest 100 ms at least, smaller ones in proportion: 50 seats are always fresh.
const SEATS_PER_100_MS: u32 = 50_000;

/// What an encoder keeps between two versions of the full form.
#[derive(Default)]
pub(crate) struct Encoder {
    fingerprint: u64,
    statuses: Vec<u8>,
    blocks: Vec<Piece>,
    /// Encodings made so far.
    pub(crate) made: u64,
}

const BLOCK_SEATS: usize = 256;

impl Encoder {
    /// Encodes the map.
    pub(crate) fn encode(&mut self, form: SeatsForm, layout: &Arc<Layout>, moment: &Moment) -> Latest {
        let start = Instant::now();
        self.made += 1;
        let encoded = match form {
            SeatsForm::Full => self.full(layout, moment),
            SeatsForm::Status => status(moment),
            SeatsForm::Layout => self::layout(layout),
        };
        let seats = u32::try_from(moment.bytes.len()).unwrap_or(u32::MAX);
        let least = Duration::from_millis(100) * seats / SEATS_PER_100_MS;
        Latest {
            encoded: Arc::new(encoded),
            layout: Arc::clone(layout),
            at: moment.at,
            applied: moment.applied,
            made: Instant::now(),
            rest: (start.elapsed() * 10).max(least).min(REST_MAX),
        }
    }

    fn full(&mut self, layout: &Layout, moment: &Moment) -> Encoded {
        let pieces = layout.pieces();
        let seats = pieces.len().min(moment.bytes.len());
        let statuses = &moment.bytes[..seats];
        if self.fingerprint != pieces.fingerprint || self.statuses.len() != seats {
            self.blocks.clear();
        }
        let head = format!(r#"{{"showId":{},"version":"{}","seats":["#, layout.show.show, moment.version);
        let mut json = Vec::with_capacity(head.len() + pieces.bytes() + seats * 24 + 2);
        json.extend_from_slice(head.as_bytes());
        for (number, block) in statuses.chunks(BLOCK_SEATS).enumerate() {
            let first = number * BLOCK_SEATS;
            let start = json.len();
            push_seats(&mut json, pieces, first, block);
            match self.blocks.get_mut(number) {
                None => self.blocks.push(Piece::compress(&json[start..])),
                Some(_) if self.statuses[first..first + block.len()] == *block => {}
                Some(old) => *old = Piece::compress(&json[start..]),
            }
        }
        json.extend_from_slice(b"]}");
        let (head, tail) = (Piece::compress(head.as_bytes()), Piece::compress(b"]}"));
        let gzip = whole(std::iter::once(&head).chain(&self.blocks).chain([&tail]));
        self.fingerprint = pieces.fingerprint;
        self.statuses = statuses.to_vec();
        let tag = format!("{}-f{}", moment.version, pieces.version());
        Encoded {
            etag: format!("\"{tag}\""),
            gzip_etag: format!("\"{tag}-gzip\""),
            at: Some(moment.at),
            version: moment.version.clone(),
            json: json.into(),
            gzip: gzip.into(),
        }
    }
}

fn push_seats(json: &mut Vec<u8>, pieces: &Pieces, first: usize, statuses: &[u8]) {
    for (piece, status) in pieces.of(first..first + statuses.len()).zip(statuses) {
        json.extend_from_slice(piece);
        json.extend_from_slice(match status {
            b'0' => br#","status":"AVAILABLE"}"#,
            b'1' => br#","status":"HELD"}"#,
            b'2' => br#","status":"BOOKED"}"#,
            _ => br#","status":"BLOCKED"}"#,
        });
    }
}

fn status(moment: &Moment) -> Encoded {
    let statuses = std::str::from_utf8(&moment.bytes).expect("a map holds the digits 0 to 3");
    let json = format!(r#"{{"version":"{}","status":"{statuses}"}}"#, moment.version);
    Encoded {
        etag: format!("\"{}-s\"", moment.version),
        gzip_etag: format!("\"{}-s-gzip\"", moment.version),
        at: Some(moment.at),
        version: moment.version.clone(),
        gzip: whole([&Piece::compress(json.as_bytes())]).into(),
        json: json.into(),
    }
}

fn layout(layout: &Layout) -> Encoded {
    let pieces = layout.pieces();
    let version = pieces.version();
    let currency = super::layout::quoted(&layout.show.currency);
    let head =
        format!(r#"{{"showId":{},"version":"{version}","currency":{currency},"seats":["#, layout.show.show);
    let mut json = Vec::with_capacity(head.len() + pieces.bytes() + pieces.len() + 2);
    json.extend_from_slice(head.as_bytes());
    for piece in pieces.of(0..pieces.len()) {
        json.extend_from_slice(piece);
        json.push(b'}');
    }
    json.extend_from_slice(b"]}");
    Encoded {
        etag: format!("\"{version}-l\""),
        gzip_etag: format!("\"{version}-l-gzip\""),
        at: None,
        version,
        gzip: whole([&Piece::compress(&json)]).into(),
        json: json.into(),
    }
}
