//! The sales report of a concert: what each show has sold, by section and by day.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::queue::lag;
use super::{caller, deadline, owned_by_path};
use crate::archive::{MoneyOfDay, TakenSeat};
use crate::domain::catalog::Show;
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::time::Millis;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::history;
use crate::http::openapi::params::{ConcertPath, Version};
use crate::http::openapi::refusals::refusals;
use crate::http::problem::Problem;
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::live::ShowView;

#[derive(Serialize, ToSchema)]
#[schema(as = Report)]
#[serde(rename_all = "camelCase")]
struct ReportBody {
    concert_id: ConcertId,
    title: String,
    at: Millis,
    /// Entries of the sale that the report does not know yet; null when that can't be said.
    #[schema(required = true)]
    log_lag_entries: Option<u64>,
    shows: Vec<ShowReport>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShowReport {
    show_id: ShowId,
    starts_at: Millis,
    currency: String,
    seats_total: u64,
    booked: u64,
    held: u64,
    blocked: u64,
    revenue: Revenue,
    sections: Vec<SectionReport>,
    days: Vec<DayReport>,
}

/// Minor units. `net` is what is left: confirmed less refunded.
#[derive(Default, Serialize, ToSchema)]
struct Revenue {
    confirmed: i64,
    refunded: i64,
    net: i64,
}

#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SectionReport {
    section: String,
    seats_total: u64,
    booked: u64,
    held: u64,
    /// What was paid for the seats that are booked, minor units.
    revenue: i64,
}

#[derive(Serialize, ToSchema)]
struct DayReport {
    /// Of UTC: `2026-05-29`.
    day: String,
    payments: u64,
    refunds: u64,
    #[serde(flatten)]
    revenue: Revenue,
}

refusals!(ReportRefusals: JSON, ORGANISER, PATH, FRESH);

/// `GET /v1/admin/concerts/{concertId}/report`: as fresh as the archive, but for `blocked`, which the log knows.
#[utoipa::path(
    get, path = "/v1/admin/concerts/{concertId}/report", operation_id = "getReport", tag = "organiser",
    summary = "What each show has sold, by section and by day",
    params(ConcertPath, Version),
    responses((status = 200, description = "So far.", body = ReportBody), ReportRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn report(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let view = owned_by_path(ctx, request, &identity).await?;
    freshness::catch_up(ctx, request).await?;
    let at = Context::now();
    let log_lag_entries = lag(ctx, request, &view).await;
    let mut sold = Sold::none(&view.shows());
    let sales = ctx.archive.sales(view.id(), at, |seat| sold.take(seat));
    let money = history::read_until(deadline(), sales).await?;
    response::ok(&ReportBody {
        concert_id: view.id(),
        title: view.concert().title.clone(),
        at,
        log_lag_entries,
        shows: sold
            .shows
            .into_iter()
            .map(|(show, layout, sections)| of_show(&show, &layout, sections, &money))
            .collect(),
    })
}

/// What is taken of each section of each show.
struct Sold {
    shows: Vec<(Arc<ShowView>, Arc<Show>, Vec<SectionReport>)>,
    place: BTreeMap<ShowId, usize>,
}

impl Sold {
    /// Nothing of these shows.
    fn none(shows: &[Arc<ShowView>]) -> Self {
        let none = |show: &Arc<ShowView>| {
            let layout = show.layout();
            let named = |name: &String| SectionReport { section: name.clone(), ..SectionReport::default() };
            let mut sections: Vec<_> = layout.sections.iter().map(named).collect();
            for seat in &layout.seats {
                sections[usize::from(seat.section)].seats_total += 1;
            }
            (Arc::clone(show), layout, sections)
        };
        let shows: Vec<_> = shows.iter().map(none).collect();
        let place = shows.iter().enumerate().map(|(place, (_, layout, _))| (layout.show, place)).collect();
        Self { shows, place }
    }

    /// And this one.
    fn take(&mut self, taken: TakenSeat) {
        // A seat that is newer than this server's catalog has no section yet: the next report has it.
        let Some((_, layout, sections)) = self.place.get(&taken.show).map(|place| &mut self.shows[*place])
        else {
            return;
        };
        let Some(seat) = layout.seats.get(taken.seat as usize) else { return };
        let section = &mut sections[usize::from(seat.section)];
        if taken.booked {
            section.booked += 1;
            section.revenue += taken.price;
        } else {
            section.held += 1;
        }
    }
}

fn of_show(show: &ShowView, layout: &Show, sections: Vec<SectionReport>, money: &[MoneyOfDay]) -> ShowReport {
    let days: Vec<_> = money.iter().filter(|day| day.show == layout.show).map(of_day).collect();
    let sum = |of: fn(&SectionReport) -> u64| sections.iter().map(of).sum::<u64>();
    let confirmed = days.iter().map(|day| day.revenue.confirmed).sum();
    let refunded = days.iter().map(|day| day.revenue.refunded).sum();
    ShowReport {
        show_id: layout.show,
        starts_at: layout.starts_at,
        currency: layout.currency.clone(),
        seats_total: layout.seats.len() as u64,
        booked: sum(|section| section.booked),
        held: sum(|section| section.held),
        blocked: show.counts().blocked,
        revenue: Revenue::of(confirmed, refunded),
        sections,
        days,
    }
}

fn of_day(money: &MoneyOfDay) -> DayReport {
    let mut day = money.day.to_rfc3339();
    day.truncate("2026-05-29".len());
    DayReport {
        day,
        payments: money.payments,
        refunds: money.refunds,
        revenue: Revenue::of(money.paid, money.refunded),
    }
}

impl Revenue {
    fn of(confirmed: i64, refunded: i64) -> Self {
        Self { confirmed, refunded, net: confirmed - refunded }
    }
}
