//! What a call may refuse with, as the document says it: the codes of `problem`, grouped by status.
//!
//! Beside each handler stands `refusals!`, which names its codes; what many calls have in common are the groups here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::http::problem::Code;

/// Codes that calls have in common.
pub(crate) type Group = &'static [Code];

/// An answer in JSON.
pub(crate) const JSON: Group = &[Code::NotAcceptable];
/// Parameters or headers that have a form.
pub(crate) const FORM: Group = &[Code::InvalidRequest];
/// A caller who must be known.
pub(crate) const IDENTITY: Group = &[Code::Unauthenticated];
/// A body that must or may be there.
pub(crate) const BODY: Group = &[Code::InvalidRequest, Code::PayloadTooLarge, Code::UnsupportedMediaType];
/// The header `Durability`.
pub(crate) const DURABILITY: Group = &[Code::InvalidRequest, Code::DurabilityUnavailable];
/// The header `Idempotency-Key`.
pub(crate) const KEY: Group = &[Code::InvalidRequest, Code::IdempotencyKeyReused, Code::RateLimited];
/// An id in the path.
pub(crate) const PATH: Group = &[Code::NotFound];
/// A place in line.
pub(crate) const PLACE: Group = &[Code::QueueTokenInvalid, Code::QueueTokenExpired];
/// A read from memory, which may have to wait for what the client has seen.
pub(crate) const FRESH: Group = &[Code::Unavailable];
/// A question that Redis or MySQL answers.
pub(crate) const STORE: Group =
    &[Code::Overloaded, Code::Unavailable, Code::SalesStopped, Code::OutcomeUnknown];
/// A read that the policy may put behind the queue.
pub(crate) const GATED: Group = &[
    Code::Unauthenticated,
    Code::QueueTokenInvalid,
    Code::QueueTokenExpired,
    Code::QueueTokenNotActive,
    Code::Overloaded,
    Code::Unavailable,
    Code::SalesStopped,
    Code::OutcomeUnknown,
];
/// An organiser's call.
pub(crate) const ORGANISER: Group = &[Code::Unauthenticated, Code::Forbidden];
/// A call that the contract names and nobody built yet.
pub(crate) const NOT_BUILT: Group = &[Code::NotImplemented];

/// Makes the type that stands for a handler's refusals in its `responses(…)`: groups, then codes of its own.
macro_rules! refusals {
    ($name:ident: $($group:ident),* $(; $($code:ident),+)?) => {
        /// What the call of this name refuses with.
        pub(crate) enum $name {}

        impl utoipa::IntoResponses for $name {
            fn responses()
            -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::http::openapi::refusals::responses(
                    &[$($crate::http::openapi::refusals::$group),*],
                    &[$($($crate::http::problem::Code::$code),+)?],
                )
            }
        }
    };
}
pub(crate) use refusals;

/// Any call may fail by a fault of ours; the others are those named.
pub(crate) fn responses(groups: &[Group], own: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    let named = groups.iter().copied().flatten().chain(own).chain(&[Code::Internal]);
    for code in named {
        by_status.entry(code.status().as_u16()).or_default().insert(code.name());
    }
    let response = |(status, names)| (format!("{status}"), RefOr::T(problem(status, &names)));
    by_status.into_iter().map(response).collect()
}

fn problem(status: u16, names: &BTreeSet<&'static str>) -> Response {
    let codes = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.iter().copied()));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(ObjectBuilder::new().property("code", codes).required("code"));
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let response = ResponseBuilder::new()
        .description(quoted.join(", "))
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build());
    match status {
        401 => response.header("WWW-Authenticate", text_header("The scheme that is asked for.")),
        429 | 503 => response.header(
            "Retry-After",
            HeaderBuilder::new()
                .schema(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)))
                .description(Some("Seconds after which to ask again."))
                .build(),
        ),
        _ => response,
    }
    .build()
}

/// A header whose value is any text.
pub(super) fn text_header(description: &str) -> utoipa::openapi::Header {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(schema).description(Some(description)).build()
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|code| code.name());
        let codes = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        codes.description(Some("What clients branch on; stable.")).into()
    }
}

impl ToSchema for Code {
    fn name() -> std::borrow::Cow<'static, str> {
        "ProblemCode".into()
    }
}

/// The schema of every problem: what [`super::super::problem::Problem`] writes.
pub(crate) enum ProblemSchema {}

impl PartialSchema for ProblemSchema {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let count = || ObjectBuilder::new().schema_type(Type::Integer);
        let time = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        let seats = ArrayBuilder::new().items(text());
        ObjectBuilder::new()
            .description(Some("RFC 9457. Beside `code` some codes have fields of their own."))
            .property("type", text().description(Some("`/problems/` and the code.")))
            .property("title", text().description(Some("What the code means, for people.")))
            .property("status", count().description(Some("The HTTP status.")))
            .property("detail", text().description(Some("What happened here, for people.")))
            .property("instance", text().description(Some("The request's id, as in `X-Request-Id`.")))
            .property("code", Ref::from_schema_name("ProblemCode"))
            .property("field", text().description(Some("`invalid_request`: the field, parameter or header.")))
            .property("limit", count().description(Some("`too_many_seats`, `purchase_limit`: the most.")))
            .property("owned", count().description(Some("`purchase_limit`: held and booked already.")))
            .property("min", count().description(Some("`amount_out_of_range`: the least.")))
            .property("max", count().description(Some("`amount_out_of_range`: the most.")))
            .property("currentBalance", count().description(Some("`insufficient_balance`.")))
            .property("requiredAmount", count().description(Some("`insufficient_balance`.")))
            .property(
                "reason",
                text().description(Some("`invalid_reservation`: why it is neither paid nor given back.")),
            )
            .property("position", count().description(Some("`queue_token_not_active`.")))
            .property("seats", seats.description(Some("`seat_unavailable`: those that are not free.")))
            .property("opensAt", time.description(Some("`sale_not_open`: when it opens, if that is known.")))
            .required("type")
            .required("title")
            .required("status")
            .required("detail")
            .required("instance")
            .required("code")
            .examples([json!({
                "type": "/problems/not_found", "title": "There is no such thing", "status": 404,
                "detail": "There is no such thing", "instance": "00000000000000ff", "code": "not_found",
            })])
            .into()
    }
}

impl ToSchema for ProblemSchema {
    fn name() -> std::borrow::Cow<'static, str> {
        "Problem".into()
    }
}
