//! Records of reservations that an earlier version wrote: it remembered the last of their card payments only, and none once the
//! balance had paid. That decides nothing, so such a record is right if all else is.

/// Whether a record is as it was told, but for card payments that it does not remember.
pub(super) fn remembers_less(told: &str, found: &str) -> bool {
    let (Some(told), Some(found)) = (split(told), split(found)) else {
        return false;
    };
    let known: Vec<_> = found.extras.split(',').collect();
    let is_left = |extra: &&str| {
        !["declined=", "overtaken="].iter().any(|word| extra.starts_with(word)) || known.contains(extra)
    };
    let left: Vec<_> = told.extras.split(',').filter(is_left).collect();
    let left = if left.is_empty() { "-".to_owned() } else { left.join(",") };
    (told.before, left.as_str(), told.user) == (found.before, found.extras, found.user)
}

/// A record with its ninth field apart.
struct Record<'a> {
    before: &'a str,
    extras: &'a str,
    user: &'a str,
}

fn split(record: &str) -> Option<Record<'_>> {
    let (at, _) = record.match_indices(' ').nth(7)?;
    let (before, rest) = record.split_at(at);
    let (extras, user) = rest[1..].split_once(' ')?;
    Some(Record { before, extras, user })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declined_and_overtaken_payments_may_be_missing() {
        let record = |extras: &str| format!("confirmed 12 5 1 2 3 p 7:5 {extras} a b");
        let told = record("balance=5,overtaken=c,declined=b,declined=a,refunded=7");
        for found in ["balance=5,refunded=7", "balance=5,declined=b,refunded=7"] {
            assert!(remembers_less(&told, &record(found)), "{found}");
        }
        for found in [
            "balance=6,refunded=7",
            "balance=5",
            "balance=5,declined=x,refunded=7",
            "balance=5,card=c,refunded=7",
        ] {
            assert!(!remembers_less(&told, &record(found)), "{found}");
        }
        assert!(remembers_less(&record("declined=b,declined=a"), &record("declined=b")));
        assert!(remembers_less(&record("declined=b"), &record("-")));
        assert!(!remembers_less(&told, &record("balance=5,refunded=7").replace(" a b", " a")));
        assert!(!remembers_less(&told, "12"));
    }
}
