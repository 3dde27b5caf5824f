//! What is told of a refund to a card: that it was decided, and what the gateway did.

use serde_json::json;

use super::{About, Label, UnknownSeat, about_refunded};
use crate::domain::event::{CardRefund, OpenRefund};
use crate::domain::ids::{ConcertId, PaymentId, ReservationId};

pub(super) fn about(
    concert: ConcertId,
    step: &CardRefund<'_>,
    label: Label<'_>,
) -> Result<About, UnknownSeat> {
    let (kind, open) = match step {
        CardRefund::Decided { back, .. } => {
            let mut about = about_refunded(concert, back, label)?;
            about.data["method"] = json!("CARD");
            return Ok(about);
        }
        CardRefund::Returned(open) => ("payment.returned", open),
        CardRefund::Refused(open) => ("payment.return_refused", open),
    };
    let OpenRefund { card, refund, amount } = open;
    let reservation = ReservationId { concert, show: card.show, id: card.reservation };
    let data = json!({
        "concertId": concert,
        "showId": card.show,
        "reservationId": reservation.to_string(),
        "paymentId": PaymentId { reservation, id: card.payment }.to_string(),
        "refundId": refund.as_str(),
        "userId": card.user,
        "amount": amount,
    });
    Ok(About { kind, subject: reservation.to_string(), data, concert: Some(concert) })
}
