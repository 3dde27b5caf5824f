//! A reservation: its seats, its status and the record that Redis holds (formats 1).

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use super::fields::{Fields, Malformed};
use super::ids::{Id20, InvalidId, ShowId};
use super::time::Millis;

/// What a reservation is now. Upper case in JSON, lower case in records and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = ReservationStatus)]
pub enum Status {
    /// Its seats are held until its end.
    Pending,
    /// Paid: its seats are booked.
    Confirmed,
    /// It was not paid in time.
    Expired,
    /// Its owner gave it back.
    Cancelled,
    /// Its money and seats went back.
    Refunded,
}

impl Status {
    /// The word in records, tables and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

impl FromStr for Status {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        [Self::Pending, Self::Confirmed, Self::Expired, Self::Cancelled, Self::Refunded]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(InvalidId)
    }
}

/// Seats by index with their frozen prices (minor units), in the order asked: `7:50000,2:50000`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seats(pub Vec<(u32, i64)>);

impl Seats {
    /// The indexes, in the order asked.
    pub fn indexes(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().map(|&(index, _)| index)
    }

    /// The price of all of them, minor units.
    pub fn total(&self) -> i64 {
        self.0.iter().map(|&(_, price)| price).sum()
    }

    /// Those that are not among `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let stays = |seat: &&(u32, i64)| others.indexes().all(|other| other != seat.0);
        Self(self.0.iter().filter(stays).copied().collect())
    }

    /// Those of a list `index;index`; `None` if it names others.
    fn among(&self, list: &str) -> Option<Self> {
        let seat = |index: &str| {
            let index: u32 = index.parse().ok()?;
            self.0.iter().find(|seat| seat.0 == index).copied()
        };
        list.split(';').map(seat).collect::<Option<_>>().map(Self)
    }
}

impl FromStr for Seats {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let seat = |part: &str| {
            let (index, price) = part.split_once(':')?;
            Some((index.parse().ok()?, price.parse().ok()?))
        };
        text.split(',').map(seat).collect::<Option<_>>().map(Self).ok_or(InvalidId)
    }
}

impl fmt::Display for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (index, price)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            write!(f, "{separator}{index}:{price}")?;
        }
        Ok(())
    }
}

/// A reservation as Redis holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// As last written; see [`Reservation::status_at`].
    pub status: Status,
    /// Its show.
    pub show: ShowId,
    /// Price of all its seats, minor units.
    pub amount: i64,
    /// When it was made.
    pub created: Millis,
    /// It lapses at this time unless paid.
    pub end: Millis,
    /// The catalog version that it was priced and indexed with.
    pub catalog: u64,
    /// Its payment, once CONFIRMED.
    pub payment: Option<Id20>,
    /// Its seats.
    pub seats: Seats,
    /// Its owner's balance after the payment, minor units, once CONFIRMED.
    pub balance_after: Option<i64>,
    /// The card payment that is or was the last under way, unless it was declined; it paid if it is the payment.
    pub card: Option<Id20>,
    /// The last of its card payments that were declined, the last one first.
    pub declined: Vec<Id20>,
    /// Those of its seats that were refunded; [`Reservation::seats`] has them still.
    pub refunded: Seats,
    /// Its owner.
    pub user: String,
}

impl Reservation {
    /// Reads a record.
    pub fn decode(record: &str) -> Result<Self, Malformed> {
        let mut fields = Fields::new(record);
        let status = fields.parse("status")?;
        let show = ShowId(fields.parse("show")?);
        let amount = fields.parse("amount")?;
        let created = Millis(fields.parse("created")?);
        let end = Millis(fields.parse("end")?);
        let catalog = fields.parse("catalog")?;
        let start = fields;
        let payment = match fields.word("payment")? {
            "-" => None,
            id => Some(id.parse().map_err(|_| start.malformed("payment"))?),
        };
        let seats: Seats = fields.parse("seats")?;
        let start = fields;
        let ext = fields.word("ext")?;
        let balance_after = match extra(ext, "balance") {
            None => None,
            Some(balance) => Some(balance.parse().map_err(|_| start.malformed("ext"))?),
        };
        let payments = |name| {
            let ids = extras(ext, name).map(|id| id.parse().map_err(|_| start.malformed("ext")));
            ids.collect::<Result<Vec<Id20>, _>>()
        };
        let (card, overtaken, declined) = (payments("card")?, payments("overtaken")?, payments("declined")?);
        let card = card.first().or(overtaken.first()).copied();
        let refunded = match extra(ext, "refunded") {
            None => Seats::default(),
            Some(list) => seats.among(list).ok_or_else(|| start.malformed("ext"))?,
        };
        let user = fields.rest().to_owned();
        Ok(Self {
            status,
            show,
            amount,
            created,
            end,
            catalog,
            payment,
            seats,
            balance_after,
            card,
            declined,
            refunded,
            user,
        })
    }

    /// The price of its seats with these indexes; of none: of all that were not refunded. Minor units.
    pub fn price_of(&self, indexes: &[u32]) -> i64 {
        if indexes.is_empty() {
            return self.seats.without(&self.refunded).total();
        }
        self.seats.0.iter().filter(|(index, _)| indexes.contains(index)).map(|&(_, price)| price).sum()
    }

    /// Whether a card paid it: its money goes back to the card, never to a balance.
    pub fn is_paid_by_card(&self) -> bool {
        self.payment.is_some() && self.payment == self.card
    }

    /// What it is at `now`: a PENDING one is EXPIRED from its end on, swept or not (invariant 2).
    pub fn status_at(&self, now: Millis) -> Status {
        if self.status == Status::Pending && now >= self.end { Status::Expired } else { self.status }
    }
}

/// The value of a name in `name=value,…`; other names are later versions'.
fn extra<'a>(ext: &'a str, name: &str) -> Option<&'a str> {
    extras(ext, name).next()
}

/// The values of a name that may stand there more than once.
fn extras<'a>(ext: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    ext.split(',').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_whole() {
        let record = "pending 12 100000 1780000000000 1780000300000 3 - 7:50000,2:50000 - a b|c";
        let reservation = Reservation::decode(record).unwrap();
        assert_eq!((reservation.user.as_str(), reservation.balance_after), ("a b|c", None));
        assert_eq!(reservation.seats.to_string(), "7:50000,2:50000");
        assert_eq!(reservation.status_at(Millis(1_780_000_299_999)), Status::Pending);
        assert_eq!(reservation.status_at(Millis(1_780_000_300_000)), Status::Expired);
    }

    #[test]
    fn refunded_seats_keep_their_price_and_leave_the_others() {
        let record = format!("confirmed 12 6 1 2 3 {} 7:1,9:2,4:3 balance=5,refunded=4;7 u", "0".repeat(20));
        let reservation = Reservation::decode(&record).unwrap();
        assert_eq!(reservation.refunded.to_string(), "4:3,7:1");
        assert_eq!(reservation.seats.without(&reservation.refunded).to_string(), "9:2");
        assert_eq!(reservation.balance_after, Some(5));
        assert_eq!((reservation.price_of(&[]), reservation.price_of(&[4, 9, 8])), (2, 5));
    }

    #[test]
    fn card_payments_are_remembered_with_how_they_ended() {
        let ids = ["1", "2", "3"].map(|digit| digit.repeat(20));
        let [one, two, three] = &ids;
        let read = |payment: &str, ext: &str| {
            let read = Reservation::decode(&format!("confirmed 12 1 1 2 3 {payment} 7:1 {ext} u")).unwrap();
            let declined: Vec<_> = read.declined.iter().map(ToString::to_string).collect();
            (read.is_paid_by_card(), read.card.map(|id| id.to_string()), declined)
        };
        let declined = format!("declined={two},declined={one}");
        let before = vec![two.clone(), one.clone()];
        let by_card = format!("balance=0,card={three},{declined}");
        assert_eq!(read(three, &by_card), (true, Some(three.clone()), before.clone()));
        let overtaken = format!("balance=0,overtaken={three},{declined},refunded=7");
        assert_eq!(read(&"4".repeat(20), &overtaken), (false, Some(three.clone()), before.clone()));
        assert_eq!(read("-", &declined), (false, None, before));
        assert_eq!(read("-", "-"), (false, None, Vec::new()));
    }

    #[test]
    fn the_balance_is_found_among_other_extras() {
        let record = |ext: &str| {
            let id = "0".repeat(20);
            Reservation::decode(&format!("confirmed 12 1 1 2 3 {id} 7:1 {ext} u"))
                .map(|read| read.balance_after)
        };
        assert_eq!(record("balance=50").unwrap(), Some(50));
        assert_eq!(record("refunded=7,balance=0").unwrap(), Some(0));
        assert!(record("balance=1,refunded=3").is_err());
        assert_eq!(record("old_balance=1").unwrap(), None);
        assert!(record("balance=x").is_err());
    }
}
