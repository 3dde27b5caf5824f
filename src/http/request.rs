//! One request as handlers see it: its route, path id, query, headers and a body that is read on demand.

use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::time::Instant;

use super::problem::{Code, Problem};
use super::router::{Endpoint, Verb};

/// Names one request in the answer, its problem and the log. Made here, never taken from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId([u8; 16]);

impl RequestId {
    /// The id made of these random bits, 16 hex digits.
    pub(crate) fn new(bits: u64) -> Self {
        let digit = |place: usize| b"0123456789abcdef"[(bits >> (60 - 4 * place) & 15) as usize];
        Self(std::array::from_fn(digit))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }
}

/// A request whose route is known.
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) endpoint: Endpoint,
    /// The path with its placeholder: `/v1/shows/{id}/seats`.
    pub(crate) route: &'static str,
    /// What stands for `{id}`, as sent.
    pub(crate) id: String,
    /// What stands for the second placeholder, as sent; empty where there is none.
    pub(crate) second_id: String,
    /// Without the question mark, as sent.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// `None` once read.
    pub(crate) body: Option<Incoming>,
    /// The answer is due by then.
    pub(crate) deadline: Instant,
    /// The id of the request, as problems call it.
    pub(crate) instance: RequestId,
    /// What an organiser's call tells the audit trail about itself.
    pub(crate) noted: Option<Box<Value>>,
}

impl Request {
    /// The path's id, parsed; 404 if it names nothing that could exist.
    pub(crate) fn path_id<T: std::str::FromStr>(&self) -> Result<T, Problem> {
        self.id.parse().map_err(|_| Problem::new(Code::NotFound))
    }

    /// The path's id, percent-decoded; 404 if that is not UTF-8.
    pub(crate) fn path_text(&self) -> Result<String, Problem> {
        let decoded = percent_decode_str(&self.id).decode_utf8();
        decoded.map(std::borrow::Cow::into_owned).map_err(|_| Problem::new(Code::NotFound))
    }

    /// A header that stands at most once and is printable; `Err` names it.
    pub(crate) fn header(&self, name: &HeaderName) -> Result<Option<&str>, Problem> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let wrong = |detail| Problem::field(name.as_str(), detail);
        if values.next().is_some() {
            return Err(wrong("The header appears more than once."));
        }
        value.to_str().map(Some).map_err(|_| wrong("The header is not printable ASCII."))
    }

    /// What fingerprints begin with: method and route. A path's id belongs to the form, in its one spelling.
    pub(crate) fn scope(&self) -> [&'static str; 3] {
        [self.verb.as_str(), " ", self.route]
    }
}
