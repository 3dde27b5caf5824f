//! `Idempotency-Key`: its form, and the fingerprint that tells another request under the same key.

use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::problem::{Code, Problem};
use super::request::Request;
use super::response::Response;
use crate::domain::ids::Mark;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a request, if it carries one.
pub(crate) fn key(request: &Request) -> Result<Option<String>, Problem> {
    let mut values = request.headers.get_all(&HEADER).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(invalid());
    }
    first.map(checked).transpose()
}

/// The key of a request that needs one, else 400 `idempotency_key_required`.
pub(crate) fn required_key(request: &Request) -> Result<String, Problem> {
    key(request)?.ok_or_else(|| Problem::new(Code::IdempotencyKeyRequired))
}

fn checked(value: &HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().map_err(|_| invalid())?;
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then(|| text.to_owned()).ok_or_else(invalid)
}

fn invalid() -> Problem {
    Problem::field("Idempotency-Key", "Expected 1 to 64 printable ASCII characters.")
}

/// The first 8 bytes of SHA-256 over method, route and the parsed form: spaces, order of fields and headers don't count.
pub(crate) fn fingerprint(request: &Request, form: &impl Serialize) -> Result<Mark, Problem> {
    let form = serde_json::to_vec(form).map_err(|error| Problem::caused(Code::Internal, error))?;
    Ok(digest(request.scope(), &form))
}

fn digest(scope: [&str; 3], form: &[u8]) -> Mark {
    let [verb, space, route] = scope;
    let scope = Sha256::new().chain_update(verb).chain_update(space).chain_update(route);
    let hash = scope.chain_update(b"\n").chain_update(form).finalize();
    let first = hash.first_chunk().expect("SHA-256 is longer than 8 bytes");
    Mark(u64::from_be_bytes(*first))
}

/// Marks an answer that was given before.
pub(crate) fn mark_replayed(response: &mut Response, replayed: bool) {
    if replayed {
        let value = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_printable_ascii_of_bounded_length() {
        for text in ["a", "0123-abc ~", &"x".repeat(64)] {
            let value = HeaderValue::from_str(text).unwrap();
            assert_eq!(checked(&value).unwrap(), text);
        }
        for bytes in [&b""[..], &[b'x'; 65], b"a\tb", "가".as_bytes()] {
            let value = HeaderValue::from_bytes(bytes).unwrap();
            assert!(checked(&value).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_fingerprint_tells_requests_apart() {
        let pay = ["POST", " ", "/v1/payments"];
        let one = digest(pay, b"{}");
        assert_eq!(one, digest(["POST ", "/v1/", "payments"], b"{}"));
        assert_ne!(one, digest(pay, b"{ }"));
        assert_ne!(one, digest(["POST", " ", "/v1/reservations"], b"{}"));
    }
}
