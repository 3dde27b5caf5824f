//! Request ids: the same one has one effect as long as its first answer is kept.

use std::collections::HashMap;

use super::findings::{Check, Findings};
use crate::domain::fields::prefixed;
use crate::domain::ids::LogName;
use crate::domain::time::Millis;

/// How long Redis keeps a request at least, ms.
const KEEP_MS: i64 = 24 * 3600 * 1000;

/// The requests of one log, of between one and two days.
#[derive(Debug, Default)]
pub(super) struct Requests {
    since: Millis,
    today: HashMap<Box<str>, Millis>,
    yesterday: HashMap<Box<str>, Millis>,
}

impl Requests {
    /// Takes the request of an effect in; one without a key is empty.
    pub(super) fn take(&mut self, log: LogName, request: &str, at: Millis, findings: &mut Findings) {
        if request.is_empty() {
            return;
        }
        if at.0 >= self.since.0 + KEEP_MS {
            self.since = at;
            self.yesterday = std::mem::take(&mut self.today);
        }
        let before = self.today.insert(request.into(), at).or_else(|| self.yesterday.get(request).copied());
        let again = before.is_some_and(|before| at.0 < before.0 + KEEP_MS);
        findings.expect(Check::Requests, !again, || {
            format!("{log}: request {request:?} has had an effect twice")
        });
    }

    /// A user has another name: whoever has his id from now on is somebody else, whose requests are others.
    pub(super) fn forget(&mut self, user: &str) {
        let named = prefixed(user);
        self.today.retain(|request, _| !request.contains(&named));
        self.yesterday.retain(|request, _| !request.contains(&named));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_again_after_a_day() {
        let (mut findings, mut requests) = (Findings::default(), Requests::default());
        for (at, ok) in [(0, true), (KEEP_MS, true), (KEEP_MS + 1, false), (2 * KEEP_MS + 1, true)] {
            let mut here = Findings::default();
            requests.take(LogName::Wallet(0), "1:apay:k", Millis(at), &mut here);
            assert_eq!(here.report(Vec::new()).ok, ok, "at {at}");
        }
        requests.take(LogName::Wallet(0), "", Millis(5), &mut findings);
        assert!(findings.report(Vec::new()).ok);
    }
}
