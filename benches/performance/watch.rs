//! Those who look at a seat map that changes: readers, a buyer who never stops, and one who looks for his own hold.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{
    journey::{Buyer, Holding},
    load::{Answer, Source},
};

/// What they saw. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Sights>>);

/// The sum of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sights {
    /// Tags of full maps.
    pub(crate) versions: HashSet<String>,
    /// Full maps handed out.
    pub(crate) maps: u64,
    /// From the answer of a hold to the end of the first map that shows it, ms.
    pub(crate) delays_ms: Vec<f64>,
}

/// One of them.
pub(crate) enum Visitor {
    /// Reads whatever is new.
    Reader(Reader),
    /// Keeps the map changing.
    Holder(Holding),
    /// Holds, and reads until he sees it.
    Prober(Prober),
}

/// A client that has a map and asks for a newer one, packed.
pub(crate) struct Reader {
    path: &'static str,
    tag: String,
    seen: Seen,
}

/// A buyer who wants to see what he did.
pub(crate) struct Prober {
    buyer: Buyer,
    path: &'static str,
    tag: String,
    /// The seat that he holds and has not seen yet, and since when.
    held: Option<(String, Instant)>,
    seen: Seen,
}

impl Seen {
    fn note(&self, note: impl FnOnce(&mut Sights)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All of it.
    pub(crate) fn sum(&self) -> Sights {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Visitor {
    pub(crate) fn reader(path: &'static str, seen: &Seen) -> Self {
        Self::Reader(Reader { path, tag: "\"\"".to_owned(), seen: seen.clone() })
    }

    pub(crate) fn holder(buyer: Buyer) -> Self {
        Self::Holder(Holding { buyer, basket: None })
    }

    pub(crate) fn prober(path: &'static str, buyer: Buyer, seen: &Seen) -> Self {
        Self::Prober(Prober { buyer, path, tag: "\"\"".to_owned(), held: None, seen: seen.clone() })
    }
}

impl Source for Visitor {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        match self {
            Self::Reader(reader) => {
                look(request, reader.path, &reader.tag, "Accept-Encoding: gzip\r\n");
                true
            }
            Self::Holder(holder) => holder.next(request),
            Self::Prober(prober) => prober.next(request),
        }
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        match self {
            Self::Reader(Reader { tag, seen, .. }) => take_map(answer, tag, seen),
            Self::Holder(holder) => holder.answered(answer),
            Self::Prober(prober) => prober.answered(answer),
        }
    }
}

impl Prober {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        if self.held.is_none() {
            return self.buyer.hold(request);
        }
        look(request, self.path, &self.tag, "");
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        let Some((shown, since)) = &self.held else {
            // The label stands in the answer as `"seats":["A-1-2"]`.
            let body = std::str::from_utf8(answer.body).unwrap_or_default();
            let label = body.split_once("\"seats\":[\"").and_then(|(_, rest)| rest.split_once('"'));
            let label = label.map(|(label, _)| format!("{{\"seat\":\"{label}\","));
            self.held = label.map(|label| (label, Instant::now()));
            return answer.status == 201 && self.held.is_some();
        };
        let body = std::str::from_utf8(answer.body).unwrap_or_default();
        let seat = body.split_once(shown.as_str()).and_then(|(_, rest)| rest.split_once('}'));
        if seat.is_some_and(|(seat, _)| seat.contains("\"HELD\"")) {
            let delay = since.elapsed().as_secs_f64() * 1e3;
            self.seen.note(|sights| sights.delays_ms.push(delay));
            self.held = None;
        }
        take_map(answer, &mut self.tag, &self.seen)
    }
}

fn look(request: &mut Vec<u8>, path: &str, tag: &str, header: &str) {
    let text = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nIf-None-Match: {tag}\r\n{header}\r\n");
    request.extend_from_slice(text.as_bytes());
}

/// A new map, or none.
fn take_map(answer: &Answer<'_>, tag: &mut String, seen: &Seen) -> bool {
    if answer.status == 304 {
        return true;
    }
    let Some(new) = answer.header("etag").filter(|_| answer.status == 200) else {
        return false;
    };
    new.clone_into(tag);
    // The packed form of a map has a tag of its own that ends in another letter; the version in front is the same.
    let version = new.split(['-', ';']).next().unwrap_or(new).trim_matches('"').to_owned();
    seen.note(|sights| {
        sights.maps += 1;
        sights.versions.insert(version);
    });
    true
}
