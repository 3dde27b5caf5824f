//! What `leaving` and `forgotten` do to what was told before.

use onsale::domain::event::Forgotten;
use onsale::domain::forgetting::{only, renamed_request};

use super::Rebuilt;

impl Rebuilt<'_> {
    pub(super) fn leaving(&mut self, user: &str) {
        let path = format!("balances/{user}");
        let record = self.get(&path).unwrap_or_else(|| format!("0 {}", self.now));
        self.set(&path, &format!("{record} leaving"));
    }

    pub(super) fn set_balance(&mut self, user: &str, balance: i64) {
        let path = format!("balances/{user}");
        let leaving = self.get(&path).is_some_and(|record| record.ends_with(" leaving"));
        let mark = if leaving { " leaving" } else { "" };
        self.set(&path, &format!("{balance} {}{mark}", self.now));
    }

    /// Every field, and every record's last word, that is the user's.
    pub(super) fn forget(&mut self, Forgotten { user, pseudonym }: &Forgotten<'_>) {
        if user == pseudonym {
            return;
        }
        for (path, value) in std::mem::take(&mut self.lines) {
            let key = path.strip_prefix(self.prefix).expect("lines of one log");
            let Some((name, field)) = key.split_once('/') else {
                self.lines.insert(path, value);
                continue;
            };
            let field = match name {
                "idem" | "idem_end" => renamed_request(field, only(user, pseudonym)),
                _ => (field == *user).then(|| (*pseudonym).to_owned()),
            }
            .unwrap_or_else(|| field.to_owned());
            let value = match value.rsplit_once(' ') {
                Some((rest, last)) if ["res", "cards", "top_ups"].contains(&name) && last == *user => {
                    format!("{rest} {pseudonym}")
                }
                Some((rest, "leaving")) => rest.to_owned(),
                _ => value,
            };
            self.lines.insert(format!("{}{name}/{field}", self.prefix), value);
        }
    }
}
