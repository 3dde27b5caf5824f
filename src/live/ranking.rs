//! Rankings of concerts, made from the views when asked for: a few microseconds for each hundred concerts.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Live;
use super::catalog::ConcertView;

/// A concert's place in a ranking.
#[derive(Clone)]
pub struct Ranked {
    /// From 1, without gaps or shared places.
    pub rank: u64,
    /// The concert.
    pub concert: Arc<ConcertView>,
    /// Seats booked, all its shows.
    pub booked: u64,
    /// From `opensAt` (without one: from the first hold) to the last seat sold; `None`: not sold out, or not known.
    pub sold_out_in_seconds: Option<u64>,
}

impl Live {
    /// All concerts, most seats booked first, then by id.
    pub fn ranking_by_booked(&self) -> Vec<Ranked> {
        let mut ranking = self.unranked();
        ranking.sort_by_key(|ranked| Reverse(ranked.booked));
        numbered(ranking)
    }

    /// The concerts that are sold out, fastest first, then by id.
    pub fn ranking_by_sold_out(&self) -> Vec<Ranked> {
        let mut ranking = self.unranked();
        ranking.retain(|ranked| ranked.sold_out_in_seconds.is_some());
        ranking.sort_by_key(|ranked| ranked.sold_out_in_seconds);
        numbered(ranking)
    }

    /// By id, which the stable sorts of the rankings keep among equals.
    fn unranked(&self) -> Vec<Ranked> {
        let entry = |concert: &Arc<ConcertView>| Ranked {
            rank: 0,
            booked: concert.sales().booked,
            sold_out_in_seconds: concert.sold_out_in_seconds(),
            concert: Arc::clone(concert),
        };
        self.concerts().iter().map(entry).collect()
    }
}

fn numbered(mut ranking: Vec<Ranked>) -> Vec<Ranked> {
    for (rank, ranked) in (1..).zip(&mut ranking) {
        ranked.rank = rank;
    }
    ranking
}
