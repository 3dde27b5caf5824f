//! Answers: JSON with the headers that the contract names.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response as HyperResponse, StatusCode};
use serde::Serialize;

use super::problem::{Code, Problem};

/// An answer; bodies are whole.
pub(crate) type Response = HyperResponse<Full<Bytes>>;

/// `application/json` with this status. Answers about one caller are never stored by caches.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::caused(Code::Internal, error))?;
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
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = HyperResponse::new(Full::default());
    *response.status_mut() = status;
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
pub(crate) fn set(response: &mut Response, name: &'static str, value: impl TryInto<HeaderValue>) {
    if let Ok(value) = value.try_into() {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
