//! Answers: JSON with the headers that the contract names.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response as HyperResponse, StatusCode};
use serde::Serialize;

use super::problem::{Code, Problem};

/// An answer; bodies are whole.
pub(crate) type Response = HyperResponse<Full<Bytes>>;

/// As many as an answer has: a map that grows on the way costs as much as all that is put into it.
const HEADERS: usize = 8;
/// As long as most bodies are, of one reservation or one place in line.
const BODY_BYTES: usize = 512;

/// `application/json` with this status. Answers about one caller are never stored by caches.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let mut body = Vec::with_capacity(BODY_BYTES);
    serde_json::to_writer(&mut body, value).map_err(|error| Problem::caused(Code::Internal, error))?;
    Ok(json_bytes(status, Bytes::from(body)))
}

/// 200 with this value.
pub(crate) fn ok(value: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::OK, value)
}

/// JSON that is encoded already.
pub(crate) fn json_bytes(status: StatusCode, body: Bytes) -> Response {
    let mut response = HyperResponse::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = HyperResponse::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().reserve(HEADERS);
    response
}

/// Plain text.
pub(crate) fn text(body: &'static str) -> Response {
    let mut response = HyperResponse::new(Full::new(Bytes::from_static(body.as_bytes())));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// Sets a header; a value that no header can hold is left out.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: impl TryInto<HeaderValue>) {
    if let Ok(value) = value.try_into() {
        response.headers_mut().insert(name, value);
    }
}
