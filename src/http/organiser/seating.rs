//! Seating plans over HTTP: our sections, or a plan of pretix with a price for each of its categories.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{caller, deadline, not_stored, opening, owned_show, seating_turn, trail, written};
use crate::archive;
use crate::domain::catalog::{Section, Show};
use crate::domain::ids::ShowId;
use crate::domain::seating::{PretixPlan, SeatNames};
use crate::http::body;
use crate::http::context::Context;
use crate::http::openapi::params::ShowPath;
use crate::http::openapi::refusals::refusals;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::live::ShowView;

/// Bytes of a body with a plan: a seat takes some 200 in pretix's form.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Of a plan's prices the trail names so many, and how many sections there are.
const PRICES_NOTED: usize = 50;

/// The seats of a show, in one of two forms.
#[derive(Deserialize, ToSchema)]
#[schema(as = SeatingPlan, example = json!({
    "sections": [{"name": "A", "rows": 2, "seatsPerRow": 10, "price": 50_000}],
}))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SeatingForm {
    sections: Option<Vec<Section>>,
    pretix: Option<PretixPlan>,
    /// Minor units for each category of the pretix plan that has seats.
    prices: Option<BTreeMap<String, i64>>,
    seat_names: Option<SeatNames>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SeatingChange)]
#[serde(rename_all = "camelCase")]
struct SeatingBody {
    show_id: ShowId,
    seats_total: u32,
    added: u32,
    changed: u32,
}

impl SeatingForm {
    /// The sections that it describes.
    fn sections(self) -> Result<Vec<Section>, Problem> {
        match (self.sections, self.pretix) {
            (Some(sections), None) if self.prices.is_none() && self.seat_names.is_none() => Ok(sections),
            (None, Some(plan)) => {
                let sections =
                    plan.sections(&self.prices.unwrap_or_default(), self.seat_names.unwrap_or_default());
                sections.map_err(|error| Problem::field("pretix", format!("{error}.")))
            }
            _ => Err(Problem::field(
                "sections",
                "Expected sections, or pretix with prices and perhaps seatNames.",
            )),
        }
    }
}

/// The sections of a form, which make a seat map.
fn planned(form: SeatingForm) -> Result<Vec<Section>, Problem> {
    let sections = form.sections()?;
    Show::layout(&sections).map_err(|error| Problem::field("sections", format!("{error}.")))?;
    Ok(sections)
}

refusals!(SeatingRefusals: JSON, ORGANISER, BODY, PATH, STORE; SeatUnavailable);

/// `PUT /v1/admin/shows/{showId}/seating-plan`: the same again changes nothing, but finishes what broke off.
#[utoipa::path(
    put, path = "/v1/admin/shows/{showId}/seating-plan", operation_id = "putSeatingPlan", tag = "organiser",
    summary = "Adds seats, moves them between sections, changes prices",
    params(ShowPath),
    request_body = SeatingForm,
    responses((status = 200, description = "What it changed.", body = SeatingBody), SeatingRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn put(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let _turn = seating_turn(deadline()).await?;
    let sections = body::read_large(ctx, request, BODY_BYTES_MAX, planned).await?;
    let (view, seats) = owned_show(ctx, request, &identity).await?;
    let show = seats.layout().show;

    let count: usize = sections.iter().map(Section::places).sum();
    let prices: BTreeMap<_, _> =
        sections.iter().take(PRICES_NOTED).map(|section| (&section.name, section.price)).collect();
    trail::note(request, json!({ "seats": count, "sections": sections.len(), "prices": prices }));
    opening::check_log(ctx, &view).await?;
    let seated = written(deadline(), ctx.archive.change_seating(view.id(), show, sections)).await?;
    let seated =
        seated.map_err(|error| refused(&seats, error))?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let opened = opening::show(ctx, &view, show, seated.version, deadline()).await;
    let says = "The plan is kept and not on sale yet: a worker puts it there, or the same call again.";
    opened.map_err(|problem| problem.behind(says))?;
    response::ok(&SeatingBody {
        show_id: show,
        seats_total: seated.seats_total,
        added: seated.added,
        changed: seated.changed,
    })
}

/// 409 with the seats that somebody has; if none of the dropped is taken, 400 all the same: a seat is never dropped.
fn refused(view: &ShowView, error: archive::Error) -> Problem {
    let dropped = match &error {
        archive::Error::SeatsDropped(dropped) => dropped,
        // Together with what the show has already.
        archive::Error::Layout(_) => return Problem::field("sections", format!("Refused: {error}.")),
        _ => return not_stored(error),
    };
    let indexes: Vec<u32> = dropped.iter().map(|(index, _)| *index).collect();
    let taken = view.taken_of(&indexes);
    if taken.is_empty() {
        return Problem::field("sections", format!("Refused: {error}."));
    }
    let labels = dropped.iter().filter(|(index, _)| taken.binary_search(index).is_ok());
    let labels: Vec<&str> = labels.map(|(_, label)| label.as_str()).collect();
    Problem::new(Code::SeatUnavailable)
        .detail("The plan lacks seats that are held or booked.")
        .with("seats", labels)
}
