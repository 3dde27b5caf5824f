//! The sales report of a concert: what each show has sold, by section and by day.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::queue::lag;
use super::{caller, owned_by_path};
use crate::archive::{MoneyOfDay, Sales};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::time::Millis;
use crate::http::context::Context;
use crate::http::history;
use crate::http::openapi::params::ConcertPath;
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
    params(ConcertPath),
    responses((status = 200, description = "So far.", body = ReportBody), ReportRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn report(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let view = owned_by_path(ctx, request, &identity)?;
    let at = Context::now();
    let log_lag_entries = lag(ctx, request, &view).await;
    let sales = history::read(request, ctx.archive.sales(view.id(), at)).await?;
    let shows = view.shows();
    let sections = sections(&shows, &sales);
    let report =
        |(show, sections): (&Arc<ShowView>, Vec<SectionReport>)| of_show(show, sections, &sales.money);
    response::ok(&ReportBody {
        concert_id: view.id(),
        title: view.concert().title.clone(),
        at,
        log_lag_entries,
        shows: shows.iter().zip(sections).map(report).collect(),
    })
}

/// The sections of each show, in the order of both.
fn sections(shows: &[Arc<ShowView>], sales: &Sales) -> Vec<Vec<SectionReport>> {
    let layouts: Vec<_> = shows.iter().map(|show| show.layout()).collect();
    let place: BTreeMap<ShowId, usize> = layouts.iter().enumerate().map(|(i, show)| (show.show, i)).collect();
    let named = |name: &String| SectionReport { section: name.clone(), ..SectionReport::default() };
    let mut reports: Vec<Vec<_>> =
        layouts.iter().map(|show| show.sections.iter().map(named).collect()).collect();
    for (show, report) in layouts.iter().zip(&mut reports) {
        for seat in &show.seats {
            report[usize::from(seat.section)].seats_total += 1;
        }
    }
    for taken in &sales.taken {
        // A seat that is newer than this server's catalog has no section yet: the next report has it.
        let Some(&show) = place.get(&taken.show) else { continue };
        let Some(seat) = layouts[show].seats.get(taken.seat as usize) else { continue };
        let section = &mut reports[show][usize::from(seat.section)];
        if taken.booked {
            section.booked += 1;
            section.revenue += taken.price;
        } else {
            section.held += 1;
        }
    }
    reports
}

fn of_show(show: &ShowView, sections: Vec<SectionReport>, money: &[MoneyOfDay]) -> ShowReport {
    let layout = show.layout();
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
