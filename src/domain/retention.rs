//! Retention (decision 0015): what a log calls its users once it is over, and how far in it.

use std::collections::HashMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::event::Forgotten;
use super::ids::UserId;
use super::pseudonym::{ANONYMOUS, in_partition, is_pseudonym};

/// What names are made with: the same user always gets the same, and nobody finds out whose it is when the key is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RetentionKey(pub [u8; 32]);

impl RetentionKey {
    /// The name of a user, in his wallet partition: what two logs say of one payment can still be compared.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    pub fn name(&self, user: &UserId, partitions: u8) -> UserId {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(user.as_str().as_bytes());
        let mac = mac.finalize().into_bytes();
        let mut bits = u128::from_be_bytes(*mac.first_chunk().expect("SHA-256 is longer than 16 bytes"));
        let next = || {
            bits = bits.wrapping_add(1);
            bits
        };
        in_partition(ANONYMOUS, user.partition(partitions), partitions, next)
    }
}

impl fmt::Debug for RetentionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetentionKey")
    }
}

/// Who has which name in which entries of a log.
#[derive(Debug)]
pub struct Names {
    key: RetentionKey,
    partitions: u8,
    /// Up to this entry everybody has a name of the key; 0: nobody.
    everybody: u64,
    /// By name of before: up to which entry he has another, as the log has told it, in order.
    told: HashMap<String, Vec<(u64, String)>>,
}

impl Names {
    /// Everybody up to the entry `everybody`, and nobody whom the log has given a name.
    pub fn new(key: RetentionKey, partitions: u8, everybody: u64) -> Self {
        Self { key, partitions, everybody, told: HashMap::new() }
    }

    /// Takes in that entry `number` gives somebody another name; in order.
    pub fn take(&mut self, number: u64, &Forgotten { user, pseudonym }: &Forgotten<'_>) {
        if user != pseudonym {
            self.told.entry(user.to_owned()).or_default().push((number, pseudonym.to_owned()));
        }
    }

    /// Everybody to whom the log has given a name: his name of before, the last entry that it is for, the name.
    pub fn told(&self) -> impl Iterator<Item = (&str, u64, &str)> {
        self.told
            .iter()
            .flat_map(|(user, told)| told.iter().map(|(upto, name)| (user.as_str(), *upto, name.as_str())))
    }

    /// The name that this user has in an entry; `None`: the one it says.
    pub fn of(&self, number: u64, user: &str) -> Option<String> {
        let told = self.told.get(user).and_then(|told| told.iter().find(|(upto, _)| number <= *upto));
        if let Some((_, name)) = told {
            return Some(name.clone());
        }
        if number > self.everybody || is_pseudonym(user) {
            return None;
        }
        Some(self.key.name(&UserId::new(user)?, self.partitions).to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::pseudonym::is_anonymous;
    use super::*;

    #[test]
    fn a_key_gives_each_user_one_name_in_his_partition() {
        let users: Vec<_> = (0..50).map(|i| UserId::new(&format!("anna{i}@example.org")).unwrap()).collect();
        let all = |key: RetentionKey| users.iter().map(|user| key.name(user, 64)).collect::<Vec<_>>();
        let names = all(RetentionKey([7; 32]));
        assert_eq!(names, all(RetentionKey([7; 32])));
        assert_ne!(names, all(RetentionKey([8; 32])));
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 50);
        for (name, user) in names.iter().zip(&users) {
            assert_eq!(name.partition(64), user.partition(64));
            assert!(is_anonymous(name.as_str()) && is_pseudonym(name.as_str()));
        }
        assert!(!["anonymous-", "anonymous-7", "forgotten-x", "anna"].into_iter().any(is_pseudonym));
    }

    #[test]
    fn a_name_that_the_log_tells_goes_before_that_of_the_key() {
        let key = RetentionKey([7; 32]);
        let mut names = Names::new(key, 4, 100);
        let made = |user: &str| Some(key.name(&UserId::new(user).unwrap(), 4).to_string());
        names.take(110, &Forgotten { user: "a", pseudonym: "first" });
        names.take(120, &Forgotten { user: "a", pseudonym: "second" });
        names.take(115, &Forgotten { user: "b", pseudonym: "b" });
        let of_a: Vec<_> = [1, 110, 111, 120, 121].iter().map(|number| names.of(*number, "a")).collect();
        let told = |name: &str| Some(name.to_owned());
        assert_eq!(of_a, [told("first"), told("first"), told("second"), told("second"), None]);
        assert_eq!((names.of(100, "b"), names.of(101, "b")), (made("b"), None));
        assert_eq!(names.of(1, &made("c").unwrap()), None, "it is one already");
        assert_eq!(
            names.told().collect::<HashSet<_>>(),
            HashSet::from([("a", 110, "first"), ("a", 120, "second")])
        );
    }
}
