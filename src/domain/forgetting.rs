//! Forgetting users (decisions 0010, 0015): an entry of a log, rewritten to the names that stand in the place of their ids.
//!
//! What is rewritten is found by reading the entry, not by searching its text: a user may be called `7`.

use super::event::{Entry, LogKind, Naming};
use super::fields::{Fields, Malformed, prefixed};

/// One user's new name; nobody else gets one.
pub fn only(user: &str, pseudonym: &str) -> impl Fn(&str) -> Option<String> {
    move |named| (named == user).then(|| pseudonym.to_owned())
}

/// The entry with a new name wherever it names somebody who gets one; `None` if it names nobody such.
pub fn rewritten(
    kind: LogKind,
    text: &str,
    name: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, Malformed> {
    let entry = Entry::decode(kind, text)?;
    let (mut told, mut from) = (String::with_capacity(text.len() + 64), 0);
    for naming in entry.namings() {
        let (old, new) = match naming {
            Naming::User(user) => (user, name(user)),
            Naming::Request(request) => (request, renamed_request(request, &name)),
        };
        let Some(new) = new else { continue };
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

/// A request as it were made by and for those names (`lua/lib/pseudonym.lua` has the same); `None` if it is about nobody who gets one.
pub fn renamed_request(request: &str, name: impl Fn(&str) -> Option<String>) -> Option<String> {
    let Request { by, verb, whose, key } = read_request(request)?;
    let (new_by, new_whose) = (name(by), whose.and_then(&name));
    if new_by.is_none() && new_whose.is_none() {
        return None;
    }
    let spare = |part: &str| match (whose, &new_whose) {
        (Some(old), Some(new)) => part.replace(old, new),
        _ => part.to_owned(),
    };
    // The id of a charge was made here, and stays. Of others' keys each piece is looked through once: a new name may hold an old one.
    let key = match &new_by {
        _ if verb == "ended" => key.to_owned(),
        Some(new) => key.split(by).map(spare).collect::<Vec<_>>().join(new),
        None => spare(key),
    };
    let whose = whose.map_or_else(String::new, |old| prefixed(new_whose.as_deref().unwrap_or(old)));
    Some(format!("{}{verb}:{whose}{key}", prefixed(new_by.as_deref().unwrap_or(by))))
}

/// By whom a request is, and whose balance it charges; nobody if it can't be read.
pub fn named_in(request: &str) -> [Option<&str>; 2] {
    read_request(request).map_or([None, None], |request| [Some(request.by), request.whose])
}

struct Request<'a> {
    by: &'a str,
    verb: &'a str,
    /// Of a charge: who gets the money.
    whose: Option<&'a str>,
    key: &'a str,
}

fn read_request(request: &str) -> Option<Request<'_>> {
    let (by, rest) = split_text(request)?;
    let (verb, key) = rest.split_once(':')?;
    let charged = (verb == "charge").then(|| split_text(key)).flatten();
    let (whose, key) = charged.map_or((None, key), |(charged, key)| (Some(charged), key));
    Some(Request { by, verb, whose, key })
}

/// Whose request it is.
pub fn requester(request: &str) -> Option<&str> {
    Some(split_text(request)?.0)
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
        let told = rewritten(kind, &text, only(user, NAME)).unwrap()?;
        Entry::decode(kind, &told).unwrap();
        assert_eq!(rewritten(kind, &told, only(user, NAME)), Ok(None), "once is enough");
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
        assert_eq!(renamed_request(&ended, only("7", NAME)), Some(format!("11:forgotten-xended:{ID}")));
    }

    #[test]
    fn everybody_in_an_entry_may_get_a_name_at_once() {
        let name = |named: &str| (named != "kept").then(|| format!("{named}{named}"));
        let request = "4:bosscharge:1:as boss a s";
        assert_eq!(
            renamed_request(request, name),
            Some("8:bossbosscharge:2:aas bossboss aa s".into()),
            "each once"
        );
        assert_eq!(renamed_request("4:keptcharge:1:ask", name), Some("4:keptcharge:2:aask".into()));
        assert_eq!(renamed_request("4:kepthold:k", name), None);
        let text = format!("{HEAD}joined 7 1:b\nended 7 1:b left\njoined 8 4:kept\nforgotten 1:b 1:c\n");
        let told = format!("{HEAD}joined 7 2:bb\nended 7 2:bb left\njoined 8 4:kept\nforgotten 2:bb 2:cc\n");
        assert_eq!(rewritten(LogKind::Concert, &text, name), Ok(Some(told)));
    }
}
