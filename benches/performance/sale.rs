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
    Result, SOON,
    catalog::{Hall, PRICE, Seats, WIDE_OPEN},
    direct::Direct,
    journey::{Buyer, Holding},
    people::{Person, Signer, Turn, users},
    plan::Plan,
    site::Site,
    stats,
};

/// The only concert.
pub(crate) const CONCERT: ConcertId = ConcertId(1);

/// An installation whose users are all admitted.
pub(crate) struct Sale {
    pub(crate) site: Site,
    pub(crate) direct: Direct,
    pub(crate) people: Arc<[Person]>,
    pub(crate) seats: Seats,
    /// Each user buys once: he has the price of one seat, and his place ends with the purchase.
    funded: bool,
}

impl Sale {
    /// With the users of the plan, in a hall of its size.
    pub(crate) async fn open(plan: &Plan) -> Result<Self> {
        Self::open_for(plan, plan.users, &[]).await
    }

    /// The same with so many users and these settings (see [`Site::open_with`]).
    pub(crate) async fn open_for(plan: &Plan, count: usize, settings: &[(&str, &str)]) -> Result<Self> {
        let hall = Hall::of(plan);
        let site = Site::open_with(&hall.yaml(WIDE_OPEN), settings).await?;
        let mut direct = Direct::open(&site, CONCERT).await?;
        let places = direct.join(&users(count)).await?;
        let people = Signer::new(&site.config()?)?.placed(CONCERT, &places)?;
        admitted(&site).await?;
        site.drained().await?;
        Ok(Self { site, direct, people, seats: hall.seats(), funded: false })
    }

    /// With the buyers of the plan, each of whom has the price of one seat.
    pub(crate) async fn open_funded(plan: &Plan) -> Result<Self> {
        let mut sale = Self::open_for(plan, plan.buyers, &[]).await?;
        sale.funded = true;
        let partitions = u8::try_from(sale.site.config()?.wallet.partitions)?;
        sale.direct.charge(&users(plan.buyers), PRICE, partitions).await?;
        sale.site.drained().await?;
        Ok(sale)
    }

    /// One for each connection; `first` keeps the keys of several sets apart.
    pub(crate) fn buyers(&self, connections: usize, first: usize) -> Vec<Buyer> {
        let turns = Turn::split(&self.people, connections).into_iter().enumerate();
        turns
            .map(|(number, turn)| (number, if self.funded { turn.once() } else { turn }))
            .map(|(number, turn)| Buyer { turn, seats: self.seats.clone(), number: first + number, sent: 0 })
            .collect()
    }

    /// Those who hold and never pay.
    pub(crate) fn holding(&self, connections: usize, first: usize) -> Vec<Holding> {
        let buyers = self.buyers(connections, first).into_iter();
        buyers.map(|buyer| Holding { buyer, basket: None }).collect()
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
pub(crate) async fn admitted(site: &Site) -> Result<()> {
    let end = Instant::now() + SOON;
    while stats::waiting(site, CONCERT).await? > 0 {
        if Instant::now() > end {
            return Err("the line does not move".into());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}
