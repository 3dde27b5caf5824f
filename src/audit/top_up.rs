//! Charges through the gateway as a wallet's log tells them: each begins once, is decided once, and brings its money once or never.

use std::collections::{HashMap, HashSet};

use super::by_user::ByUser;
use super::findings::{Check, Findings, Listing};
use super::log::{Replay, Sources, call_deadline};
use super::wallet::Wallet;
use super::{AuditError, Evidence};
use crate::archive::snapshot::Snapshot;
use crate::domain::event::{TopUp, TopUpStep};
use crate::domain::ids::Id20;
use crate::domain::time::Millis;
use crate::domain::top_up::GivenUp;

/// A top-up.
#[derive(Clone, Debug)]
struct Made {
    user: String,
    /// The user as its first event names him: the row in MySQL changes together with that.
    told: String,
    amount: i64,
    currency: String,
    end: i64,
    state: &'static str,
    reason: Option<GivenUp>,
    balance: Option<i64>,
    since: i64,
}

/// All top-ups of a wallet partition.
#[derive(Debug, Default)]
pub(super) struct TopUps {
    made: HashMap<Id20, Made>,
    open: HashSet<Id20>,
    of: ByUser,
}

impl TopUps {
    /// Takes a step in; `place` tells where it stands.
    pub(super) fn take(&mut self, place: &str, at: Millis, top_up: &TopUp<'_>, findings: &mut Findings) {
        let TopUp { charge, user, step } = *top_up;
        if let TopUpStep::Charging { amount, currency, end, .. } = step {
            let made = Made {
                user: user.to_owned(),
                told: user.to_owned(),
                amount,
                currency: currency.to_owned(),
                end: end.0,
                state: "authorising",
                reason: None,
                balance: None,
                since: at.0,
            };
            self.open.insert(charge);
            self.of.add(user, charge);
            let before = self.made.insert(charge, made);
            findings.expect(Check::Payments, before.is_none(), || {
                format!("{place}: top-up {charge} begins twice")
            });
            return;
        }
        let made = self.made.get_mut(&charge).filter(|made| made.user == user && fits(made, &step));
        findings.expect(Check::Payments, made.is_some(), || {
            format!("{place}: top-up {charge} was not where {step:?} follows")
        });
        let Some(made) = made else { return };
        made.since = at.0;
        match step {
            TopUpStep::Charging { .. } => {}
            TopUpStep::Capturing => made.state = "capture",
            TopUpStep::Voiding(reason) => made.state = reason.as_str(),
            TopUpStep::Credited { balance, .. } => {
                (made.state, made.balance) = ("credited", Some(balance));
                self.open.remove(&charge);
            }
            TopUpStep::Voided { reason, .. } => {
                (made.state, made.reason) = ("voided", Some(reason));
                self.open.remove(&charge);
            }
        }
    }

    /// A user has another name from here on.
    pub(super) fn rename(&mut self, user: &str, pseudonym: &str) {
        for charge in self.of.rename(user, pseudonym) {
            if let Some(made) = self.made.get_mut(&charge).filter(|made| made.user == user) {
                pseudonym.clone_into(&mut made.user);
            }
        }
    }

    /// The record in Redis (formats 8); `None` once it is at its end.
    fn record(&self, charge: &str) -> Option<String> {
        let id: Id20 = charge.parse().ok()?;
        let Made { user, amount, currency, end, state, since, .. } =
            self.made.get(&id).filter(|_| self.open.contains(&id))?;
        Some(format!("{state} {amount} {currency} {end} {since} {user}"))
    }

    /// The columns of the row in MySQL, as `archive::snapshot` reads them.
    fn row(&self, charge: &str) -> Option<String> {
        let made = self.made.get(&charge.parse().ok()?)?;
        let Made { told, amount, currency, state, reason, balance, since, .. } = made;
        let reason = reason.map_or("~", GivenUp::as_str);
        let balance = balance.map_or_else(|| "~".to_owned(), |balance| balance.to_string());
        Some(format!("{told}|{amount}|{currency}|{state}|{reason}|{balance}|{since}"))
    }
}

/// Whether a step may follow: what was decided once stays so, and money that was taken is always credited.
fn fits(made: &Made, step: &TopUpStep<'_>) -> bool {
    let state = made.state;
    match *step {
        TopUpStep::Charging { .. } => false,
        TopUpStep::Capturing => state == "authorising",
        TopUpStep::Voiding(reason) => state == "authorising" && reason != GivenUp::Refused,
        TopUpStep::Credited { amount, .. } => {
            amount == made.amount && ["authorising", "capture", "declined", "expired"].contains(&state)
        }
        TopUpStep::Voided { amount, reason } => {
            let follows = match reason {
                GivenUp::Declined => state == "authorising" || state == "declined",
                GivenUp::Expired => state == "expired",
                GivenUp::Refused => state == "capture",
            };
            amount == made.amount && follows
        }
    }
}

/// Compares the rows in MySQL with what the log says up to there.
pub(super) async fn compare_rows(
    snapshot: &mut Snapshot,
    replay: &Replay<Wallet>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let (log, top_ups) = (replay.log(), &replay.model.top_ups);
    let keys = top_ups.made.keys().map(ToString::to_string).collect();
    let mut listing = Listing::new(Check::Payments, format!("top_ups in MySQL of {log}"), keys);
    let (mut after, mut found) = (String::new(), 0);
    loop {
        let rows = snapshot.top_ups(log, &after).await?;
        let Some(last) = rows.last() else {
            break;
        };
        for row in &rows {
            let wanted = top_ups.row(&row.key);
            listing.element(&row.key, &row.columns, wanted.as_deref(), &mut evidence.findings);
        }
        found += rows.len() as u64;
        evidence.rows("top_ups", log, rows.len());
        after.clone_from(&last.key);
    }
    listing.total(found, top_ups.made.len() as u64);
    listing.finish(|_| true, &mut evidence.findings);
    Ok(())
}

/// Compares what is open in Redis with the log, at the entry that each page names.
pub(super) async fn compare_open(
    sources: &Sources<'_>,
    replay: &mut Replay<Wallet>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let what = format!("top_ups in Redis of {}", replay.log());
    let open = replay.model.top_ups.open.iter().map(ToString::to_string).collect();
    let mut listing = Listing::new(Check::Payments, what, open);
    let mut next = Some(0);
    while let (Some(cursor), true) = (next, replay.is_whole()) {
        let page = sources.store.scan_top_ups(replay.model.partition(), cursor, call_deadline()).await;
        let Some(page) = replay.page(page, evidence)? else {
            return Ok(());
        };
        if !replay.advance(sources, page.at, evidence).await? {
            return Ok(());
        }
        let top_ups = &replay.model.top_ups;
        listing.total(page.total, top_ups.open.len() as u64);
        for (charge, record) in &page.items {
            let told = top_ups.record(charge);
            listing.element(charge, record, told.as_deref(), &mut evidence.findings);
        }
        next = page.next;
    }
    listing.finish(|charge| replay.model.top_ups.record(charge).is_some(), &mut evidence.findings);
    Ok(())
}
