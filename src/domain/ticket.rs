//! Tickets of a CONFIRMED reservation: codes that a gate verifies offline.
//!
//! One deterministic Ed25519 signature covers the whole reservation; each seat's code names the seat and carries it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use utoipa::ToSchema;

use super::ids::ReservationId;

/// One seat's ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Opaque; unique over all tickets.
    pub ticket_id: String,
    /// The seat's label.
    pub seat: String,
    /// `t1.<base64url of the signed text>.<base64url of the signature>.<number of the seat in it, from 0>`.
    pub code: String,
}

/// Tickets for the seats of a reservation, in its order. The same input gives the same codes.
///
/// The signed text is `onsale-ticket-1`, the reservation and the labels, each on a line of its own.
pub fn tickets(key: &SigningKey, reservation: ReservationId, labels: &[&str]) -> Vec<Ticket> {
    let text = format!("onsale-ticket-1\n{reservation}\n{}", labels.join("\n"));
    let signature = key.sign(text.as_bytes());
    let signed =
        format!("t1.{}.{}", URL_SAFE_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    let ticket = |(number, label): (usize, &&str)| Ticket {
        ticket_id: format!("{reservation}-{number}"),
        seat: (*label).to_owned(),
        code: format!("{signed}.{number}"),
    };
    labels.iter().enumerate().map(ticket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ConcertId, Id20, ShowId};
    use ed25519_dalek::{Signature, Verifier};

    #[test]
    fn codes_verify_offline_and_are_the_same_again() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let reservation = ReservationId { concert: ConcertId(1), show: ShowId(3), id: Id20::from_bits(9) };
        let made = tickets(&key, reservation, &["A-1-1", "A-1-2"]);
        assert_eq!(made, tickets(&key, reservation, &["A-1-1", "A-1-2"]));

        let parts: Vec<_> = made[1].code.split('.').collect();
        let text = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
        assert!(key.verifying_key().verify(&text, &signature).is_ok());
        assert_eq!(String::from_utf8(text).unwrap().lines().nth(2 + 1), Some("A-1-2"));
    }
}
