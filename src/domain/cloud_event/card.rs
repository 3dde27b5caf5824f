//! What is told of card payments beside their success: how one begins, fails, and what the gateway did.

use serde_json::{Value, json};

use super::About;
use crate::domain::event::{Authorising, Card, Event, Extended};
use crate::domain::ids::{ConcertId, PaymentId, ReservationId};

/// `None`: another event.
pub(super) fn about(concert: ConcertId, event: &Event<'_>) -> Option<About> {
    let (kind, (subject, mut data)) = match event {
        Event::Extended(Extended { reservation, show, user, end }) => {
            let reservation = ReservationId { concert, show: *show, id: *reservation }.to_string();
            let data =
                json!({"showId": show, "reservationId": reservation, "userId": user, "expiresAt": end});
            ("reservation.extended", (reservation, data))
        }
        Event::Authorising(Authorising { card, amount, .. }) => {
            let (subject, mut data) = of(concert, card);
            data["amount"] = json!(amount);
            ("payment.started", (subject, data))
        }
        Event::Voiding { card, reason } => {
            let (subject, mut data) = of(concert, card);
            data["reason"] = json!(reason.as_str());
            ("payment.failed", (subject, data))
        }
        Event::Captured(card) => ("payment.captured", of(concert, card)),
        Event::Voided(card) => ("payment.voided", of(concert, card)),
        _ => return None,
    };
    data["concertId"] = json!(concert);
    Some(About { kind, subject, data, concert: Some(concert) })
}

fn of(concert: ConcertId, card: &Card<'_>) -> (String, Value) {
    let reservation = ReservationId { concert, show: card.show, id: card.reservation };
    let payment = PaymentId { reservation, id: card.payment }.to_string();
    let data = json!({
        "showId": card.show,
        "reservationId": reservation.to_string(),
        "paymentId": payment,
        "userId": card.user,
    });
    (payment, data)
}
