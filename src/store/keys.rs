//! Every key name (formats 1). Nothing else, here or in Lua, builds one.

use crate::domain::ids::{ConcertId, LogName, ShowId};

/// The block of keys that every script of a concert gets, in the order of formats 1.
const CONCERT: [&str; 15] = [
    "meta",
    "policy",
    "log",
    "queue",
    "active",
    "place",
    "unclaimed",
    "res",
    "expiry",
    "pending",
    "idem",
    "idem_end",
    "idem_user",
    "ended",
    "cards",
];

const WALLET: [&str; 6] = ["meta", "log", "balances", "idem", "idem_end", "idem_user"];

/// The block of a concert.
pub(super) fn concert(id: ConcertId) -> impl Iterator<Item = String> {
    CONCERT.iter().map(move |name| format!("{{c{id}}}:{name}"))
}

/// The three keys of a show, behind the block of its concert.
pub(super) fn show(concert: ConcertId, show: ShowId) -> impl Iterator<Item = String> {
    ["seats", "holder", "owned"].iter().map(move |name| format!("{{c{concert}}}:{name}:{show}"))
}

/// The block of a wallet partition.
pub(super) fn wallet(partition: u8) -> impl Iterator<Item = String> {
    WALLET.iter().map(move |name| format!("{{w{partition:02}}}:{name}"))
}

/// What the scripts of charges through the gateway get behind the blocks of their partitions.
pub(super) fn top_ups(partition: u8) -> String {
    format!("{{w{partition:02}}}:top_ups")
}

/// The first answers of a wallet partition.
pub(super) fn wallet_requests(partition: u8) -> String {
    format!("{{w{partition:02}}}:idem")
}

/// The balances of a wallet partition.
pub(super) fn balances(partition: u8) -> String {
    format!("{{w{partition:02}}}:balances")
}

/// The card payments of a concert that are not at their end.
pub(super) fn cards(id: ConcertId) -> String {
    format!("{{c{id}}}:cards")
}

/// The stream of a log.
pub(super) fn log(name: LogName) -> String {
    format!("{{{name}}}:log")
}

/// The hash that moves with a log.
pub(super) fn meta(name: LogName) -> String {
    format!("{{{name}}}:meta")
}

/// The policy of a concert.
pub(super) fn policy(id: ConcertId) -> String {
    format!("{{c{id}}}:policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_concert_carry_its_tag() {
        let keys: Vec<_> = concert(ConcertId(7)).chain(show(ConcertId(7), ShowId(12))).collect();
        assert!(keys.iter().all(|key| key.starts_with("{c7}:")));
        assert_eq!(keys[0], meta(LogName::Concert(ConcertId(7))));
        assert_eq!(keys[2], log(LogName::Concert(ConcertId(7))));
        assert_eq!(keys[15], "{c7}:seats:12");
        assert_eq!(wallet(3).next(), Some(meta(LogName::Wallet(3))));
    }
}
