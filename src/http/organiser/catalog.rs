//! Creating and changing concerts and shows.

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::policy::{self, PolicyForm};
use super::{caller, deadline, opening, org, owned_by_path, seating_turn, stored, trail};
use crate::archive::{ConcertUpdate, NewConcert};
use crate::domain::catalog::{Section, Show};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::policy::{Policy, PolicyState};
use crate::domain::time::Millis;
use crate::domain::wallet::is_currency;
use crate::http::body::{self, Field};
use crate::http::catalog::{ConcertBody, concert_response};
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::openapi::params::{ConcertPath, Durable};
use crate::http::openapi::refusals::refusals;
use crate::http::openapi::schemas;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::live::ConcertView;

/// Bytes of a title, an artist or a venue: what their columns hold.
const NAME_BYTES_MAX: usize = 200;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"title": "T", "artist": "A", "venue": "V", "policy": {"maxActive": 50}}))]
struct NewConcertForm {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[schema(min_length = 1, max_length = 200)]
    artist: String,
    #[schema(min_length = 1, max_length = 200)]
    venue: String,
    opens_at: Option<Millis>,
    closes_at: Option<Millis>,
    policy: Option<PolicyForm>,
}

/// What is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConcertForm {
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    artist: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    venue: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Millis>)]
    opens_at: Field<Millis>,
    #[serde(default)]
    #[schema(value_type = Option<Millis>)]
    closes_at: Field<Millis>,
    policy: Option<PolicyForm>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "startsAt": "2030-01-01T19:30:00Z", "currency": "KRW",
    "sections": [{"name": "A", "rows": 2, "seatsPerRow": 10, "price": 50_000}],
}))]
struct ShowForm {
    starts_at: Millis,
    #[schema(schema_with = schemas::currency)]
    currency: String,
    #[schema(min_items = 1)]
    sections: Vec<Section>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShowBody {
    show_id: ShowId,
    concert_id: ConcertId,
    starts_at: Millis,
    currency: String,
    seats_total: u64,
}

refusals!(CreateConcertRefusals: JSON, ORGANISER, DURABILITY, BODY, STORE, NOT_BUILT);

/// `POST /v1/admin/concerts`
#[utoipa::path(
    post, path = "/v1/admin/concerts", operation_id = "createConcert", tag = "organiser",
    summary = "Makes a concert, which works once it is answered",
    params(Durable),
    request_body = NewConcertForm,
    responses(
        (status = 201, description = "The concert.", body = ConcertBody,
            headers(("Location" = String, description = "The concert."))),
        CreateConcertRefusals,
    ),
    security(("identity" = [])),
)]
pub(crate) async fn create_concert(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let org = org(&identity)?.to_owned();
    let form: NewConcertForm = body::read(ctx, request).await?;
    check_names([
        ("title", Some(&form.title)),
        ("artist", Some(&form.artist)),
        ("venue", Some(&form.venue)),
    ])?;
    let state = PolicyState {
        policy: form.policy.unwrap_or_default().apply(&Policy::default())?,
        opens_at: form.opens_at,
        closes_at: form.closes_at,
        ..PolicyState::default()
    };
    policy::check_times(&state)?;

    let new = NewConcert { org, title: form.title, artist: form.artist, venue: form.venue, policy: state };
    let mut described =
        json!({ "title": new.title, "artist": new.artist, "venue": new.venue, "policy": new.policy });
    trail::note(request, described.clone());
    opening::check_store(ctx).await?;
    let concert = stored(deadline(), ctx.archive.create_concert(&new)).await?;
    described["concertId"] = json!(concert);
    trail::note(request, described);
    let opened = opening::concert(ctx, concert, &new.policy, deadline()).await;
    let says =
        || format!("Concert {concert} is made and not open yet; a worker opens it. Don't make another.");
    let view = opened.map_err(|problem| problem.behind(says()))?;
    let mut response = concert_response(&view, StatusCode::CREATED)?;
    response::set(&mut response, LOCATION, format!("/v1/concerts/{concert}"));
    Ok(response)
}

refusals!(UpdateConcertRefusals: JSON, ORGANISER, BODY, PATH, STORE, NOT_BUILT);

/// `PATCH /v1/admin/concerts/{concertId}`
#[utoipa::path(
    patch, path = "/v1/admin/concerts/{concertId}", operation_id = "updateConcert", tag = "organiser",
    summary = "Changes what is given of a concert and its policy",
    params(ConcertPath),
    request_body = ConcertForm,
    responses((status = 200, description = "The concert.", body = ConcertBody), UpdateConcertRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn update_concert(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let form: ConcertForm = body::read(ctx, request).await?;
    check_names([
        ("title", form.title.as_ref()),
        ("artist", form.artist.as_ref()),
        ("venue", form.venue.as_ref()),
    ])?;
    let view = owned_by_path(ctx, request, &identity).await?;
    let deadline = deadline();
    let mut details = json!({ "title": form.title, "artist": form.artist, "venue": form.venue });
    trail::note(request, details.clone());

    let steers = form.opens_at.is_given() || form.closes_at.is_given() || form.policy.is_some();
    if steers {
        let apply = |stands: &PolicyState| changed_state(&form, stands);
        policy::change(ctx, &view, deadline, apply).await?;
        details["policy"] = json!(*view.policy());
        trail::note(request, details);
    }
    if form.title.is_some() || form.artist.is_some() || form.venue.is_some() {
        let update = ConcertUpdate { title: form.title, artist: form.artist, venue: form.venue };
        let described = describe(ctx, &view, &update, deadline).await;
        let says = "The policy is changed, and perhaps the rest; the same again changes it.";
        described.map_err(|problem| if steers { problem.behind(says) } else { problem })?;
    }
    concert_response(&view, StatusCode::OK)
}

/// Changes what a concert is called, which MySQL alone decides; in a stopped concert nothing.
async fn describe(
    ctx: &Context,
    view: &ConcertView,
    update: &ConcertUpdate,
    deadline: Instant,
) -> Result<(), Problem> {
    opening::check_log(ctx, view).await?;
    let catalog = stored(deadline, ctx.archive.update_concert(view.id(), update)).await?;
    let catalog = catalog.ok_or_else(|| Problem::new(Code::NotFound))?;
    let shown = opening::changed(ctx, view, catalog, deadline).await;
    shown.map_err(|problem| {
        problem.behind("It is changed, and not shown yet; the same again changes nothing.")
    })
}

refusals!(CreateShowRefusals: JSON, ORGANISER, DURABILITY, BODY, PATH, STORE);

/// `POST /v1/admin/concerts/{concertId}/shows`
#[utoipa::path(
    post, path = "/v1/admin/concerts/{concertId}/shows", operation_id = "createShow", tag = "organiser",
    summary = "Makes a show with its seats",
    params(ConcertPath, Durable),
    request_body = ShowForm,
    responses(
        (status = 201, description = "The show.", body = ShowBody,
            headers(("Location" = String, description = "Its seats."))),
        CreateShowRefusals,
    ),
    security(("identity" = [])),
)]
pub(crate) async fn create_show(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let _turn = seating_turn(deadline()).await?;
    let form = body::read_large(ctx, request, ctx.settings.max_body_bytes, planned).await?;
    let view = owned_by_path(ctx, request, &identity).await?;

    let concert = view.concert().concert;
    let seats: usize = form.sections.iter().map(Section::places).sum();
    let mut described = json!({ "startsAt": form.starts_at, "currency": form.currency, "seats": seats });
    trail::note(request, described.clone());
    opening::check_log(ctx, &view).await?;
    let created = ctx.archive.create_show(concert, form.starts_at, &form.currency, form.sections);
    let created = stored(deadline(), created).await?;
    let (show, catalog) = created.ok_or_else(|| Problem::new(Code::NotFound))?;
    described["showId"] = json!(show);
    trail::note(request, described);
    let opened = opening::show(ctx, &view, show, catalog, deadline()).await;
    let says =
        || format!("Show {show} is made and not on sale yet; a worker puts it there. Don't make another.");
    opened.map_err(|problem| problem.behind(says()))?;
    let body = ShowBody {
        show_id: show,
        concert_id: concert,
        starts_at: form.starts_at,
        currency: form.currency,
        seats_total: seats as u64,
    };
    let mut response = response::json(StatusCode::CREATED, &body)?;
    response::set(&mut response, LOCATION, format!("/v1/shows/{show}/seats"));
    freshness::mark(&mut response, view.log_id(), view.number());
    Ok(response)
}

/// A form whose sections make a seat map.
fn planned(form: ShowForm) -> Result<ShowForm, Problem> {
    if !is_currency(&form.currency) {
        return Err(Problem::field("currency", "Expected an ISO 4217 code such as KRW."));
    }
    let layout = Show::layout(&form.sections);
    layout.map_err(|error| Problem::field("sections", format!("{error}.")))?;
    Ok(form)
}

fn changed_state(form: &ConcertForm, stands: &PolicyState) -> Result<PolicyState, Problem> {
    let policy = match &form.policy {
        Some(policy) => policy.apply(&stands.policy)?,
        None => stands.policy.clone(),
    };
    Ok(PolicyState {
        policy,
        opens_at: form.opens_at.over(stands.opens_at),
        closes_at: form.closes_at.over(stands.closes_at),
        ..stands.clone()
    })
}

fn check_names(names: [(&'static str, Option<&String>); 3]) -> Result<(), Problem> {
    let wrong = |name: &String| {
        name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control)
    };
    let found = names.into_iter().find(|(_, name)| name.is_some_and(wrong));
    found.map_or(Ok(()), |(field, _)| {
        Err(Problem::field(field, "Expected 1 to 200 bytes without control characters."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_changed_or_taken_away() {
        let stands = PolicyState {
            opens_at: Some(Millis(1)),
            closes_at: Some(Millis(2)),
            paused: true,
            ..PolicyState::default()
        };
        let form: ConcertForm =
            serde_json::from_str(r#"{"opensAt": null, "policy": {"maxActive": 1}}"#).unwrap();
        let state = changed_state(&form, &stands).unwrap();
        assert_eq!((state.opens_at, state.closes_at), (None, Some(Millis(2))));
        assert!(state.paused && state.policy.max_active == 1);
    }

    #[test]
    fn names_are_checked() {
        let long = "x".repeat(201);
        let good = "가나다".to_owned();
        assert!(check_names([("title", Some(&good)), ("artist", None), ("venue", None)]).is_ok());
        for bad in [" ", "a\nb", &long] {
            let bad = bad.to_owned();
            assert!(check_names([("title", Some(&good)), ("artist", Some(&bad)), ("venue", None)]).is_err());
        }
    }
}
