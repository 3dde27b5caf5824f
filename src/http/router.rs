//! Every route of `api.md`, in one table, and who answers it.
//!
//! What the contract names but is not built yet stands here too: it answers 501 after its earlier checks.

use std::pin::Pin;
use std::sync::LazyLock;

use hyper::Method;
use hyper::header::ACCEPT;

use super::context::Context;
use super::openapi::refusals::refusals;
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use super::{catalog, durability, negotiate, openapi, organiser, payment, queue, reservation, seats, wallet};

/// Methods that routes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// HEAD is GET whose body hyper leaves out.
    fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            Method::PATCH => Some(Self::Patch),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            other => other.as_str(),
        }
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Welcome,
    Document,
    Docs,
    DocsFile,
    TicketKeys,
    Concerts,
    Concert,
    ConcertShows,
    Shows,
    Seats,
    SeatsStream,
    Ranking,
    Join,
    Leave,
    QueueStatus,
    QueueStream,
    StreamTicket,
    Hold,
    Reservations,
    Reservation,
    Release,
    Pay,
    Payment,
    GatewayWebhook,
    Balance,
    Charge,
    TopUp,
    Ledger,
    CreateConcert,
    UpdateConcert,
    CreateShow,
    PauseQueue,
    ResumeQueue,
    Sale,
    BlockSeats,
    UnblockSeats,
    CancelShow,
    Cancellation,
    Refund,
    History,
    Events,
    CreateWebhook,
    Webhooks,
    DeleteWebhook,
    ResendWebhook,
    Actions,
    Report,
    ReservationsSheet,
    LedgerSheet,
    SeatingPlan,
}

impl Endpoint {
    /// Whether it changes several things one after the other: once begun it is finished, though its client hangs up.
    pub(super) fn has_steps(self) -> bool {
        matches!(
            self,
            E::CreateConcert
                | E::UpdateConcert
                | E::CreateShow
                | E::SeatingPlan
                | E::PauseQueue
                | E::ResumeQueue
                | E::BlockSeats
                | E::UnblockSeats
                | E::CancelShow
                | E::Refund
                | E::CreateWebhook
                | E::DeleteWebhook
                | E::ResendWebhook
        )
    }

    /// Whether a success has a body of `application/json`.
    fn answers_json(self) -> bool {
        !matches!(
            self,
            E::Welcome
                | E::Docs
                | E::DocsFile
                | E::SeatsStream
                | E::QueueStream
                | E::Leave
                | E::Release
                | E::DeleteWebhook
                | E::ReservationsSheet
                | E::LedgerSheet
                | E::GatewayWebhook
        )
    }
}

use Endpoint as E;
use Verb::{Delete, Get, Patch, Post, Put};

pub(super) type Row = (&'static str, &'static [(Verb, Endpoint)]);

/// One path, its methods.
pub(super) const ROUTES: &[Row] = &[
    ("/", &[(Get, E::Welcome)]),
    ("/openapi.json", &[(Get, E::Document)]),
    ("/docs", &[(Get, E::Docs)]),
    ("/docs/{id}", &[(Get, E::DocsFile)]),
    ("/v1/keys", &[(Get, E::TicketKeys)]),
    ("/v1/concerts", &[(Get, E::Concerts)]),
    ("/v1/concerts/{id}", &[(Get, E::Concert)]),
    ("/v1/concerts/{id}/shows", &[(Get, E::ConcertShows)]),
    ("/v1/shows", &[(Get, E::Shows)]),
    ("/v1/shows/{id}/seats", &[(Get, E::Seats)]),
    ("/v1/shows/{id}/seats/stream", &[(Get, E::SeatsStream)]),
    ("/v1/rankings/concerts", &[(Get, E::Ranking)]),
    ("/v1/queue/tokens", &[(Post, E::Join), (Delete, E::Leave)]),
    ("/v1/queue/status", &[(Get, E::QueueStatus)]),
    ("/v1/queue/stream", &[(Get, E::QueueStream)]),
    ("/v1/stream-tickets", &[(Post, E::StreamTicket)]),
    ("/v1/reservations", &[(Get, E::Reservations), (Post, E::Hold)]),
    ("/v1/reservations/{id}", &[(Get, E::Reservation), (Delete, E::Release)]),
    ("/v1/payments", &[(Post, E::Pay)]),
    ("/v1/payments/{id}", &[(Get, E::Payment)]),
    ("/v1/gateway/webhooks/{id}", &[(Post, E::GatewayWebhook)]),
    ("/v1/users/{id}/balance", &[(Get, E::Balance), (Post, E::Charge)]),
    ("/v1/users/{id}/charges/{charge}", &[(Get, E::TopUp)]),
    ("/v1/users/{id}/ledger", &[(Get, E::Ledger)]),
    ("/v1/admin/concerts", &[(Post, E::CreateConcert)]),
    ("/v1/admin/concerts/{id}", &[(Patch, E::UpdateConcert)]),
    ("/v1/admin/concerts/{id}/shows", &[(Post, E::CreateShow)]),
    ("/v1/admin/concerts/{id}/queue/pause", &[(Post, E::PauseQueue)]),
    ("/v1/admin/concerts/{id}/queue/resume", &[(Post, E::ResumeQueue)]),
    ("/v1/admin/concerts/{id}/live", &[(Get, E::Sale)]),
    ("/v1/admin/concerts/{id}/report", &[(Get, E::Report)]),
    ("/v1/admin/concerts/{id}/reservations.csv", &[(Get, E::ReservationsSheet)]),
    ("/v1/admin/concerts/{id}/ledger.csv", &[(Get, E::LedgerSheet)]),
    ("/v1/admin/shows/{id}/seats/block", &[(Post, E::BlockSeats)]),
    ("/v1/admin/shows/{id}/seats/unblock", &[(Post, E::UnblockSeats)]),
    ("/v1/admin/shows/{id}/seating-plan", &[(Put, E::SeatingPlan)]),
    ("/v1/admin/shows/{id}/cancel", &[(Post, E::CancelShow)]),
    ("/v1/admin/shows/{id}/cancellation", &[(Get, E::Cancellation)]),
    ("/v1/admin/reservations/{id}/refund", &[(Post, E::Refund)]),
    ("/v1/admin/reservations/{id}/history", &[(Get, E::History)]),
    ("/v1/admin/events", &[(Get, E::Events)]),
    ("/v1/admin/webhooks", &[(Get, E::Webhooks), (Post, E::CreateWebhook)]),
    ("/v1/admin/webhooks/{id}", &[(Delete, E::DeleteWebhook)]),
    ("/v1/admin/webhooks/{id}/resend", &[(Post, E::ResendWebhook)]),
    ("/v1/admin/actions", &[(Get, E::Actions)]),
];

static ROUTER: LazyLock<matchit::Router<&'static Row>> = LazyLock::new(|| {
    let mut router = matchit::Router::new();
    for row in ROUTES {
        router.insert(row.0, row).expect("no two routes overlap: a test builds the table");
    }
    router
});

/// A route that fits method and path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'p> {
    pub(crate) verb: Verb,
    pub(crate) endpoint: Endpoint,
    pub(crate) route: &'static str,
    /// What stands for `{id}`; empty where there is none.
    pub(crate) id: &'p str,
    /// What stands for the second placeholder; empty where there is none.
    pub(crate) second_id: &'p str,
}

/// The route of a request: else 404, or 405 with the methods that the path has.
pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Result<Found<'p>, Problem> {
    let found = ROUTER.at(path).map_err(|_| Problem::new(Code::NotFound))?;
    let (route, methods) = **found.value;
    let wanted = Verb::of(method);
    let fitting = methods.iter().find(|(verb, _)| Some(*verb) == wanted);
    let Some(&(verb, endpoint)) = fitting else {
        let allowed: Vec<_> = methods.iter().map(|(verb, _)| verb.allowed()).collect();
        return Err(Problem::method_not_allowed(allowed.join(", ")));
    };
    let id = found.params.get("id").unwrap_or_default();
    let second_id = found.params.get("charge").unwrap_or_default();
    Ok(Found { verb, endpoint, route, id, second_id })
}

/// Hands a request to the one who answers it.
pub(crate) async fn dispatch(ctx: &Context, mut request: Request) -> Result<Response, Problem> {
    check_acceptable(&request)?;
    let answering: Answering<'_> = if organiser::trail::is_kept(&request) {
        Box::pin(organiser::trail::kept(ctx, &mut request))
    } else {
        answer(ctx, &mut request)
    };
    let mut response = answering.await?;
    if request.verb == Post {
        durability::mark(&mut response, ctx.settings.durability);
    }
    Ok(response)
}

/// Before anything happens: what a client can't read must not have been bought.
fn check_acceptable(request: &Request) -> Result<(), Problem> {
    if !request.headers.contains_key(ACCEPT) {
        return Ok(());
    }
    let values: Option<Vec<_>> =
        request.headers.get_all(ACCEPT).iter().map(|value| value.to_str().ok()).collect();
    let taken = values.is_none_or(|values| negotiate::takes_json(&values.join(",")));
    if taken || !request.endpoint.answers_json() {
        return Ok(());
    }
    Err(Problem::new(Code::NotAcceptable))
}

type Answering<'r> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'r>>;

/// Each handler in a box of its own size: one future for all of them would be as large as the largest, and a poll would
/// carry, and move, what an organiser's call needs.
pub(super) fn answer<'r>(ctx: &'r Context, r: &'r mut Request) -> Answering<'r> {
    match r.endpoint {
        E::Welcome => now(Ok(welcome())),
        E::Document => now(Ok(openapi::document())),
        E::Docs => now(Ok(openapi::docs(r))),
        E::DocsFile => now(openapi::docs_file(r)),
        E::TicketKeys => now(reservation::ticket_keys(ctx)),
        E::Concerts => Box::pin(catalog::concerts(ctx, r)),
        E::Concert => Box::pin(catalog::concert(ctx, r)),
        E::ConcertShows => Box::pin(catalog::concert_shows(ctx, r)),
        E::Shows => Box::pin(catalog::shows(ctx, r)),
        E::Seats => Box::pin(seats::seats(ctx, r)),
        E::SeatsStream => Box::pin(seats::stream(ctx, r)),
        E::Ranking => Box::pin(catalog::ranking(ctx, r)),
        E::Join => Box::pin(queue::join(ctx, r)),
        E::Leave => Box::pin(queue::leave(ctx, r)),
        E::QueueStatus => Box::pin(queue::status(ctx, r)),
        E::QueueStream => Box::pin(queue::stream(ctx, r)),
        E::StreamTicket => now(queue::stream_ticket(ctx, r)),
        E::Hold => Box::pin(reservation::hold(ctx, r)),
        E::Reservations => Box::pin(reservation::list(ctx, r)),
        E::Reservation => Box::pin(reservation::get(ctx, r)),
        E::Release => Box::pin(reservation::release(ctx, r)),
        E::Pay => Box::pin(payment::pay(ctx, r)),
        E::Payment => Box::pin(payment::get(ctx, r)),
        E::GatewayWebhook => Box::pin(payment::webhook::told(ctx, r)),
        E::Balance => Box::pin(wallet::balance(ctx, r)),
        E::Charge => Box::pin(wallet::charge(ctx, r)),
        E::TopUp => Box::pin(wallet::top_up::get(ctx, r)),
        E::Ledger => Box::pin(wallet::ledger(ctx, r)),
        E::CreateConcert => Box::pin(organiser::catalog::create_concert(ctx, r)),
        E::UpdateConcert => Box::pin(organiser::catalog::update_concert(ctx, r)),
        E::CreateShow => Box::pin(organiser::catalog::create_show(ctx, r)),
        E::PauseQueue => Box::pin(organiser::queue::pause(ctx, r)),
        E::ResumeQueue => Box::pin(organiser::queue::resume(ctx, r)),
        E::Sale => Box::pin(organiser::queue::sale(ctx, r)),
        E::BlockSeats => Box::pin(organiser::seats::block(ctx, r)),
        E::UnblockSeats => Box::pin(organiser::seats::unblock(ctx, r)),
        E::CancelShow => Box::pin(organiser::cancellation::cancel(ctx, r)),
        E::Cancellation => Box::pin(organiser::cancellation::progress(ctx, r)),
        E::Refund => Box::pin(organiser::reservation::refund(ctx, r)),
        E::History => Box::pin(organiser::reservation::history(ctx, r)),
        E::Events => Box::pin(organiser::events::events(ctx, r)),
        E::CreateWebhook => Box::pin(organiser::webhook::create(ctx, r)),
        E::Webhooks => Box::pin(organiser::webhook::list(ctx, r)),
        E::DeleteWebhook => Box::pin(organiser::webhook::delete(ctx, r)),
        E::ResendWebhook => Box::pin(organiser::webhook::resend(ctx, r)),
        E::Actions => Box::pin(organiser::actions::list(ctx, r)),
        E::SeatingPlan => Box::pin(organiser::seating::put(ctx, r)),
        E::Report => Box::pin(organiser::report::report(ctx, r)),
        E::ReservationsSheet => Box::pin(organiser::export::reservations(ctx, r)),
        E::LedgerSheet => Box::pin(organiser::export::ledger(ctx, r)),
    }
}

fn now<'r>(answer: Result<Response, Problem>) -> Answering<'r> {
    Box::pin(std::future::ready(answer))
}

refusals!(WelcomeRefusals:);

/// What a person who opens the address reads: the part of the README that buys a seat by hand.
#[utoipa::path(
    get, path = "/", operation_id = "getWelcome", tag = "documentation", summary = "How to buy a seat by hand",
    responses((status = 200, description = "A text.", body = String), WelcomeRefusals),
)]
pub(super) fn welcome() -> Response {
    let readme = include_str!("../../README.md");
    let part = readme.split_once("## Buy a seat").and_then(|(_, rest)| rest.split("## ").next());
    response::text(part.unwrap_or(readme).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_own_path() {
        for (route, methods) in ROUTES {
            for (verb, endpoint) in *methods {
                let path = route.replace("{id}", "%EA%B0%80");
                let method = verb.as_str().parse().unwrap();
                let found = find(&method, &path).unwrap();
                assert_eq!((found.route, found.endpoint), (*route, *endpoint));
            }
        }
    }

    #[test]
    fn what_has_no_route_is_404_and_a_wrong_method_405() {
        for path in ["/v1", "/v1/concerts/", "/v1/concerts//shows", "/v2/concerts", "//", ""] {
            assert_eq!(find(&Method::GET, path).unwrap_err().code, Code::NotFound, "{path}");
        }
        let problem = find(&Method::PUT, "/v1/reservations/1").unwrap_err();
        assert_eq!(problem.code, Code::MethodNotAllowed);
        let response = problem.into_response(&super::super::request::RequestId::new(0));
        assert_eq!(response.headers()["allow"], "GET, HEAD, DELETE");
        assert_eq!(find(&Method::HEAD, "/v1/shows").unwrap().endpoint, Endpoint::Shows);
    }
}
