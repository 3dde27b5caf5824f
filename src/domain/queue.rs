//! Rules of the line: how long a wait may be and when to ask again.

use super::policy::Policy;

/// Seconds until somebody at `position` is admitted, or `None` when nobody can know.
///
/// `observed` is the admission rate of the last seconds, places a second. It counts within what the policy makes of it: at
/// least places become free when they lapse, `maxActive` of them every `activeSeconds`; at most `admitPerSecond`.
/// A burst into an empty room, or a second without anybody, says nothing of the hour to come. Into a room without places
/// nobody comes, whoever came a moment ago.
pub fn estimated_wait_seconds(position: u64, policy: &Policy, observed: f64) -> Option<u64> {
    if policy.max_active == 0 {
        return None;
    }
    let turnover = f64::from(policy.max_active) / f64::from(policy.active_seconds);
    let rate = observed.max(turnover).min(policy.admit_per_second);
    if rate <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a line is shorter than 2^52")]
    let seconds = (position as f64 / rate).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the clamp")]
    Some(seconds.clamp(0.0, 604_800.0) as u64)
}

/// Seconds until the next poll: 1 to a third of `claimSeconds` (30 where places need no claim), longer for a longer wait.
pub fn poll_after_seconds(estimated_wait: Option<u64>, policy: &Policy) -> u64 {
    let most = if policy.claim_seconds == 0 { 30 } else { u64::from(policy.claim_seconds / 3) };
    (estimated_wait.unwrap_or(u64::MAX) / 10).clamp(1, most.clamp(1, 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_follows_the_rate_seen_and_else_the_policy() {
        let policy = Policy { max_active: 60, active_seconds: 600, ..Policy::default() };
        assert_eq!(estimated_wait_seconds(100, &policy, 10.0), Some(10));
        assert_eq!(estimated_wait_seconds(1, &policy, 0.0), Some(10));
        assert_eq!(estimated_wait_seconds(1, &policy, 0.01), Some(10));
        let slow = Policy { admit_per_second: 0.5, ..policy.clone() };
        assert_eq!(estimated_wait_seconds(100, &slow, 10.0), Some(200));
        let stopped = Policy { admit_per_second: 0.0, ..policy.clone() };
        let roomless = Policy { max_active: 0, ..policy };
        for observed in [0.0, 0.3] {
            assert_eq!(estimated_wait_seconds(1, &stopped, observed), None);
            assert_eq!(estimated_wait_seconds(1, &roomless, observed), None);
        }
    }

    #[test]
    fn polls_come_often_enough_to_claim() {
        let policy = Policy { claim_seconds: 3, ..Policy::default() };
        assert_eq!(poll_after_seconds(Some(10_000), &policy), 1);
        assert_eq!(poll_after_seconds(None, &Policy::default()), 20);
        assert_eq!(poll_after_seconds(Some(50), &Policy::default()), 5);
    }
}
