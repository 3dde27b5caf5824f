//! What is told of a user's money.

use serde_json::json;

use super::{About, top_up};
use crate::domain::event::{Event, Returned};
use crate::domain::ids::PaymentId;

pub(super) fn about(event: &Event<'_>) -> Option<About> {
    match event {
        Event::Charged { charge, user, amount, balance, .. } => {
            let data = json!({
                "chargeId": charge.as_str(), "userId": user, "amount": amount, "balance": balance,
            });
            Some(About { kind: "points.charged", subject: (*user).to_owned(), data, concert: None })
        }
        Event::Spent { payment, user, reservation, amount, balance } => {
            let payment = PaymentId { reservation: *reservation, id: *payment }.to_string();
            let data = json!({
                "paymentId": payment, "reservationId": reservation.to_string(), "userId": user,
                "amount": amount, "balance": balance,
            });
            let concert = Some(reservation.concert);
            Some(About { kind: "points.used", subject: (*user).to_owned(), data, concert })
        }
        Event::Returned(Returned { refund, user, reservation, amount, balance }) => {
            let data = json!({
                "refundId": refund.as_str(), "reservationId": reservation.to_string(), "userId": user,
                "amount": amount, "balance": balance,
            });
            let concert = Some(reservation.concert);
            Some(About { kind: "points.returned", subject: (*user).to_owned(), data, concert })
        }
        Event::TopUp(top_up) => top_up::about(top_up),
        Event::Opened { .. }
        | Event::Show { .. }
        | Event::Cancelled { .. }
        | Event::Catalog { .. }
        | Event::Policy { .. }
        | Event::Joined { .. }
        | Event::Admitted { .. }
        | Event::Claimed { .. }
        | Event::Stretched { .. }
        | Event::Ended { .. }
        | Event::Held(_)
        | Event::Released(_)
        | Event::Expired(_)
        | Event::Paid(_)
        | Event::Extended(_)
        | Event::Authorising(_)
        | Event::Authorised(_)
        | Event::Voiding { .. }
        | Event::Captured(_)
        | Event::Voided(_)
        // The concert's log tells it; of the user's money nothing moves.
        | Event::Passed(_)
        | Event::PassedBack(_)
        | Event::CardRefund(_)
        | Event::Refunded(_)
        | Event::Blocked(_)
        | Event::Leaving { .. }
        | Event::Forgotten(_)
        | Event::Unblocked(_) => None,
    }
}
