//! What is told of charges through the payment gateway: the money that has come, as of any charge.

use serde_json::json;

use super::About;
use crate::domain::event::{TopUp, TopUpStep};

/// `None`: nothing has moved yet, or ever will.
pub(super) fn about(top_up: &TopUp<'_>) -> Option<About> {
    let TopUpStep::Credited { amount, balance } = top_up.step else {
        return None;
    };
    let data = json!({
        "chargeId": top_up.charge.as_str(), "userId": top_up.user, "amount": amount, "balance": balance,
    });
    Some(About { kind: "points.charged", subject: top_up.user.to_owned(), data, concert: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::cloud_event::told;
    use crate::domain::event::{Entry, LogKind};
    use crate::domain::ids::{LogName, Mark};

    #[test]
    fn only_money_that_has_come_is_told_and_as_of_any_charge() {
        const ID: &str = "00000000000000000007";
        let text = format!(
            "1 00000000000000aa 00000000000000a9 1780000000000\ncharging {ID} 1:u 5 KRW 1780000900000 0: -\n\
             capturing {ID} 1:u\nvoiding {ID} 1:u expired\ncredited {ID} 1:u 5 7\nvoided {ID} 1:u 5 expired\n"
        );
        let entry = Entry::decode(LogKind::Wallet, &text).unwrap();
        let told = told(LogName::Wallet(3), Mark(0xfeed), 9, &entry, &|_, _| None).unwrap();
        let short: Vec<_> = told.iter().map(|event| (event.kind, event.id.as_str(), &event.data)).collect();
        let data = json!({"chargeId": ID, "userId": "u", "amount": 5, "balance": 7});
        assert_eq!(short, [("points.charged", "000000000000feed-9-3", &data)]);
    }
}
