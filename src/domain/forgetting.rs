//! Forgetting a user (decision 0010): the name that stands in the place of his id, and an entry of a log rewritten to it.
//!
//! What is rewritten is found by reading the entry, not by searching its text: a user may be called `7`.

use super::event::{Entry, LogKind, Naming};
use super::fields::{Fields, Malformed, prefixed};
use super::ids::{Id20, UserId};

/// What every pseudonym begins with.
const PSEUDONYM: &str = "forgotten-";

/// A name made of random bits, in the same wallet partition as the user's: his money stays where it is, and its log with it.
pub fn pseudonym(user: &UserId, partitions: u8, mut bits: impl FnMut() -> u128) -> UserId {
    loop {
        let name = format!("{PSEUDONYM}{}", Id20::from_bits(bits()));
        let name = UserId::new(&name).expect("30 letters are a user id");
        if name.partition(partitions) == user.partition(partitions) {
            return name;
        }
    }
}

/// The entry with the pseudonym wherever it named the user; `None` if it did not.
pub fn rewritten(
    kind: LogKind,
    text: &str,
    user: &str,
    pseudonym: &str,
) -> Result<Option<String>, Malformed> {
    if !text.contains(user) {
        return Ok(None);
    }
    let entry = Entry::decode(kind, text)?;
    let (mut told, mut from) = (String::with_capacity(text.len() + 64), 0);
    for naming in entry.namings() {
        let (old, new) = match naming {
            Naming::User(named) if named == user => (named, pseudonym.to_owned()),
            Naming::Request(request) => match renamed_request(request, user, pseudonym) {
                Some(renamed) => (request, renamed),
                None => continue,
            },
            Naming::User(_) => continue,
        };
        // It was borrowed from `text`, with its length before it.
        let start = old.as_ptr().addr() - text.as_ptr().addr();
        let prefix = start - old.len().to_string().len() - 1;
        told.push_str(&text[from..prefix]);
        told.push_str(&prefixed(&new));
        from = start + old.len();
    }
    if from == 0 {
        return Ok(None);
    }
    told.push_str(&text[from..]);
    Ok(Some(told))
}

/// A request as the pseudonym would have made it (`lua/lib/pseudonym.lua` has the same); `None` if it is not about the user.
pub fn renamed_request(request: &str, user: &str, pseudonym: &str) -> Option<String> {
    let name = |named: &str| prefixed(if named == user { pseudonym } else { named });
    let (by, rest) = split_text(request)?;
    let (verb, key) = rest.split_once(':')?;
    let charged = (verb == "charge").then(|| split_text(key)).flatten();
    let key = charged.map_or(key, |(_, key)| key);
    if by != user && charged.is_none_or(|(charged, _)| charged != user) {
        return None;
    }
    let whose = charged.map_or_else(String::new, |(charged, _)| name(charged));
    // The id of a charge was made here, and stays.
    let key = if verb == "ended" { key.to_owned() } else { key.replace(user, pseudonym) };
    Some(format!("{}{verb}:{whose}{key}", name(by)))
}

/// The text at the head of `<bytes>:<text><rest>`, and the rest.
fn split_text(text: &str) -> Option<(&str, &str)> {
    let mut fields = Fields::new(text);
    let head = fields.text("text").ok()?;
    let length = prefixed(head).len();
    Some((head, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "1 00000000000000aa 00000000000000a9 1780000000000\n";
    const ID: &str = "00000000000000000007";
    const NAME: &str = "forgotten-x";

    fn told(kind: LogKind, user: &str, lines: &str) -> Option<String> {
        let text = format!("{HEAD}{lines}");
        let told = rewritten(kind, &text, user, NAME).unwrap()?;
        Entry::decode(kind, &told).unwrap();
        assert_eq!(rewritten(kind, &told, user, NAME), Ok(None), "once is enough");
        Some(told.strip_prefix(HEAD).unwrap().to_owned())
    }

    #[test]
    fn a_user_is_renamed_where_he_is_named_and_nowhere_else() {
        let lines = format!(
            "joined 7 1:7\nended 7 2:77 left\nheld {ID} 7 1:7 7 7 7 7:7,77:7 9:1:7hold:7 7\nforgotten 1:7 {}\n",
            prefixed(NAME)
        );
        let expected = format!(
            "joined 7 11:forgotten-x\nended 7 2:77 left\nheld {ID} 7 11:forgotten-x 7 7 7 7:7,77:7 30:11:forgotten-xhold:forgotten-x 7\n\
             forgotten 11:forgotten-x 11:forgotten-x\n"
        );
        assert_eq!(told(LogKind::Concert, "7", &lines), Some(expected));
        assert_eq!(told(LogKind::Concert, "8", &lines), None);
    }

    #[test]
    fn a_refund_to_a_card_is_renamed_step_by_step() {
        let seats = "3:500 3:500 refunded";
        let steps = |user: &str, request: &str| {
            let (user, request) = (prefixed(user), prefixed(request));
            format!(
                "refunding {ID} 12 {user} {ID} 500 0 {seats} {request} f {ID} 500\nrefused {ID} 12 {user} {ID} {ID} 500\n\
                 returned {ID} 12 {user} {ID} {ID} 500\n"
            )
        };
        let renamed = steps(NAME, "11:forgotten-xrefund:k");
        assert_eq!(told(LogKind::Concert, "a", &steps("a", "1:arefund:k")), Some(renamed));
        let money = |user| format!("refunding {ID} {} 7 12 {ID} 500 0\n", prefixed(user));
        assert_eq!(told(LogKind::Wallet, "a", &money("a")), Some(money(NAME)));
    }

    #[test]
    fn a_cashier_who_charged_him_keeps_his_request() {
        let request = "4:bosscharge:1:ak1";
        let lines = format!("charged {ID} 1:a 5 5 {} f\n", prefixed(request));
        let renamed = prefixed("4:bosscharge:11:forgotten-xk1");
        assert_eq!(
            told(LogKind::Wallet, "a", &lines),
            Some(format!("charged {ID} 11:forgotten-x 5 5 {renamed} f\n"))
        );
        let renamed = prefixed("11:forgotten-xcharge:1:ak1");
        assert_eq!(
            told(LogKind::Wallet, "boss", &lines),
            Some(format!("charged {ID} 1:a 5 5 {renamed} f\n"))
        );
    }

    #[test]
    fn a_charge_through_the_gateway_is_renamed_step_by_step() {
        let steps = |user: &str, request: &str| {
            let (user, request) = (prefixed(user), prefixed(request));
            format!(
                "charging {ID} {user} 5 KRW 7 {request} f\ncapturing {ID} {user}\nvoiding {ID} {user} expired\n\
                 credited {ID} {user} 5 7\nvoided {ID} {user} 5 expired\n"
            )
        };
        let renamed = steps(NAME, "11:forgotten-xtopup:k");
        assert_eq!(told(LogKind::Wallet, "7", &steps("7", "1:7topup:k")), Some(renamed));
        let ended = format!("1:7ended:{ID}");
        assert_eq!(renamed_request(&ended, "7", NAME), Some(format!("11:forgotten-xended:{ID}")));
    }

    #[test]
    fn a_pseudonym_is_random_and_in_the_same_partition() {
        let user = UserId::new("anna@example.org").unwrap();
        let names = [(); 8].map(|()| pseudonym(&user, 64, rand::random));
        assert!(names.iter().all(|name| name.partition(64) == user.partition(64)));
        assert_ne!(names[0], names[1]);
    }
}
