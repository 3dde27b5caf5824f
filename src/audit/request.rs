//! Request ids: the same one has one effect as long as its first answer is kept.

use std::collections::HashMap;
use std::sync::Arc;

use super::findings::{Check, Findings};
use crate::domain::forgetting::named_in;
use crate::domain::ids::LogName;
use crate::domain::time::Millis;

/// How long Redis keeps a request at least, ms.
const KEEP_MS: i64 = 24 * 3600 * 1000;

/// The requests of one log, of between one and two days.
#[derive(Debug, Default)]
pub(super) struct Requests {
    since: Millis,
    today: Day,
    yesterday: Day,
}

/// Those of about a day.
#[derive(Debug, Default)]
struct Day {
    made: HashMap<Arc<str>, Millis>,
    /// By whom they are, and whose balance they charge.
    of: HashMap<Box<str>, Vec<Arc<str>>>,
}

impl Day {
    /// Answers when the same was made before.
    fn insert(&mut self, request: &str, at: Millis) -> Option<Millis> {
        if let Some(made) = self.made.get_mut(request) {
            return Some(std::mem::replace(made, at));
        }
        let request: Arc<str> = request.into();
        for user in named_in(&request).into_iter().flatten() {
            match self.of.get_mut(user) {
                Some(his) => his.push(Arc::clone(&request)),
                None => drop(self.of.insert(user.into(), vec![Arc::clone(&request)])),
            }
        }
        self.made.insert(request, at)
    }

    fn forget(&mut self, user: &str) {
        for request in self.of.remove(user).unwrap_or_default() {
            self.made.remove(&request);
        }
    }
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
        let before = self.today.insert(request, at).or_else(|| self.yesterday.made.get(request).copied());
        let again = before.is_some_and(|before| at.0 < before.0 + KEEP_MS);
        findings.expect(Check::Requests, !again, || {
            format!("{log}: request {request:?} has had an effect twice")
        });
    }

    /// A user has another name: whoever has his id from now on is somebody else, whose requests are others.
    pub(super) fn forget(&mut self, user: &str) {
        self.today.forget(user);
        self.yesterday.forget(user);
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

    #[test]
    fn a_request_of_whoever_has_another_name_is_another() {
        let log = LogName::Wallet(0);
        for (request, user, ok) in [
            ("1:apay:k", "a", true),
            ("4:bosscharge:1:ak", "a", true),
            ("4:bosscharge:1:ak", "boss", true),
            ("4:bosspay:1:ak", "a", false),
            ("1:apay:k", "b", false),
        ] {
            let (mut findings, mut requests) = (Findings::default(), Requests::default());
            requests.take(log, request, Millis(0), &mut findings);
            requests.forget(user);
            requests.take(log, request, Millis(1), &mut findings);
            assert_eq!(findings.report(Vec::new()).ok, ok, "{request} of {user}");
        }
    }
}
