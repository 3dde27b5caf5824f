//! Names that stand in the place of users' ids: one a user who was forgotten (decision 0010), one a user and log whose retention is over
//! (0015).
//!
//! Each is in the wallet partition of the user it stands for, so that his money stays where it is, and what two logs say of one payment
//! can be compared.

use super::ids::{Id20, UserId, partition_of};

/// What the pseudonym of a user who was forgotten begins with.
const PSEUDONYM: &str = "forgotten-";

/// What a name begins with that one log gave by itself (0015); `lua/lib/wallet.lua` knows both.
pub(super) const ANONYMOUS: &str = "anonymous-";

/// A name made of random bits, in the same wallet partition as the user's: his money stays where it is, and its log with it.
pub fn pseudonym(user: &UserId, partitions: u8, bits: impl FnMut() -> u128) -> UserId {
    in_partition(PSEUDONYM, user.partition(partitions), partitions, bits)
}

/// The first name of these bits that is in this partition: every 64th is, where there are 64.
pub(super) fn in_partition(
    prefix: &str,
    partition: u8,
    partitions: u8,
    mut bits: impl FnMut() -> u128,
) -> UserId {
    loop {
        let id = Id20::from_bits(bits());
        if partition_of(prefix.bytes().chain(id.as_str().bytes()), partitions) == partition {
            return UserId::new(&format!("{prefix}{id}")).expect("30 letters are a user id");
        }
    }
}

/// Whether a name was given to somebody here, by [`pseudonym`] or by a `RetentionKey`.
pub fn is_pseudonym(name: &str) -> bool {
    is_anonymous(name) || is_made(name, PSEUDONYM)
}

/// Whether such a name is that of one log alone (a `RetentionKey` gave it): in others he may have another, or his own.
pub fn is_anonymous(name: &str) -> bool {
    is_made(name, ANONYMOUS)
}

fn is_made(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.parse::<Id20>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_random_and_in_the_same_partition() {
        let user = UserId::new("anna@example.org").unwrap();
        let names = [(); 8].map(|()| pseudonym(&user, 64, rand::random));
        assert!(names.iter().all(|name| name.partition(64) == user.partition(64)));
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| is_pseudonym(name.as_str()) && !is_anonymous(name.as_str())));
    }
}
