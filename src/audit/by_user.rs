//! Whose things are, so that another name for somebody costs what is his, not a walk over all there is: when a retention is over, a log
//! tells of 100,000 users one after the other that they have other names (0015).

use std::collections::HashMap;

use crate::domain::ids::Id20;

/// Reservations, payments or refunds by their user.
#[derive(Debug, Default)]
pub(super) struct ByUser(HashMap<String, Vec<Id20>>);

impl ByUser {
    /// Takes in what is new.
    pub(super) fn add(&mut self, user: &str, id: Id20) {
        match self.0.get_mut(user) {
            Some(his) => his.push(id),
            None => drop(self.0.insert(user.to_owned(), vec![id])),
        }
    }

    /// A user has another name, beside whatever that one has already. Answers all that was his.
    pub(super) fn rename(&mut self, user: &str, name: &str) -> Vec<Id20> {
        let his = self.0.remove(user).unwrap_or_default();
        if !his.is_empty() {
            self.0.entry(name.to_owned()).or_default().extend_from_slice(&his);
        }
        his
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renaming_everybody_touches_each_thing_once() {
        const USERS: u128 = 1000;
        let mut all = ByUser::default();
        for id in 0..3 * USERS {
            all.add(&format!("u{}", id % USERS), Id20::from_bits(id));
        }
        let touched = (0..USERS).map(|user| all.rename(&format!("u{user}"), &format!("n{user}")).len());
        assert_eq!(touched.sum::<usize>(), 3000);
        assert_eq!(all.rename("u7", "x"), [], "it is another's now");
        assert_eq!(all.rename("n7", "x"), [7, 1007, 2007].map(Id20::from_bits));
    }

    #[test]
    fn two_users_of_one_name_have_what_both_had() {
        let (mut all, ids) = (ByUser::default(), [1, 2, 3].map(Id20::from_bits));
        for (user, id) in ["a", "b", "b"].into_iter().zip(ids) {
            all.add(user, id);
        }
        assert_eq!(all.rename("b", "a"), ids[1..]);
        assert_eq!(all.rename("a", "c"), ids);
    }
}
