//! Blocking and unblocking seats: known to the contract, not built yet.

use serde::Deserialize;

use super::{caller, owned};
use crate::domain::ids::ShowId;
use crate::http::body;
use crate::http::context::Context;
use crate::http::idempotency;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::Response;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeatsForm {
    seats: Vec<String>,
}

/// `POST /v1/admin/shows/{showId}/seats/block` and `/unblock`
pub(crate) async fn block(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    idempotency::key(request)?;
    let form: SeatsForm = body::read(ctx, request).await?;
    if form.seats.is_empty() {
        return Err(Problem::field("seats", "Expected at least one seat."));
    }
    let not_found = || Problem::new(Code::NotFound);
    let (view, show) = ctx.live.show(ShowId(request.path_id()?)).ok_or_else(not_found)?;
    owned(ctx, view.concert().concert, &identity)?;
    let layout = show.layout();
    if let Some(label) = form.seats.iter().find(|label| !layout.by_label.contains_key(*label)) {
        return Err(Problem::field("seats", format!("The show has no seat {label:?}.")));
    }
    Err(Problem::new(Code::NotImplemented).detail("Blocking seats is not built yet."))
}
