//! What users are called outside (decision 0010): a keyed pseudonym, where an installation has a key for it.
//!
//! The same user has the same name in every event, so consumers can count and join; without the key nobody finds out whose it is,
//! nor whether a guessed id has it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::cloud_event::CloudEvent;

/// Bytes of the MAC that a name shows.
const MAC_BYTES: usize = 18;

/// The key of an installation. Another key gives everybody another name.
#[derive(Clone)]
pub struct ExportKey(Hmac<Sha256>);

impl ExportKey {
    /// A key from a secret of at least 32 bytes.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// The name of a user outside: `u-` and 24 letters of base64url.
    pub fn name(&self, user: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(user.as_bytes());
        format!("u-{}", URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..MAC_BYTES]))
    }

    /// Names the user of an event so, wherever the event names him.
    pub fn hide(&self, event: &mut CloudEvent) {
        let Some(Value::String(user)) = event.data.get_mut("userId") else {
            return;
        };
        let name = self.name(user);
        // Only what a wallet tells is about a user; of a concert's events the subject is a number, or an id of ours.
        if event.kind.starts_with("points.") {
            event.subject.clone_from(&name);
        }
        *user = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cloud_event::told;
    use crate::domain::event::{Entry, LogKind};
    use crate::domain::ids::{ConcertId, LogName, Mark};

    const ID: &str = "00000000000000000007";

    fn hidden(log: LogName, kind: LogKind, lines: &str) -> Vec<String> {
        let text = format!("1 00000000000000aa 00000000000000a9 1780000000000\n{lines}");
        let entry = Entry::decode(kind, &text).unwrap();
        let mut events = told(log, Mark(1), 9, &entry, &|_, seat| Some(format!("A-{seat}"))).unwrap();
        let key = ExportKey::new(&[7; 32]);
        for event in &mut events {
            key.hide(event);
        }
        events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
    }

    #[test]
    fn no_event_names_a_user_and_all_call_him_the_same() {
        let concert = format!(
            "joined 4 5:anna@\nheld {ID} 12 5:anna@ 100 1780000300000 3 7:100 0: -\n\
             paid {ID} 12 5:anna@ {ID} 100 5 7:100 0: -\nauthorising {ID} 12 5:anna@ {ID} 100 0: -\n"
        );
        let wallet = format!("charged {ID} 5:anna@ 5 5 0: -\npaid {ID} 5:anna@ 7 12 {ID} 5 0\n");
        let mut all = hidden(LogName::Concert(ConcertId(7)), LogKind::Concert, &concert);
        all.extend(hidden(LogName::Wallet(3), LogKind::Wallet, &wallet));
        let name = ExportKey::new(&[7; 32]).name("anna@");
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|event| !event.contains("anna@") && event.contains(&name)), "{all:#?}");
    }

    #[test]
    fn names_are_those_of_the_key() {
        let (one, other) = (ExportKey::new(&[7; 32]), ExportKey::new(&[8; 32]));
        assert_eq!((one.name("a").len(), one.name("a")), (26, one.name("a")));
        assert!(one.name("a") != other.name("a") && one.name("a") != one.name("b"));
    }
}
