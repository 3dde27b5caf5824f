//! Problems (RFC 9457): one table from code to status and title, and how one is written.
//!
//! `code` is what clients branch on; `detail` is for people and may change. The cause of a fault is kept for the
//! log and never shown.

use std::borrow::Cow;
use std::error::Error;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value};

use super::idempotency;
use super::request::RequestId;

macro_rules! codes {
    ($($(#[$attribute:meta])* $code:ident $name:literal $status:literal $title:literal,)*) => {
        /// The codes of `api.md`, "Error codes".
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $($(#[$attribute])* $code,)* }

        impl Code {
            /// All of them, in the order of the table.
            pub(crate) const ALL: &[Self] = &[$(Self::$code,)*];

            fn row(self) -> (&'static str, u16, &'static str) {
                match self { $(Self::$code => ($name, $status, $title),)* }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request" 400 "The request is not valid",
    TooManySeats "too_many_seats" 400 "More seats than one reservation may have",
    AmountOutOfRange "amount_out_of_range" 400 "The amount is out of range",
    IdempotencyKeyRequired "idempotency_key_required" 400 "This call needs an Idempotency-Key",
    DurabilityUnavailable "durability_unavailable" 400 "This installation cannot give that durability",
    InsufficientBalance "insufficient_balance" 400 "The balance is too small",
    InvalidReservation "invalid_reservation" 400 "The reservation does not allow this",
    Unauthenticated "unauthenticated" 401 "A valid identity token is needed",
    QueueTokenInvalid "queue_token_invalid" 401 "A valid queue token is needed",
    QueueTokenExpired "queue_token_expired" 401 "The place in line has ended",
    PaymentDeclined "payment_declined" 402 "The payment was declined",
    Forbidden "forbidden" 403 "Not allowed",
    QueueTokenNotActive "queue_token_not_active" 403 "The place is still in line",
    PurchaseLimit "purchase_limit" 403 "More seats than one user may have",
    NotFound "not_found" 404 "There is no such thing",
    MethodNotAllowed "method_not_allowed" 405 "The method does not fit the path",
    NotAcceptable "not_acceptable" 406 "The answer is application/json",
    PayloadTooLarge "payload_too_large" 413 "The body is too large",
    UnsupportedMediaType "unsupported_media_type" 415 "The body must be application/json",
    SeatUnavailable "seat_unavailable" 409 "Some of the seats are not free",
    SoldOut "sold_out" 409 "Sold out",
    ReservationNotPending "reservation_not_pending" 409 "The reservation is paid",
    SaleNotOpen "sale_not_open" 409 "The sale is not open",
    RequestInProgress "request_in_progress" 409 "Something of the kind is under way already",
    IdempotencyKeyReused "idempotency_key_reused" 422 "The Idempotency-Key was used for another request",
    RateLimited "rate_limited" 429 "Too many requests",
    Internal "internal" 500 "Something went wrong here",
    NotImplemented "not_implemented" 501 "Not built yet",
    Overloaded "overloaded" 503 "Too much at once; nothing has happened",
    Unavailable "unavailable" 503 "Not available now; nothing has happened",
    SalesStopped "sales_stopped" 503 "The sale is stopped; nothing has happened",
    OutcomeUnknown "outcome_unknown" 504 "The outcome is unknown; ask again with the same key",
}

impl Code {
    /// The stable name.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).expect("the table holds statuses")
    }

    /// Seconds for `Retry-After`: a queue before a coalescer drains in less than one, a stopped sale takes people.
    fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::Overloaded | Self::Unavailable => Some("1"),
            Self::RateLimited | Self::SalesStopped => Some("10"),
            _ => None,
        }
    }
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: Option<Cow<'static, str>>,
    fields: Vec<(&'static str, Value)>,
    allow: Option<String>,
    replayed: bool,
    /// For the log only.
    pub(crate) cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// The bare problem.
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: None, fields: Vec::new(), allow: None, replayed: false, cause: None }
    }

    /// 400 `invalid_request` that names the field.
    pub(crate) fn field(name: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest).detail(detail).with("field", name.into())
    }

    /// 405 with the methods that the path has.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// A fault of ours or of what we stand on: shown as `code`, kept whole for the log.
    pub(crate) fn caused(code: Code, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(code) }
    }

    /// Says more, for people.
    pub(crate) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds one of the extra fields of the table in `api.md`.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The same behind something that has happened by then: what would say that nothing has is 504, with the cause kept.
    pub(crate) fn behind(self, what_happened: impl Into<Cow<'static, str>>) -> Self {
        match self.code {
            Code::Overloaded | Code::Unavailable | Code::SalesStopped | Code::OutcomeUnknown => {
                Self { code: Code::OutcomeUnknown, ..self }.detail(what_happened)
            }
            _ => self,
        }
    }

    /// Marks one that tells again what became of an earlier request.
    pub(crate) fn replayed(self, replayed: bool) -> Self {
        Self { replayed, ..self }
    }

    /// Writes it as an answer to the request `id`.
    pub(crate) fn into_response(self, id: &RequestId) -> Response<Full<Bytes>> {
        let (name, status, title) = self.code.row();
        let mut body = Map::new();
        body.insert("type".into(), format!("/problems/{name}").into());
        body.insert("title".into(), title.into());
        body.insert("status".into(), status.into());
        body.insert("detail".into(), self.detail.as_deref().unwrap_or(title).into());
        body.insert("instance".into(), id.as_str().into());
        body.insert("code".into(), name.into());
        let fields = self.fields.into_iter();
        body.extend(fields.map(|(name, value)| (name.to_owned(), value)));

        let body = Bytes::from(Value::Object(body).to_string());
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"onsale\""));
        }
        if let Some(seconds) = self.code.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        idempotency::mark_replayed(&mut response, self.replayed);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        }
    }

    #[test]
    fn statuses_carry_the_headers_that_the_contract_promises() {
        let id = RequestId::new(1);
        for &code in Code::ALL {
            let response = Problem::new(code).into_response(&id);
            let has = |name| response.headers().contains_key(name);
            let status = response.status().as_u16();
            assert_eq!(has(header::WWW_AUTHENTICATE), status == 401, "{code:?}");
            assert_eq!(has(header::RETRY_AFTER), status == 429 || status == 503, "{code:?}");
        }
        let response = Problem::method_not_allowed("GET, HEAD".into()).into_response(&id);
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    }

    #[test]
    fn no_code_says_that_nothing_happened_behind_what_has() {
        for &code in Code::ALL {
            let status = Problem::new(code).behind("Something is done.").code.status().as_u16();
            assert_eq!(status, if code.status().as_u16() == 503 { 504 } else { code.status().as_u16() });
        }
    }

    #[tokio::test]
    async fn a_problem_is_written_with_its_fields_and_never_with_its_cause() {
        use http_body_util::BodyExt;
        let problem = Problem::caused(Code::Internal, "secret").with("limit", 4);
        let response = problem.into_response(&RequestId::new(255));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["type"], "/problems/internal");
        assert_eq!(body["instance"], "00000000000000ff");
        assert_eq!(body["limit"], 4);
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"));
    }
}
