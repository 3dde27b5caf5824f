//! Join, poll as told, choose seats, hold, charge, pay, look at the tickets.

use std::time::{Duration, Instant};

use goose::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::buyer;
use crate::client::{Answer, Call};
use crate::sale::Sale;

/// How long a buyer stays in line.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a buyer looks for other seats when somebody was faster.
const TRIES: u32 = 10;
const SEATS: usize = 2;

/// A place in line; fields as the contract names them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    token: Option<String>,
    status: String,
    position: u64,
    poll_after_seconds: u64,
}

#[derive(Deserialize)]
struct Reservation {
    #[serde(rename = "reservationId")]
    id: String,
    seats: Vec<String>,
    status: String,
    amount: u64,
    #[serde(default)]
    tickets: Vec<Ticket>,
}

#[derive(Deserialize)]
struct Ticket {
    code: String,
}

/// One journey of a buyer that nobody was before; an error breaks it off, and goose counts it.
pub(crate) async fn buy(user: &mut GooseUser, sale: &Sale) -> TransactionResult {
    let identity = buyer::sign_in(sale)?;
    let queue_token = enter(user, sale, &identity).await?;
    let held = hold(user, sale, &identity, &queue_token).await?;

    let charge =
        Call::post("/v1/users/{id}/balance", "/v1/users/me/balance", &json!({"amount": held.amount}))?;
    charge.bearer(&identity).header("Idempotency-Key", "charge-1").send(user).await?;
    let pay = Call::post("/v1/payments", "/v1/payments", &json!({"reservationId": held.id}))?;
    let pay = pay.bearer(&identity).header("Queue-Token", &queue_token).header("Idempotency-Key", "pay-1");
    pay.send(user).await?;

    let look = Call::get("/v1/reservations/{id}", format!("/v1/reservations/{}", held.id));
    let paid: Reservation = look.bearer(&identity).send(user).await?.read()?;
    let has_tickets =
        paid.tickets.len() == held.seats.len() && paid.tickets.iter().all(|t| !t.code.is_empty());
    if paid.status != "CONFIRMED" || !has_tickets {
        return Err(format!("paid, but {} with {} tickets", paid.status, paid.tickets.len()).into());
    }
    sale.count_tickets(paid.tickets.len());
    Ok(())
}

/// The queue token, once its place is active.
async fn enter(user: &mut GooseUser, sale: &Sale, identity: &str) -> Result<String, Box<TransactionError>> {
    let begun = Instant::now();
    let join = Call::post("/v1/queue/tokens", "/v1/queue/tokens", &json!({"concertId": sale.concert}))?;
    let mut place: Place = join.bearer(identity).send(user).await?.read()?;
    let mut token = place.token.take().ok_or("a join gave no token")?;
    while place.status != "ACTIVE" {
        if begun.elapsed() > PATIENCE {
            return Err(format!("still at {} after {PATIENCE:?}", place.position).into());
        }
        tokio::time::sleep(Duration::from_secs(place.poll_after_seconds)).await;
        let poll = Call::get("/v1/queue/status", "/v1/queue/status".to_owned());
        let before = place.position;
        place = poll.bearer(&token).send(user).await?.read()?;
        if place.position > before {
            return Err(format!("the place fell from {before} to {}", place.position).into());
        }
        token = place.token.take().unwrap_or(token);
    }
    Ok(token)
}

async fn hold(
    user: &mut GooseUser,
    sale: &Sale,
    identity: &str,
    queue_token: &str,
) -> Result<Reservation, Box<TransactionError>> {
    for tried in 1..=TRIES {
        let seats = sale.free_seats(user, SEATS).await?;
        let form = json!({"showId": sale.show, "seats": seats});
        let hold = Call::post("/v1/reservations", "/v1/reservations", &form)?;
        let hold = hold.bearer(identity).header("Queue-Token", queue_token);
        let hold = hold.header("Idempotency-Key", &format!("hold-{tried}")).or("seat_unavailable");
        match hold.send(user).await? {
            Answer::Conflict => {}
            done @ Answer::Done(_) => return done.read(),
        }
    }
    Err(format!("{TRIES} times somebody was faster").into())
}
