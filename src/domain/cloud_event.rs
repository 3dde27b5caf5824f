//! Log events as the world outside is told of them: `CloudEvents` 1.0 in JSON (`docs/events/` has a schema for each type).
//!
//! An event keeps its id whoever tells it, however often: log id, entry number and place in the entry. Where it is told
//! follows from the log alone and from what never changes of a seat, so that a repetition is the same text.

mod card;
mod card_refund;
mod top_up;
mod wallet;

use serde::Serialize;
use serde_json::{Value, json};

use super::event::{Blocking, Entry, Event, Freed, Held, Paid, Refunded};
use super::ids::{ConcertId, LogName, Mark, PaymentId, ReservationId, ShowId};
use super::reservation::Seats;
use super::time::Millis;

/// One event in `CloudEvents`' JSON form. Numbers of money are minor units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: &'static str,
    /// The same whenever this event is told: who sees it twice has seen a repetition.
    pub id: String,
    /// `/concerts/7` or `/wallets/3`: the log. Within one source events are told in order.
    pub source: String,
    /// One of [`TYPES`].
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it is about: a reservation, a payment, a place in line, a show, a user.
    pub subject: String,
    /// When the script that decided it ran.
    pub time: Millis,
    /// Always `application/json`.
    pub datacontenttype: &'static str,
    /// What the schema of its type says.
    pub data: Value,
    /// Events of one concert share it; a wallet's log is its own. Not told: Kafka's key.
    #[serde(skip)]
    pub key: String,
}

/// Every type, in the order of [`told`]'s match.
pub const TYPES: [&str; 26] = [
    "show.opened",
    "show.cancelled",
    "seats.blocked",
    "seats.unblocked",
    "concert.changed",
    "policy.changed",
    "queue.joined",
    "queue.admitted",
    "queue.claimed",
    "queue.extended",
    "queue.ended",
    "reservation.held",
    "reservation.extended",
    "reservation.released",
    "reservation.expired",
    "payment.started",
    "payment.succeeded",
    "payment.failed",
    "payment.captured",
    "payment.voided",
    "payment.refunded",
    "payment.returned",
    "payment.return_refused",
    "points.charged",
    "points.used",
    "points.returned",
];

/// The label of a seat by its show and index; `None`: not known here yet.
pub type Label<'a> = &'a dyn Fn(ShowId, u32) -> Option<String>;

/// A seat of the catalog that this process has not heard of yet: to be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seat {seat} of show {show} is not in the catalog here yet")]
pub struct UnknownSeat {
    /// The show.
    pub show: ShowId,
    /// Index of the seat.
    pub seat: u32,
}

/// All that an entry has to tell, in order; `log_id` is its log's.
pub fn told(
    log: LogName,
    log_id: Mark,
    number: u64,
    entry: &Entry<'_>,
    label: Label<'_>,
) -> Result<Vec<CloudEvent>, UnknownSeat> {
    let mut told = Vec::with_capacity(entry.events.len());
    for (ordinal, event) in entry.events.iter().enumerate() {
        let Some(About { kind, subject, data, concert }) = about(log, entry.at, event, label)? else {
            continue;
        };
        let source = match log {
            LogName::Concert(concert) => format!("/concerts/{concert}"),
            LogName::Wallet(partition) => format!("/wallets/{partition}"),
        };
        told.push(CloudEvent {
            specversion: "1.0",
            id: format!("{log_id}-{number}-{ordinal}"),
            source,
            kind,
            subject,
            time: entry.at,
            datacontenttype: "application/json",
            data,
            key: concert.map_or_else(|| log.to_string(), |concert| concert.to_string()),
        });
    }
    Ok(told)
}

struct About {
    kind: &'static str,
    subject: String,
    data: Value,
    /// Whose line, seats or revenue it concerns.
    concert: Option<ConcertId>,
}

/// What one event says outside. There is no catch-all: a new word of the log (refunds, blocked seats) is named here, and in
/// [`TYPES`] and `docs/events/`, or it does not compile.
fn about(
    log: LogName,
    at: Millis,
    event: &Event<'_>,
    label: Label<'_>,
) -> Result<Option<About>, UnknownSeat> {
    match log {
        LogName::Concert(concert) => about_concert(concert, at, event, label),
        LogName::Wallet(_) => Ok(wallet::about(event)),
    }
}

fn about_concert(
    concert: ConcertId,
    at: Millis,
    event: &Event<'_>,
    label: Label<'_>,
) -> Result<Option<About>, UnknownSeat> {
    let (kind, subject, mut data) = match event {
        Event::Show { show, seats, .. } => {
            ("show.opened", show.to_string(), json!({"showId": show, "seatsTotal": seats}))
        }
        Event::Cancelled { show, reason } => {
            let reason = (!reason.is_empty()).then_some(reason);
            ("show.cancelled", show.to_string(), json!({"showId": show, "reason": reason}))
        }
        Event::Catalog { catalog } => ("concert.changed", concert.to_string(), json!({"version": catalog})),
        Event::Policy { version, json } => {
            let policy: Value = serde_json::from_str(json).unwrap_or(Value::Null);
            ("policy.changed", concert.to_string(), json!({"version": version, "policy": policy}))
        }
        Event::Joined { seq, user } => ("queue.joined", seq.to_string(), json!({"seq": seq, "userId": user})),
        Event::Admitted { seq, user, end, claim_by } => {
            let claim_by = (claim_by.0 != 0).then_some(claim_by);
            let data = json!({"seq": seq, "userId": user, "activeUntil": end, "claimBy": claim_by});
            ("queue.admitted", seq.to_string(), data)
        }
        Event::Claimed { seq, user } => {
            ("queue.claimed", seq.to_string(), json!({"seq": seq, "userId": user}))
        }
        Event::Stretched { seq, user, end } => {
            ("queue.extended", seq.to_string(), json!({"seq": seq, "userId": user, "activeUntil": end}))
        }
        Event::Ended { seq, user, reason } => {
            let data = json!({"seq": seq, "userId": user, "reason": reason.as_str()});
            ("queue.ended", seq.to_string(), data)
        }
        Event::Held(held) => return about_held(concert, at, held, label).map(Some),
        Event::Released(freed) => {
            return about_freed(concert, "reservation.released", freed, label).map(Some);
        }
        Event::Expired(freed) => return about_freed(concert, "reservation.expired", freed, label).map(Some),
        Event::Paid(paid) | Event::Authorised(paid) => return about_paid(concert, paid, label).map(Some),
        Event::Extended(_)
        | Event::Authorising(_)
        | Event::Voiding { .. }
        | Event::Captured(_)
        | Event::Voided(_) => return Ok(card::about(concert, event)),
        Event::Refunded(back) => return about_refunded(concert, back, label).map(Some),
        Event::CardRefund(step) => return card_refund::about(concert, step, label).map(Some),
        Event::Blocked(seats) => return about_blocking(concert, "seats.blocked", seats, label).map(Some),
        Event::Unblocked(seats) => return about_blocking(concert, "seats.unblocked", seats, label).map(Some),
        // The birth of a log is nobody's business; the others stand in wallets' logs only.
        Event::Opened { .. }
        | Event::Charged { .. }
        | Event::Spent { .. }
        | Event::Passed(_)
        | Event::TopUp(_)
        | Event::PassedBack(_)
        | Event::Returned(_)
        // Outside nobody may learn who became whom (0010).
        | Event::Leaving { .. }
        | Event::Forgotten(_) => {
            return Ok(None);
        }
    };
    data["concertId"] = json!(concert);
    Ok(Some(About { kind, subject, data, concert: Some(concert) }))
}

fn about_held(
    concert: ConcertId,
    at: Millis,
    held: &Held<'_>,
    label: Label<'_>,
) -> Result<About, UnknownSeat> {
    let reservation = ReservationId { concert, show: held.show, id: held.reservation }.to_string();
    let data = json!({
        "concertId": concert,
        "showId": held.show,
        "reservationId": reservation,
        "userId": held.user,
        "seats": seats(held.show, &held.seats, label)?,
        "amount": held.amount,
        "createdAt": at,
        "expiresAt": held.end,
    });
    Ok(About { kind: "reservation.held", subject: reservation, data, concert: Some(concert) })
}

fn about_freed(
    concert: ConcertId,
    kind: &'static str,
    freed: &Freed<'_>,
    label: Label<'_>,
) -> Result<About, UnknownSeat> {
    let reservation = ReservationId { concert, show: freed.show, id: freed.reservation }.to_string();
    let data = json!({
        "concertId": concert,
        "showId": freed.show,
        "reservationId": reservation,
        "userId": freed.user,
        "seats": seats(freed.show, &freed.seats, label)?,
    });
    Ok(About { kind, subject: reservation, data, concert: Some(concert) })
}

fn about_paid(concert: ConcertId, paid: &Paid<'_>, label: Label<'_>) -> Result<About, UnknownSeat> {
    let reservation = ReservationId { concert, show: paid.show, id: paid.reservation };
    let payment = PaymentId { reservation, id: paid.payment }.to_string();
    let data = json!({
        "concertId": concert,
        "showId": paid.show,
        "reservationId": reservation.to_string(),
        "paymentId": payment,
        "userId": paid.user,
        "seats": seats(paid.show, &paid.seats, label)?,
        "amount": paid.amount,
        "balance": paid.balance,
    });
    Ok(About { kind: "payment.succeeded", subject: payment, data, concert: Some(concert) })
}

fn about_refunded(concert: ConcertId, back: &Refunded<'_>, label: Label<'_>) -> Result<About, UnknownSeat> {
    let reservation = ReservationId { concert, show: back.show, id: back.reservation }.to_string();
    let data = json!({
        "concertId": concert,
        "showId": back.show,
        "reservationId": reservation,
        "refundId": back.refund.as_str(),
        "userId": back.user,
        "seats": seats(back.show, &back.seats, label)?,
        "amount": back.amount,
        "balance": back.balance,
        "status": back.status,
        "method": "BALANCE",
    });
    Ok(About { kind: "payment.refunded", subject: reservation, data, concert: Some(concert) })
}

fn about_blocking(
    concert: ConcertId,
    kind: &'static str,
    blocking: &Blocking<'_>,
    label: Label<'_>,
) -> Result<About, UnknownSeat> {
    let show = blocking.show;
    let labels = blocking.seats.iter().map(|&seat| label(show, seat).ok_or(UnknownSeat { show, seat }));
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    let data = json!({"concertId": concert, "showId": show, "seats": labels});
    Ok(About { kind, subject: show.to_string(), data, concert: Some(concert) })
}

/// `[{"seat": "A-1-12", "price": 50000}]`, in the order asked.
fn seats(show: ShowId, seats: &Seats, label: Label<'_>) -> Result<Value, UnknownSeat> {
    let told = |&(seat, price): &(u32, i64)| {
        let label = label(show, seat).ok_or(UnknownSeat { show, seat })?;
        Ok(json!({"seat": label, "price": price}))
    };
    seats.0.iter().map(told).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::LogKind;

    const HEAD: &str = "1 00000000000000aa 00000000000000a9 1780000000000\n";
    const ID: &str = "00000000000000000007";

    fn tell(log: LogName, kind: LogKind, lines: &str) -> Result<Vec<CloudEvent>, UnknownSeat> {
        let text = format!("{HEAD}{lines}");
        let entry = Entry::decode(kind, &text).unwrap();
        told(log, Mark(0xfeed), 9, &entry, &|_, seat| (seat < 100).then(|| format!("A-1-{seat}")))
    }

    #[test]
    fn a_payment_is_told_with_its_place_in_the_log_and_the_labels_of_its_seats() {
        let lines = format!("claimed 4 3:a|b\npaid {ID} 12 3:a|b {ID} 1000 9000 7:500,2:500 0: -\n");
        let told = tell(LogName::Concert(ConcertId(7)), LogKind::Concert, &lines).unwrap();
        let paid = serde_json::to_value(&told[1]).unwrap();
        let expected = json!({
            "specversion": "1.0", "id": "000000000000feed-9-1", "source": "/concerts/7", "type": "payment.succeeded",
            "subject": format!("p7-12-{ID}-{ID}"), "time": "2026-05-28T20:26:40.000Z",
            "datacontenttype": "application/json",
            "data": {
                "concertId": 7, "showId": 12, "reservationId": format!("r7-12-{ID}"),
                "paymentId": format!("p7-12-{ID}-{ID}"), "userId": "a|b", "amount": 1000, "balance": 9000,
                "seats": [{"seat": "A-1-7", "price": 500}, {"seat": "A-1-2", "price": 500}],
            },
        });
        assert_eq!((paid, told[1].key.as_str()), (expected, "7"));
    }

    #[test]
    fn a_wallet_has_a_key_of_its_own_unless_a_concert_was_paid() {
        let lines = format!("charged {ID} 1:u 5 5 0: -\npaid {ID} 1:u 7 12 {ID} 5 0\n");
        let told = tell(LogName::Wallet(3), LogKind::Wallet, &lines).unwrap();
        let short: Vec<_> = told.iter().map(|event| (event.kind, event.key.as_str())).collect();
        assert_eq!(short, [("points.charged", "w03"), ("points.used", "7")]);
        assert_eq!(told[0].source, "/wallets/3");
    }

    #[test]
    fn a_seat_that_is_not_known_yet_is_waited_for() {
        let lines = format!("expired {ID} 12 1:u 100:5\n");
        let unknown = tell(LogName::Concert(ConcertId(7)), LogKind::Concert, &lines);
        assert_eq!(unknown, Err(UnknownSeat { show: ShowId(12), seat: 100 }));
    }
}
