//! A wallet partition as its log tells it: balances, and the ledger rows that follow from each movement of money.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::findings::{Check, Findings, Listing};
use super::log::{Model, Replay};
use super::request::Requests;
use super::top_up::{self, TopUps};
use super::{AuditError, Evidence};
use crate::archive::snapshot::{Snapshot, TableRow};
use crate::domain::event::{Entry, Event, Forgotten, Passed, Returned, TopUp, TopUpStep};
use crate::domain::ids::LogName;
use crate::domain::time::Millis;

/// A partition.
#[derive(Debug)]
pub(super) struct Wallet {
    partition: u8,
    balances: HashMap<String, (i64, Millis)>,
    requests: Requests,
    /// Whether ledger rows are made of what is applied: while the entries are those that MySQL has.
    archived: bool,
    transactions: BTreeMap<String, String>,
    pub(super) top_ups: TopUps,
    /// What the rows in MySQL add up to, by user.
    sums: HashMap<String, i64>,
    /// The names that users got, each with the entry that says so, in order. Rows before it get it later than the balance.
    renamed: HashMap<String, Vec<(u64, String)>>,
    /// Users who are about to get another name.
    leaving: HashSet<String>,
}

impl Model for Wallet {
    fn apply(&mut self, number: u64, entry: &Entry<'_>, evidence: &mut Evidence) {
        for (ordinal, event) in entry.events.iter().enumerate() {
            if let Event::Forgotten(forgotten) = event {
                self.forget(number, forgotten);
                continue;
            }
            if let Event::Leaving { user } = *event {
                self.balances.entry(user.to_owned()).or_insert((0, entry.at));
                self.leaving.insert(user.to_owned());
                continue;
            }
            let key = format!("{number}|{ordinal}");
            self.take(&key, entry.at, event, evidence);
        }
    }
}

impl Wallet {
    pub(super) fn new(partition: u8) -> Self {
        Self {
            partition,
            balances: HashMap::new(),
            requests: Requests::default(),
            archived: true,
            transactions: BTreeMap::new(),
            top_ups: TopUps::default(),
            sums: HashMap::new(),
            renamed: HashMap::new(),
            leaving: HashSet::new(),
        }
    }

    pub(super) fn partition(&self) -> u8 {
        self.partition
    }

    /// The record of a user in Redis (formats 1).
    pub(super) fn record(&self, user: &str) -> Option<String> {
        let leaving = if self.leaving.contains(user) { " leaving" } else { "" };
        self.balances.get(user).map(|(balance, updated)| format!("{balance} {}{leaving}", updated.0))
    }

    pub(super) fn users(&self) -> HashSet<String> {
        self.balances.keys().cloned().collect()
    }

    pub(super) fn total(&self) -> u64 {
        self.balances.len() as u64
    }

    fn take(&mut self, key: &str, at: Millis, event: &Event<'_>, evidence: &mut Evidence) {
        match *event {
            Event::Charged { charge, user, amount, balance, request, .. } => {
                self.requests.take(LogName::Wallet(self.partition), request, at, &mut evidence.findings);
                self.move_money(key, (user, amount, balance), at, &mut evidence.findings);
                self.expect_row(key, format!("{}|charged|{charge}|~|~|~|~|{user}|{amount}|{balance}", at.0));
            }
            Event::Spent { payment, user, reservation, amount, balance } => {
                evidence.pairs.take_spent(self.partition, event, &mut evidence.findings);
                self.move_money(key, (user, -amount, balance), at, &mut evidence.findings);
                let (concert, show, id) = (reservation.concert, reservation.show, reservation.id);
                let paid = format!("{}|paid|{payment}|{concert}|{show}|{id}|~", at.0);
                self.expect_row(key, format!("{paid}|{user}|{}|{balance}", -amount));
            }
            Event::Returned(back) => {
                evidence.pairs.take_returned(self.partition, &back, &mut evidence.findings);
                let Returned { refund, user, reservation, amount, balance } = back;
                self.move_money(key, (user, amount, balance), at, &mut evidence.findings);
                let (concert, show, id) = (reservation.concert, reservation.show, reservation.id);
                let refunded = format!("{}|refunded|{refund}|{concert}|{show}|{id}|~", at.0);
                self.expect_row(key, format!("{refunded}|{user}|{amount}|{balance}"));
            }
            Event::Passed(passed) => {
                evidence.pairs.take_passed(self.partition, &passed, &mut evidence.findings);
                let Passed { payment, user, reservation, amount, balance } = passed;
                self.keep_money(key, (user, balance), &mut evidence.findings);
                let (concert, show, id) = (reservation.concert, reservation.show, reservation.id);
                let card = format!("{}|card|{payment}|{concert}|{show}|{id}|{amount}", at.0);
                self.expect_row(key, format!("{card}|{user}|0|{balance}"));
            }
            Event::TopUp(top_up) => self.take_top_up(key, &top_up, at, evidence),
            Event::PassedBack(back) => {
                evidence.pairs.take_returned(self.partition, &back, &mut evidence.findings);
                let Returned { refund, user, reservation, amount, balance } = back;
                self.keep_money(key, (user, balance), &mut evidence.findings);
                let (concert, show, id) = (reservation.concert, reservation.show, reservation.id);
                let card = format!("{}|card_back|{refund}|{concert}|{show}|{id}|{}", at.0, -amount);
                self.expect_row(key, format!("{card}|{user}|0|{balance}"));
            }
            _ => {}
        }
    }

    fn take_top_up(&mut self, key: &str, top_up: &TopUp<'_>, at: Millis, evidence: &mut Evidence) {
        let log = LogName::Wallet(self.partition);
        let TopUp { charge, user, step } = *top_up;
        self.top_ups.take(&format!("{log}: event {key}"), at, top_up, &mut evidence.findings);
        match step {
            TopUpStep::Charging { request, .. } => {
                self.requests.take(log, request, at, &mut evidence.findings);
            }
            TopUpStep::Credited { amount, balance } => {
                self.move_money(key, (user, amount, balance), at, &mut evidence.findings);
                self.expect_row(key, format!("{}|credited|{charge}|~|~|~|~|{user}|{amount}|{balance}", at.0));
            }
            TopUpStep::Capturing | TopUpStep::Voiding(_) | TopUpStep::Voided { .. } => {}
        }
    }

    /// Money of a card passes by: the balance told must be the one before. A balance that nobody has moved yet is no balance:
    /// nothing is written.
    fn keep_money(&self, key: &str, (user, balance): (&str, i64), findings: &mut Findings) {
        let before = self.balances.get(user).map_or(0, |(balance, _)| *balance);
        let partition = self.partition;
        findings.expect(Check::Ledger, before == balance, || {
            format!("w{partition:02}: event {key}: {user:?} had {before}, and {balance} after a card's money")
        });
    }

    /// A user has another name; one that has it already keeps his balance apart.
    fn forget(&mut self, number: u64, &Forgotten { user, pseudonym }: &Forgotten<'_>) {
        if user == pseudonym {
            self.leaving.remove(user);
            return;
        }
        self.requests.forget(user);
        if self.balances.contains_key(pseudonym) {
            return;
        }
        self.top_ups.rename(user, pseudonym);
        if let Some(balance) = self.balances.remove(user) {
            self.leaving.remove(user);
            self.balances.insert(pseudonym.to_owned(), balance);
            if let Some(sum) = self.sums.remove(user) {
                *self.sums.entry(pseudonym.to_owned()).or_default() += sum;
            }
            self.renamed.entry(user.to_owned()).or_default().push((number, pseudonym.to_owned()));
        }
    }

    /// Whose row this is by the name that he has at the end.
    fn owner<'a>(&'a self, row: &TableRow, user: &'a str) -> &'a str {
        let number =
            row.key.split('|').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
        let names = self.renamed.get(user).map_or(&[][..], Vec::as_slice);
        names.iter().find(|(at, _)| number < *at).map_or(user, |(_, name)| name)
    }

    /// The balance told must be the one before with the change, and not negative.
    fn move_money(
        &mut self,
        key: &str,
        (user, change, balance): (&str, i64, i64),
        at: Millis,
        findings: &mut Findings,
    ) {
        let before = self.balances.insert(user.to_owned(), (balance, at)).map_or(0, |(before, _)| before);
        let chained = balance >= 0 && before.checked_add(change) == Some(balance);
        let partition = self.partition;
        findings.expect(Check::Ledger, chained, || {
            format!("w{partition:02}: event {key}: {user:?} had {before}, moved {change} and has {balance}")
        });
    }

    fn expect_row(&mut self, key: &str, transaction: String) {
        if self.archived {
            self.transactions.insert(key.to_owned(), transaction);
        }
    }

    /// Compares the ledger's rows of one page of entries with what these say.
    fn compare_rows(&mut self, rows: &[TableRow], findings: &mut Findings) {
        let told = std::mem::take(&mut self.transactions);
        let what = format!("ledger_transactions in MySQL of w{:02}", self.partition);
        let mut listing = Listing::new(Check::Ledger, what, told.keys().cloned().collect());
        for row in rows {
            listing.element(&row.key, &row.columns, told.get(&row.key).map(String::as_str), findings);
            self.sum_up(row);
        }
        listing.total(rows.len() as u64, told.len() as u64);
        listing.finish(|_| true, findings);
    }

    fn sum_up(&mut self, row: &TableRow) {
        // The user is followed by two numbers, and is the only one that may hold a bar.
        let mut from_end = row.columns.rsplitn(3, '|').skip(1);
        let amount: i64 = from_end.next().and_then(|amount| amount.parse().ok()).unwrap_or_default();
        if let Some(user) = from_end.next().and_then(|rest| rest.splitn(8, '|').nth(7)) {
            let owner = self.owner(row, user).to_owned();
            *self.sums.entry(owner).or_default() += amount;
        }
    }

    /// Ends the comparison with MySQL: every balance must be the sum of its movements.
    fn archived_end(&mut self, findings: &mut Findings) {
        self.archived = false;
        let sums = std::mem::take(&mut self.sums);
        let partition = self.partition;
        for (user, (balance, _)) in &self.balances {
            let sum = sums.get(user).copied().unwrap_or_default();
            findings.expect(Check::Ledger, sum == *balance, || {
                format!("w{partition:02}: the entries of {user:?} sum to {sum}, the balance was {balance}")
            });
        }
    }
}

/// Reads what MySQL has of a wallet's log, and compares the ledger with it.
pub(super) async fn read_archived(
    snapshot: &mut Snapshot,
    replay: &mut Replay<Wallet>,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let log = replay.log();
    while let Some(entries) = replay.archived_page(snapshot, evidence).await? {
        let transactions = snapshot.ledger_transactions(log, entries).await?;
        evidence.rows("ledger_transactions", log, transactions.len());
        replay.model.compare_rows(&transactions, &mut evidence.findings);
    }
    if replay.is_whole() {
        replay.model.archived_end(&mut evidence.findings);
        top_up::compare_rows(snapshot, replay, evidence).await?;
    }
    Ok(())
}
