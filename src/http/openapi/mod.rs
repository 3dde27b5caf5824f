//! The OpenAPI 3.1 document, made of the types and annotations beside the handlers, and where it is served.
//!
//! A test holds it against the route table, another against the specification's schema, and schemathesis against a
//! running server. What all calls have in common is added here, once, as the code that does it stands once.

pub(crate) mod params;
mod references;
pub(crate) mod refusals;
pub(crate) mod schemas;
pub(crate) mod seat_map;
mod viewer;

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Required, Response as Described, Schema};
use utoipa::{Modify, OpenApi};

use self::refusals::{ProblemSchema, refusals, text_header};
use super::negotiate;
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use super::{catalog, organiser, payment, queue, reservation, router, seats, wallet};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "onsale",
        description = "Sells seats when everybody comes at once: a line, seat maps, reservations, payments. What can't be read as \
                       HTTP/1.1 gets 400, and a head of more than 16 KiB or 100 fields 431, both without a body or \
                       `X-Request-Id`; the connection ends then.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        router::welcome, document, docs, docs_file,
        catalog::concerts, catalog::concert, catalog::concert_shows, catalog::shows, catalog::ranking,
        seats::seats, seats::stream,
        queue::join, queue::leave, queue::status, queue::stream, queue::stream_ticket,
        reservation::hold::hold, reservation::list, reservation::get, reservation::release,
        reservation::ticket_keys,
        payment::pay, payment::get, payment::webhook::told, wallet::balance, wallet::charge, wallet::ledger,
        wallet::top_up::get,
        organiser::catalog::create_concert, organiser::catalog::update_concert,
        organiser::catalog::create_show, organiser::queue::pause, organiser::queue::resume,
        organiser::queue::sale, organiser::seats::block, organiser::seats::unblock,
        organiser::cancellation::cancel, organiser::cancellation::progress,
        organiser::reservation::refund, organiser::reservation::history,
        organiser::events::events, organiser::webhook::create, organiser::webhook::list,
        organiser::webhook::delete, organiser::webhook::resend,
        organiser::actions::list, organiser::report::report, organiser::export::reservations,
        organiser::export::ledger, organiser::seating::put,
    ),
    components(schemas(ProblemSchema, Code)),
    tags(
        (name = "catalog", description = "Concerts, shows, seats: no token needed, unless a policy gates them."),
        (name = "queue", description = "The line."),
        (name = "reservations", description = "Seats held for a while, and tickets."),
        (name = "payments", description = "Payments and balances."),
        (name = "organiser", description = "For the roles `organiser`, `operator`, `viewer`; another organiser's concert is 404."),
        (name = "documentation", description = "This document, and pages for people."),
    ),
    modifiers(&Schemes, &Headers, &OptionalBodies),
)]
struct Document;

/// How callers prove who they are and where they stand.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |format: &str, description: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
            SecurityScheme::Http(scheme.description(Some(description)).build())
        };
        let header = ApiKeyValue::with_description("Queue-Token", "A place in line, of the same user.");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("identity", bearer("JWT", "Who calls; `sub` is the user id."));
        components.add_security_scheme("queueToken", SecurityScheme::ApiKey(ApiKey::Header(header)));
        components.add_security_scheme("queueBearer", bearer("queue token", "A place in line, alone."));
    }
}

/// Headers that `wrap`, `router` and the handlers set whatever the call is.
struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let is_ours = path.starts_with("/v1/");
            for (operation, is_post) in operations(item) {
                let has_key = operation
                    .parameters
                    .as_ref()
                    .is_some_and(|parameters| parameters.iter().any(|known| known.name == "Idempotency-Key"));
                for (status, response) in &mut operation.responses.responses {
                    let RefOr::T(response) = response else { continue };
                    add(response, "X-Request-Id", "Names this request in logs and problems.");
                    if !is_ours || !status.starts_with('2') {
                        continue;
                    }
                    add(response, "Onsale-Version", "What the answer reflects, where that is one log.");
                    if is_post {
                        add(response, "Durability", "How safe the effect is: `memory` or `disk`.");
                    }
                    if has_key {
                        add(response, "Idempotency-Replayed", "`true` on the first answer told again.");
                    }
                }
            }
        }
    }
}

/// A body that may be absent is no body `null`.
struct OptionalBodies;

impl Modify for OptionalBodies {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let items = document.paths.paths.values_mut();
        for body in items.flat_map(operations).filter_map(|(operation, _)| operation.request_body.as_mut()) {
            for content in body.content.values_mut() {
                let Some(RefOr::T(Schema::OneOf(either))) = &content.schema else { continue };
                let form = either.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
                content.schema = form;
                body.required = Some(Required::False);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&mut Operation, bool)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let others =
        [get, put, patch, delete].into_iter().filter_map(Option::as_mut).map(|operation| (operation, false));
    others.chain(post.as_mut().map(|operation| (operation, true)))
}

fn add(response: &mut Described, name: &str, description: &str) {
    response.headers.insert(name.to_owned(), text_header(description));
}

/// The document as it is served.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Document::openapi()).expect("the document is made of texts");
    references::shorten(&mut document);
    document.to_string().into()
});

/// Makes the document and the viewer's files, so that no request pays for it.
pub(super) fn prepare() {
    LazyLock::force(&DOCUMENT);
    viewer::prepare();
}

refusals!(DocumentRefusals: JSON);

/// `GET /openapi.json`
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getDocument", tag = "documentation", summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value), DocumentRefusals),
)]
pub(super) fn document() -> Response {
    let mut response = response::json_bytes(StatusCode::OK, DOCUMENT.clone());
    // Other pages may show it: it holds no secret.
    response.headers_mut().insert("access-control-allow-origin", HeaderValue::from_static("*"));
    response
}

refusals!(DocsRefusals:);

/// `GET /docs`
#[utoipa::path(
    get, path = "/docs", operation_id = "getDocs", tag = "documentation", summary = "The document, for people",
    responses((status = 200, description = "A page.", body = String, content_type = "text/html"), DocsRefusals),
)]
pub(super) fn docs(request: &Request) -> Response {
    file(request, &viewer::PAGE)
}

refusals!(DocsFileRefusals: PATH);

/// `GET /docs/{file}`
#[utoipa::path(
    get, path = "/docs/{file}", operation_id = "getDocsFile", tag = "documentation",
    summary = "A file of that page",
    params(("file" = inline(viewer::Name), Path, description = "Its name.")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/javascript"),
            (String = "text/css"),
        )),
        DocsFileRefusals,
    ),
)]
pub(super) fn docs_file(request: &Request) -> Result<Response, Problem> {
    let found = viewer::find(&request.id).ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(file(request, found))
}

fn file(request: &Request, file: &viewer::File) -> Response {
    let accepted = request.headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let gzip = accepted.is_some_and(negotiate::takes_gzip);
    let body = if gzip { file.gzip.clone() } else { file.plain() };
    let mut response = response::json_bytes(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // An upgrade brings other files under the same names.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert("content-security-policy", HeaderValue::from_static(viewer::POLICY));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
