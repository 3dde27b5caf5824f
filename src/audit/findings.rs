//! What the audit finds: a count and a few violations for each check, and the report made of them.
//!
//! A violation is text for an operator: what is where, and what should be there. The first ten of a check are kept: what is
//! broken once is often broken everywhere, and the report stays readable and its memory bounded.

use std::collections::HashSet;

use serde::Serialize;

use crate::domain::ids::LogName;

/// Violations of one check that are kept.
const VIOLATIONS_MAX: usize = 10;

/// Elements that are missing somewhere and named in one violation.
const NAMED_MAX: usize = 5;

/// One invariant, as the report names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// A seat is booked by at most one reservation; seat maps, reservations and their indexes agree everywhere.
    Seats,
    /// No reservation is paid at or after its end.
    PaidInTime,
    /// Every ledger transaction sums to zero; balances follow from them and are never negative.
    Ledger,
    /// Every payment stands once in its concert's log, once in its user's wallet and once in MySQL.
    Payments,
    /// Admission follows the line and `maxActive`; the places in Redis and MySQL are those that the log tells.
    Line,
    /// The same request id has one effect.
    Requests,
    /// Each log is whole from its first entry in MySQL to its last in Redis.
    Continuity,
}

impl Check {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 7] = [
        Self::Seats,
        Self::PaidInTime,
        Self::Ledger,
        Self::Payments,
        Self::Line,
        Self::Requests,
        Self::Continuity,
    ];

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seats => "seats",
            Self::PaidInTime => "paid_in_time",
            Self::Ledger => "ledger",
            Self::Payments => "payments",
            Self::Line => "line",
            Self::Requests => "requests",
            Self::Continuity => "continuity",
        }
    }
}

/// What one check came to.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// See [`Check::name`].
    pub name: &'static str,
    /// Whether nothing violates it.
    pub ok: bool,
    /// How many things were looked at.
    pub checked: u64,
    /// The first ten.
    pub violations: Vec<String>,
}

/// How far a log was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// The log.
    pub log: LogName,
    /// The last entry that MySQL had.
    pub archived: u64,
    /// The last entry read, in Redis.
    pub end: u64,
}

impl Serialize for LogReport {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serde::Serializer::serialize_struct(serializer, "LogReport", 3)?;
        serde::ser::SerializeStruct::serialize_field(&mut fields, "log", &self.log.to_string())?;
        serde::ser::SerializeStruct::serialize_field(&mut fields, "archived", &self.archived)?;
        serde::ser::SerializeStruct::serialize_field(&mut fields, "end", &self.end)?;
        serde::ser::SerializeStruct::end(fields)
    }
}

/// The outcome of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether all checks are.
    pub ok: bool,
    /// One for each [`Check`].
    pub checks: Vec<CheckReport>,
    /// All logs, by name.
    pub logs: Vec<LogReport>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    checks: [(u64, Vec<String>); 7],
}

impl Findings {
    fn check(&mut self, check: Check) -> &mut (u64, Vec<String>) {
        &mut self.checks[check as usize]
    }

    /// Takes note that so many things were looked at.
    pub(super) fn checked(&mut self, check: Check, count: u64) {
        self.check(check).0 += count;
    }

    pub(super) fn violated(&mut self, check: Check, text: impl Into<String>) {
        let violations = &mut self.check(check).1;
        if violations.len() < VIOLATIONS_MAX {
            violations.push(text.into());
        }
    }

    /// Looks at one thing.
    pub(super) fn expect(&mut self, check: Check, holds: bool, violation: impl FnOnce() -> String) {
        self.checked(check, 1);
        if !holds {
            self.violated(check, violation());
        }
    }

    pub(super) fn report(self, logs: Vec<LogReport>) -> Report {
        let checks: Vec<_> = Check::ALL
            .into_iter()
            .zip(self.checks)
            .map(|(check, (checked, violations))| CheckReport {
                name: check.name(),
                ok: violations.is_empty(),
                checked,
                violations,
            })
            .collect();
        Report { ok: checks.iter().all(|check| check.ok), checks, logs }
    }
}

/// Elements of a table or key, compared one by one with what the log says they are.
///
/// That none is missing follows from their number alone, since elements come and go while pages are read; which ones are
/// missing is told only then.
#[derive(Debug)]
pub(super) struct Listing {
    check: Check,
    what: String,
    unseen: HashSet<String>,
    wrong_total: Option<(u64, u64)>,
}

impl Listing {
    /// A listing of `what`, of which the log says that it holds `keys`.
    pub(super) fn new(check: Check, what: impl Into<String>, keys: HashSet<String>) -> Self {
        Self { check, what: what.into(), unseen: keys, wrong_total: None }
    }

    /// Looks at an element; `expected` by the log.
    pub(super) fn element(
        &mut self,
        key: &str,
        found: &str,
        expected: Option<&str>,
        findings: &mut Findings,
    ) {
        self.unseen.remove(key);
        let what = &self.what;
        findings.expect(self.check, expected == Some(found), || match expected {
            Some(expected) => format!("{what}: {key} is {found:?}, by the log {expected:?}"),
            None => format!("{what}: {key} is {found:?}, by the log there is none"),
        });
    }

    /// Takes note of the number of elements, all at one entry of the log.
    pub(super) fn total(&mut self, found: u64, expected: u64) {
        if found != expected {
            self.wrong_total.get_or_insert((found, expected));
        }
    }

    /// Ends it. `exists` tells whether a key is there by the log now.
    pub(super) fn finish(self, exists: impl Fn(&str) -> bool, findings: &mut Findings) {
        let Some((found, expected)) = self.wrong_total else {
            return;
        };
        let mut missing: Vec<_> = self.unseen.into_iter().filter(|key| exists(key)).collect();
        missing.sort_unstable();
        missing.truncate(NAMED_MAX);
        let named =
            if missing.is_empty() { String::new() } else { format!("; missing {}", missing.join(", ")) };
        let text = format!("{}: {found} there, by the log {expected}{named}", self.what);
        findings.violated(self.check, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_every_check_and_keeps_ten_violations() {
        let mut findings = Findings::default();
        for n in 0..20 {
            findings.expect(Check::Line, false, || format!("{n}"));
        }
        let log = LogReport { log: LogName::Wallet(3), archived: 4, end: 6 };
        let json = serde_json::to_value(findings.report(vec![log])).unwrap();
        assert_eq!(json["ok"], false);
        assert_eq!(json["checks"][0]["name"], "seats");
        assert_eq!(json["checks"][0]["ok"], true);
        assert_eq!(json["checks"][4]["violations"].as_array().unwrap().len(), 10);
        assert_eq!(json["logs"][0], serde_json::json!({"log": "w03", "archived": 4, "end": 6}));
    }

    #[test]
    fn what_is_missing_is_named_once_the_numbers_differ() {
        let mut findings = Findings::default();
        let keys = || ["a".to_owned(), "b".to_owned()].into();
        let mut moved = Listing::new(Check::Seats, "holder", keys());
        moved.element("a", "1", Some("1"), &mut findings);
        moved.total(1, 1);
        moved.finish(|_| true, &mut findings);
        assert!(findings.checks[0].1.is_empty());
        let mut short = Listing::new(Check::Seats, "holder", keys());
        short.element("a", "1", Some("1"), &mut findings);
        short.total(1, 2);
        short.finish(|_| true, &mut findings);
        assert_eq!(findings.checks[0].1, ["holder: 1 there, by the log 2; missing b"]);
    }
}
