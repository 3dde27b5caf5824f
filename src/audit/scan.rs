//! Redis against the logs, beside running traffic: each page names its entry, and the model is brought to exactly that.

use super::concert::Concert;
use super::earlier::remembers_less;
use super::findings::{Check, Listing};
use super::log::{Replay, Sources, call_deadline};
use super::wallet::Wallet;
use super::{AuditError, Evidence};
use crate::domain::ids::{Offset, ShowId};
use crate::store::scan::Index;
use crate::store::snapshot::Head;

/// Compares every key of a concert.
pub(super) async fn compare_concert(
    sources: &Sources<'_>,
    replay: &mut Replay<Concert>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    compare_head(sources, replay, evidence).await?;
    let mut indexes = vec![
        Index::Line,
        Index::Active,
        Index::Unclaimed,
        Index::Place,
        Index::Reservations,
        Index::Ended,
        Index::Expiry,
        Index::Pending,
        Index::Cards,
    ];
    let shows: Vec<_> = replay.model.sale.shows.keys().copied().collect();
    indexes.extend(shows.iter().flat_map(|show| [Index::Holder(*show), Index::Owned(*show)]));
    for index in indexes {
        compare_index(sources, replay, index, evidence).await?;
    }
    for show in shows {
        compare_seats(sources, replay, show, evidence).await?;
    }
    Ok(())
}

async fn compare_head(
    sources: &Sources<'_>,
    replay: &mut Replay<Concert>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    if !replay.is_whole() {
        return Ok(());
    }
    let head = sources.store.snapshot_head(replay.model.sale.concert, call_deadline()).await;
    let Some(head) = replay.page(head, evidence)? else {
        return Ok(());
    };
    if !replay.advance(sources, head.offset, evidence).await? {
        return Ok(());
    }
    compare_meta(&replay.model, &head, evidence);
    Ok(())
}

/// What stands in `meta` and `policy`.
fn compare_meta(model: &Concert, head: &Head, evidence: &mut Evidence) {
    let (sale, line) = (&model.sale, model.line.head());
    let mut versions = head.show_versions.clone();
    versions.sort_unstable();
    let told: Vec<_> = sale.shows.iter().map(|(show, state)| (*show, state.version)).collect();
    let told_shows = told.iter().map(|(show, version)| format!("v:{show} {version}"));
    let found_shows = versions.iter().map(|(show, version)| format!("v:{show} {version}"));
    let joined = |parts: Vec<String>| parts.join(", ");
    let mut fields = vec![
        (Check::Seats, "revenue", head.revenue.to_string(), sale.revenue.to_string()),
        (Check::Seats, "sellable", head.sellable.to_string(), sale.sellable().to_string()),
        (Check::Seats, "shows", head.shows.to_string(), sale.shows.len().to_string()),
        (Check::Seats, "catalog", head.catalog.to_string(), sale.catalog.to_string()),
        (Check::Seats, "versions", joined(found_shows.collect()), joined(told_shows.collect())),
    ];
    let mut found_cancelled = head.cancelled.clone();
    found_cancelled.sort_unstable();
    let told_cancelled: Vec<_> =
        sale.cancelled.iter().map(|(show, reason)| (*show, reason.clone())).collect();
    let listed = |shows: &[(ShowId, String)]| format!("{shows:?}");
    fields.push((Check::Seats, "cancelled", listed(&found_cancelled), listed(&told_cancelled)));
    fields.push((Check::Line, "seq", head.seq.to_string(), line.0.to_string()));
    fields.push((Check::Line, "policy version", head.policy_version.to_string(), line.1.to_string()));
    fields.push((Check::Line, "policy", head.policy_json.clone(), line.2.to_owned()));
    for (check, name, found, told) in fields {
        evidence.findings.expect(check, found == told, || {
            format!("c{}: {name} in Redis is {found:?}, by the log {told:?}", sale.concert)
        });
    }
}

async fn compare_index(
    sources: &Sources<'_>,
    replay: &mut Replay<Concert>,
    index: Index,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let concert = replay.model.sale.concert;
    let check = match index {
        Index::Line | Index::Active | Index::Unclaimed | Index::Place => Check::Line,
        _ => Check::Seats,
    };
    let of = index.show().map_or_else(String::new, |show| format!(" of show {show}"));
    let what = format!("{} in Redis{of} of c{concert}", index.name());
    let mut listing = Listing::new(check, what, replay.model.fields(index));
    let mut next = Some(0);
    while let (Some(cursor), true) = (next, replay.is_whole()) {
        let page = sources.store.scan(concert, index, cursor, call_deadline()).await;
        let Some(page) = replay.page(page, evidence)? else {
            return Ok(());
        };
        if !replay.advance(sources, page.at, evidence).await? {
            return Ok(());
        }
        listing.total(page.total, replay.model.total(index, page.total, page.now));
        for (field, value) in &page.items {
            let told = replay.model.value(index, field);
            let earlier =
                |told: &&str| index == Index::Reservations && told != value && remembers_less(told, value);
            let told = told.as_deref().map(|told| if earlier(&told) { value.as_str() } else { told });
            listing.element(field, value, told, &mut evidence.findings);
        }
        next = page.next;
    }
    listing.finish(|field| replay.model.value(index, field).is_some(), &mut evidence.findings);
    Ok(())
}

async fn compare_seats(
    sources: &Sources<'_>,
    replay: &mut Replay<Concert>,
    show: ShowId,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let concert = replay.model.sale.concert;
    let mut next = Some(0);
    while let (Some(first), true) = (next, replay.is_whole()) {
        let page = sources.store.scan_seats(concert, show, first, call_deadline()).await;
        let Some(page) = replay.page(page, evidence)? else {
            return Ok(());
        };
        if !replay.advance(sources, page.at, evidence).await? {
            return Ok(());
        }
        let (sale, findings) = (&replay.model.sale, &mut evidence.findings);
        let state = &sale.shows[&show];
        findings.expect(Check::Seats, page.total == u64::from(state.seats), || {
            format!("seats in Redis of show {show}: {}, by the log {}", page.total, state.seats)
        });
        for (seat, found) in (first..).zip(&page.bytes) {
            let told = u32::try_from(seat).map_or(b'0', |seat| sale.byte(state, seat));
            findings.expect(Check::Seats, *found == told, || {
                let (found, told) = (char::from(*found), char::from(told));
                format!("seats in Redis of show {show}: seat {seat} is {found:?}, by the log {told:?}")
            });
        }
        next = page.next;
    }
    Ok(())
}

/// Compares all balances of a wallet partition.
pub(super) async fn compare_wallet(
    sources: &Sources<'_>,
    replay: &mut Replay<Wallet>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let what = format!("balances in Redis of {}", replay.log());
    let mut listing = Listing::new(Check::Ledger, what, replay.model.users());
    let mut next = Some(0);
    while let (Some(cursor), true) = (next, replay.is_whole()) {
        let page = sources.store.scan_balances(replay.model.partition(), cursor, call_deadline()).await;
        let Some(page) = replay.page(page, evidence)? else {
            return Ok(());
        };
        if !replay.advance(sources, page.at, evidence).await? {
            return Ok(());
        }
        listing.total(page.total, replay.model.total());
        for (user, record) in &page.items {
            let told = replay.model.record(user);
            listing.element(user, record, told.as_deref(), &mut evidence.findings);
        }
        next = page.next;
    }
    listing.finish(|user| replay.model.record(user).is_some(), &mut evidence.findings);
    Ok(())
}

/// Reads on to where a wallet's log ends now, for payments that concerts have told meanwhile.
pub(super) async fn catch_up(
    sources: &Sources<'_>,
    replay: &mut Replay<Wallet>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    if !replay.is_whole() {
        return Ok(());
    }
    let last: Offset = sources.tail.bounds(replay.log()).await?.last;
    replay.advance(sources, last, evidence).await?;
    Ok(())
}
