//! An installation with people who are admitted, and the holds that they ask for.

use std::{sync::Arc, time::Instant};

use onsale::{
    domain::{
        ids::{ConcertId, Id20, Mark, ShowId},
        reservation::Seats as Priced,
    },
    store::HoldRequest,
};

use crate::{
    Result,
    catalog::{Hall, PRICE, Seats, WIDE_OPEN},
    direct::Direct,
    load::{Answer, Source},
    people::{Person, Signer, Turn, users},
    plan::Plan,
    site::{READY, Site},
    stats,
};

/// The only concert.
pub(crate) const CONCERT: ConcertId = ConcertId(1);

/// Holds one seat after the other, each for the user whose turn it is.
pub(crate) struct Holding {
    turn: Turn,
    seats: Seats,
    sent: u64,
    number: usize,
}

impl Source for Holding {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some(seat) = self.seats.take() else {
            return false;
        };
        self.sent += 1;
        let Person { identity, queue, .. } = self.turn.next();
        let body = format!("{{\"showId\":{},\"seats\":[\"{}\"]}}", seat.show, seat.label());
        let head = format!(
            "POST /v1/reservations HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {identity}\r\nQueue-Token: {queue}\r\n\
             Idempotency-Key: {}-{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.number,
            self.sent,
            body.len()
        );
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body.as_bytes());
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == 201
    }
}

/// An installation whose users are all admitted.
pub(crate) struct Sale {
    pub(crate) site: Site,
    pub(crate) direct: Direct,
    pub(crate) people: Arc<[Person]>,
    pub(crate) seats: Seats,
}

impl Sale {
    pub(crate) async fn open(plan: &Plan) -> Result<Self> {
        let hall = Hall::of(plan);
        let site = Site::open(&hall.yaml(WIDE_OPEN)).await?;
        let mut direct = Direct::open(&site, CONCERT).await?;
        let places = direct.join(&users(plan.users)).await?;
        let people = Signer::new(&site.config()?)?.placed(CONCERT, &places)?;
        admitted(&site).await?;
        site.drained().await?;
        Ok(Self { site, direct, people, seats: hall.seats() })
    }

    /// One for each connection; `first` keeps the keys of several sets apart.
    pub(crate) fn sources(&self, connections: usize, first: usize) -> Vec<Holding> {
        let turns = Turn::split(&self.people, connections).into_iter().enumerate();
        turns
            .map(|(number, turn)| Holding {
                turn,
                seats: self.seats.clone(),
                sent: 0,
                number: first + number,
            })
            .collect()
    }

    /// The same holds as the script takes them.
    pub(crate) async fn requests(&mut self) -> Result<impl Iterator<Item = HoldRequest> + use<>> {
        let catalog = self.direct.catalog().await?;
        let (people, seats) = (Arc::clone(&self.people), self.seats.clone());
        let asked = (0..people.len()).cycle().map(move |number| people[number].clone());
        Ok(asked.enumerate().map_while(move |(number, person)| {
            let seat = seats.take()?;
            Some(HoldRequest {
                show: ShowId(seat.show),
                user: person.user,
                seq: Some(person.seq),
                catalog,
                seats: Priced(vec![(seat.index, PRICE)]),
                reservation: Id20::from_bits(rand::random()).with_seats(1),
                key: Some(format!("d-{number}")),
                fingerprint: Mark(rand::random()),
            })
        }))
    }
}

/// Waits until nobody is in line any more.
async fn admitted(site: &Site) -> Result<()> {
    let end = Instant::now() + READY;
    while stats::waiting(site, CONCERT).await? > 0 {
        if Instant::now() > end {
            return Err("the line does not move".into());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}
