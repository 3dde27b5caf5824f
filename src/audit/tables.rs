//! The tables of MySQL against the logs that wrote them, both at the offsets of one consistent snapshot.

use super::concert::{Concert, Table};
use super::findings::{Check, Listing};
use super::log::Replay;
use super::{AuditError, Evidence};
use crate::archive::snapshot::{Snapshot, TableRow};
use crate::domain::ids::{ConcertId, LogName};

/// Compares all rows that a concert's log has written.
pub(super) async fn compare_concert(
    snapshot: &mut Snapshot,
    replay: &Replay<Concert>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let concert = replay.model.sale.concert;
    let mut tables = vec![Table::Reservations, Table::Payments, Table::Cards, Table::CardRefunds];
    let shows = replay.model.sale.shows.keys();
    tables.extend(shows.flat_map(|show| [Table::BookedSeats(*show), Table::BlockedSeats(*show)]));
    for table in tables {
        compare_table(snapshot, concert, table, &replay.model, evidence).await?;
    }
    compare_places(snapshot, concert, &replay.model, evidence).await
}

async fn compare_table(
    snapshot: &mut Snapshot,
    concert: ConcertId,
    table: Table,
    model: &Concert,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let (check, name, owner) = match table {
        Table::Reservations => (Check::Seats, "reservations", format!("c{concert}")),
        Table::Payments => (Check::Payments, "payments", format!("c{concert}")),
        Table::Cards => (Check::Payments, "card_payments", format!("c{concert}")),
        Table::CardRefunds => (Check::Payments, "card_refunds", format!("c{concert}")),
        Table::BookedSeats(show) => (Check::Seats, "booked_seats", format!("s{show}")),
        Table::BlockedSeats(show) => (Check::Seats, "blocked_seats", format!("s{show}")),
    };
    let keys = model.rows(table);
    let expected = keys.len() as u64;
    let mut listing = Listing::new(check, format!("{name} in MySQL of {owner}"), keys);
    let (mut after, mut found) = (None::<String>, 0);
    loop {
        let rows = next_rows(snapshot, concert, table, after.as_deref()).await?;
        let Some(last) = rows.last() else {
            break;
        };
        for row in &rows {
            let wanted = model.row(table, &row.key);
            listing.element(&row.key, &row.columns, wanted.as_deref(), &mut evidence.findings);
        }
        found += rows.len() as u64;
        evidence.rows(name, &owner, rows.len());
        after = Some(last.key.clone());
    }
    listing.total(found, expected);
    listing.finish(|_| true, &mut evidence.findings);
    Ok(())
}

async fn next_rows(
    snapshot: &mut Snapshot,
    concert: ConcertId,
    table: Table,
    after: Option<&str>,
) -> Result<Vec<TableRow>, AuditError> {
    let rows = match table {
        Table::Reservations => snapshot.reservations(concert, after.unwrap_or_default()).await,
        Table::Payments => snapshot.payments(concert, after.unwrap_or_default()).await,
        Table::Cards => snapshot.cards(concert, after.unwrap_or_default()).await,
        Table::CardRefunds => snapshot.card_refunds(concert, after.unwrap_or_default()).await,
        Table::BookedSeats(show) => {
            let after = after.and_then(|seat| seat.parse().ok()).unwrap_or(-1);
            snapshot.booked_seats(show, after).await
        }
        Table::BlockedSeats(show) => {
            let after = after.and_then(|seat| seat.parse().ok()).unwrap_or(-1);
            snapshot.blocked_seats(show, after).await
        }
    };
    Ok(rows?)
}

/// Places that have ended are counted only: the log's model has forgotten them.
async fn compare_places(
    snapshot: &mut Snapshot,
    concert: ConcertId,
    model: &Concert,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let (mut after, mut found) = (0, 0);
    let what = format!("queue_tokens in MySQL of c{concert}");
    let mut listing = Listing::new(Check::Line, what, model.line.rows());
    loop {
        let rows = snapshot.places(concert, after).await?;
        let Some(last) = rows.last() else {
            break;
        };
        for row in &rows {
            let living = model.line.row(&row.key);
            if living.is_some() || !row.columns.ends_with("|1") {
                listing.element(&row.key, &row.columns, living.as_deref(), &mut evidence.findings);
            }
        }
        found += rows.len() as u64;
        evidence.rows("queue_tokens", format!("c{concert}"), rows.len());
        after = last.key.parse().unwrap_or(u64::MAX);
    }
    listing.total(found, model.line.head().0);
    listing.finish(|_| true, &mut evidence.findings);
    Ok(())
}

/// Looks for rows that belong to no log: whatever was not met on the way through all of them.
pub(super) async fn compare_totals(
    snapshot: &mut Snapshot,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    for total in snapshot.totals().await? {
        let (table, owner) = total.key.split_once('|').unwrap_or_default();
        let check = match table {
            "reservations" | "booked_seats" | "blocked_seats" => Check::Seats,
            "payments" | "card_payments" | "card_refunds" | "top_ups" => Check::Payments,
            "queue_tokens" => Check::Line,
            "events" => Check::Continuity,
            _ => Check::Ledger,
        };
        let unread = match owner.parse::<LogName>() {
            Ok(log) => evidence.unproven.contains(&log),
            // Which log's show it is nobody knows while a concert's log can't be read.
            Err(_) => evidence.unproven.iter().any(|log| matches!(log, LogName::Concert(_))),
        };
        let met = evidence.met(&total.key);
        if !unread && met.to_string() != total.columns {
            let text = format!("{table} in MySQL of {owner}: {} rows, {met} by the log", total.columns);
            evidence.findings.violated(check, text);
        }
    }
    Ok(())
}
