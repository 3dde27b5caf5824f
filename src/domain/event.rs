//! What log entries say (formats 2): one event a line, absolute state, read without copying.
//!
//! A version or word that is not known here is an error, never skipped: a follower that passed over it would
//! store a history that did not happen.

mod blocking;
mod card;
mod forgotten;
mod refund;
mod top_up;

use super::fields::{Fields, Malformed};
use super::ids::{ConcertId, Id20, LogName, Mark, ReservationId, ShowId};
use super::reservation::Seats;
use super::time::Millis;

pub use self::blocking::Blocking;
pub use self::card::{Authorising, Card, Extended, Passed, VoidReason};
pub use self::forgotten::{Forgotten, Naming};
pub use self::refund::{CardRefund, OpenRefund, Refunded, Returned};
pub use self::top_up::{TopUp, TopUpStep};

/// The version of the entry format written and read here.
pub const VERSION: &str = "1";

/// One log entry: all events of one script call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its own mark.
    pub mark: Mark,
    /// The mark of the entry before it; zero for the first.
    pub previous: Mark,
    /// The time of the script call.
    pub at: Millis,
    /// What happened, in order.
    pub events: Vec<Event<'a>>,
}

/// How a place in line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its owner left.
    Left,
    /// Its time was over.
    Lapsed,
    /// It was not claimed in time.
    Unclaimed,
    /// Its owner paid his last PENDING reservation.
    Paid,
    /// Its owner reserved, under `endTokenOn: reservation`.
    Reserved,
}

/// A hold, as `held` tells it; created at the time of its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<'a> {
    /// The reservation.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Its owner.
    pub user: &'a str,
    /// Price of all its seats, minor units.
    pub amount: i64,
    /// It lapses at this time.
    pub end: Millis,
    /// The catalog version that it was priced with.
    pub catalog: u64,
    /// Its seats in the order asked, with their prices.
    pub seats: Seats,
    /// The request that made it; empty if the client sent no key.
    pub request: &'a str,
    /// Fingerprint of that request; `-` without one.
    pub fingerprint: &'a str,
}

/// Seats that went back, as `released` and `expired` tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed<'a> {
    /// The reservation that ended.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Its owner.
    pub user: &'a str,
    /// The seats that are available again.
    pub seats: Seats,
}

/// A payment, as `paid` in a concert's log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid<'a> {
    /// The reservation that is CONFIRMED now.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Its owner.
    pub user: &'a str,
    /// The payment.
    pub payment: Id20,
    /// Minor units.
    pub amount: i64,
    /// The owner's balance after it.
    pub balance: i64,
    /// The seats that are booked now.
    pub seats: Seats,
    /// The request that paid; empty if the client sent no key.
    pub request: &'a str,
    /// Fingerprint of that request; `-` without one.
    pub fingerprint: &'a str,
}

/// One event. Users are as the log holds them.
#[expect(missing_docs, reason = "fields are named and described in formats 2")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The log's first.
    Opened { log_id: Mark, epoch: u32 },
    /// A show is on sale or has grown to `seats`.
    Show { show: ShowId, seats: u32, catalog: u64 },
    /// Something of the catalog changed that only MySQL holds.
    Catalog { catalog: u64 },
    /// The whole policy, as JSON.
    Policy { version: u64, json: &'a str },
    /// A user waits.
    Joined { seq: u64, user: &'a str },
    /// A user is active until `end`; `claim_by` 0: need not claim.
    Admitted { seq: u64, user: &'a str, end: Millis, claim_by: Millis },
    /// He showed that he is there.
    Claimed { seq: u64, user: &'a str },
    /// His active place ends at `end` now.
    Stretched { seq: u64, user: &'a str, end: Millis },
    /// The place is gone.
    Ended { seq: u64, user: &'a str, reason: EndReason },
    /// Seats are held.
    Held(Held<'a>),
    /// The owner gave them back: CANCELLED.
    Released(Freed<'a>),
    /// Their time was over: EXPIRED.
    Expired(Freed<'a>),
    /// They are booked: CONFIRMED.
    Paid(Paid<'a>),
    /// The hold lapses later.
    Extended(Extended<'a>),
    /// A card payment begins.
    Authorising(Authorising<'a>),
    /// A card pays: CONFIRMED, as `paid` but that the balance stays; the gateway is to be told to take the money.
    Authorised(Paid<'a>),
    /// A card payment buys nothing; the gateway is to be told to let the money go.
    Voiding { card: Card<'a>, reason: VoidReason },
    /// The gateway has taken the money.
    Captured(Card<'a>),
    /// The gateway has let it go.
    Voided(Card<'a>),
    /// Some or all of its seats are available again, paid back.
    Refunded(Refunded<'a>),
    /// What a card paid goes back to it.
    CardRefund(CardRefund<'a>),
    /// Available seats are not for sale any more.
    Blocked(Blocking<'a>),
    /// Blocked seats are available again.
    Unblocked(Blocking<'a>),
    /// A show is cancelled: nothing of it is sold any more.
    Cancelled { show: ShowId, reason: &'a str },
    /// Wallet: money came in.
    Charged { charge: Id20, user: &'a str, amount: i64, balance: i64, request: &'a str, fingerprint: &'a str },
    /// Wallet: money went to a concert.
    Spent { payment: Id20, user: &'a str, reservation: ReservationId, amount: i64, balance: i64 },
    /// Wallet: money of a card went to a concert.
    Passed(Passed<'a>),
    /// Wallet: money came back from a concert.
    Returned(Returned<'a>),
    /// Wallet: a step of a charge through the gateway.
    TopUp(TopUp<'a>),
    /// Wallet: money of a concert goes back to a card.
    PassedBack(Returned<'a>),
    /// Both: a user has another name from here on.
    Forgotten(Forgotten<'a>),
    /// Wallet: he is about to, and pays nothing until then.
    Leaving { user: &'a str },
}

/// Which words an entry may hold: `paid` has one form in a concert's log and one in a wallet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// A concert's log.
    Concert,
    /// A wallet partition's log.
    Wallet,
}

impl LogKind {
    /// That of a log.
    pub fn of(log: LogName) -> Self {
        match log {
            LogName::Concert(_) => Self::Concert,
            LogName::Wallet(_) => Self::Wallet,
        }
    }
}

impl<'a> Entry<'a> {
    /// Reads the text of one entry.
    pub fn decode(kind: LogKind, text: &'a str) -> Result<Self, Malformed> {
        let mut fields = Fields::new(text);
        if fields.word("version")? != VERSION {
            return Err(Malformed { field: "version", at: 0 });
        }
        let mark = fields.parse("mark")?;
        let previous = fields.parse("previous mark")?;
        let at = Millis(fields.parse("time")?);
        let mut events = Vec::new();
        while !fields.is_empty() {
            events.push(Event::decode(kind, &mut fields)?);
        }
        Ok(Self { mark, previous, at, events })
    }
}

impl<'a> Event<'a> {
    fn decode(kind: LogKind, fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        let start = *fields;
        let word = fields.word("event word")?;
        let event = match (kind, word) {
            (_, "opened") => {
                Some(Self::Opened { log_id: fields.parse("log id")?, epoch: fields.parse("epoch")? })
            }
            (_, "forgotten") => Some(Self::Forgotten(forgotten::decode(fields)?)),
            (LogKind::Concert, _) => Self::decode_concert(word, fields)?,
            (LogKind::Wallet, _) => Self::decode_wallet(word, fields)?,
        };
        event.ok_or_else(|| start.malformed("event word"))
    }

    fn decode_concert(word: &str, fields: &mut Fields<'a>) -> Result<Option<Self>, Malformed> {
        Ok(Some(match word {
            "show" => Self::Show {
                show: ShowId(fields.parse("show")?),
                seats: fields.parse("seats")?,
                catalog: fields.parse("catalog")?,
            },
            "catalog" => Self::Catalog { catalog: fields.parse("catalog")? },
            "policy" => {
                Self::Policy { version: fields.parse("policy version")?, json: fields.text("policy")? }
            }
            "held" => Self::Held(decode_held(fields)?),
            "released" => {
                let freed = decode_freed(fields)?;
                fields.word("reason")?;
                Self::Released(freed)
            }
            "expired" => Self::Expired(decode_freed(fields)?),
            "paid" => Self::Paid(decode_paid(fields)?),
            "cancelled" => {
                Self::Cancelled { show: ShowId(fields.parse("show")?), reason: fields.text("reason")? }
            }
            "blocked" => Self::Blocked(blocking::decode(fields)?),
            "unblocked" => Self::Unblocked(blocking::decode(fields)?),
            "refunded" => Self::Refunded(refund::decode_refunded(fields)?),
            "refunding" | "returned" | "refused" => Self::CardRefund(refund::decode_step(word, fields)?),
            _ => return Self::decode_card(word, fields),
        }))
    }

    fn decode_card(word: &str, fields: &mut Fields<'a>) -> Result<Option<Self>, Malformed> {
        Ok(Some(match word {
            "extended" => Self::Extended(card::decode_extended(fields)?),
            "authorising" => Self::Authorising(card::decode_authorising(fields)?),
            "authorised" => Self::Authorised(decode_paid(fields)?),
            "voiding" => {
                Self::Voiding { card: card::decode_card(fields)?, reason: card::decode_void_reason(fields)? }
            }
            "captured" => Self::Captured(card::decode_card(fields)?),
            "voided" => Self::Voided(card::decode_card(fields)?),
            _ => return Self::decode_queue(word, fields),
        }))
    }

    fn decode_queue(word: &str, fields: &mut Fields<'a>) -> Result<Option<Self>, Malformed> {
        if !["joined", "admitted", "claimed", "stretched", "ended"].contains(&word) {
            return Ok(None);
        }
        let seq = fields.parse("seq")?;
        let user = fields.text("user")?;
        Ok(Some(match word {
            "joined" => Self::Joined { seq, user },
            "claimed" => Self::Claimed { seq, user },
            "stretched" => Self::Stretched { seq, user, end: Millis(fields.parse("end")?) },
            "admitted" => Self::Admitted {
                seq,
                user,
                end: Millis(fields.parse("end")?),
                claim_by: Millis(fields.parse("claim by")?),
            },
            _ => Self::Ended { seq, user, reason: decode_reason(fields)? },
        }))
    }

    fn decode_wallet(word: &str, fields: &mut Fields<'a>) -> Result<Option<Self>, Malformed> {
        Ok(Some(match word {
            "charged" => Self::Charged {
                charge: fields.parse("charge")?,
                user: fields.text("user")?,
                amount: fields.parse("amount")?,
                balance: fields.parse("balance")?,
                request: fields.text("request")?,
                fingerprint: fields.word("fingerprint")?,
            },
            "paid" => Self::Spent {
                payment: fields.parse("payment")?,
                user: fields.text("user")?,
                reservation: decode_reservation(fields)?,
                amount: fields.parse("amount")?,
                balance: fields.parse("balance")?,
            },
            "authorised" => Self::Passed(card::decode_passed(fields)?),
            "leaving" => Self::Leaving { user: fields.text("user")? },
            "refunded" => Self::Returned(refund::decode_returned(fields)?),
            "refunding" => Self::PassedBack(refund::decode_returned(fields)?),
            _ => return Ok(top_up::decode(word, fields)?.map(Self::TopUp)),
        }))
    }
}

fn decode_held<'a>(fields: &mut Fields<'a>) -> Result<Held<'a>, Malformed> {
    Ok(Held {
        reservation: fields.parse("reservation")?,
        show: ShowId(fields.parse("show")?),
        user: fields.text("user")?,
        amount: fields.parse("amount")?,
        end: Millis(fields.parse("end")?),
        catalog: fields.parse("catalog")?,
        seats: fields.parse("seats")?,
        request: fields.text("request")?,
        fingerprint: fields.word("fingerprint")?,
    })
}

/// A reservation as logs of wallets name it.
fn decode_reservation(fields: &mut Fields<'_>) -> Result<ReservationId, Malformed> {
    Ok(ReservationId {
        concert: ConcertId(fields.parse("concert")?),
        show: ShowId(fields.parse("show")?),
        id: fields.parse("reservation")?,
    })
}

fn decode_freed<'a>(fields: &mut Fields<'a>) -> Result<Freed<'a>, Malformed> {
    Ok(Freed {
        reservation: fields.parse("reservation")?,
        show: ShowId(fields.parse("show")?),
        user: fields.text("user")?,
        seats: fields.parse("seats")?,
    })
}

fn decode_paid<'a>(fields: &mut Fields<'a>) -> Result<Paid<'a>, Malformed> {
    Ok(Paid {
        reservation: fields.parse("reservation")?,
        show: ShowId(fields.parse("show")?),
        user: fields.text("user")?,
        payment: fields.parse("payment")?,
        amount: fields.parse("amount")?,
        balance: fields.parse("balance")?,
        seats: fields.parse("seats")?,
        request: fields.text("request")?,
        fingerprint: fields.word("fingerprint")?,
    })
}

fn decode_reason(fields: &mut Fields<'_>) -> Result<EndReason, Malformed> {
    let start = *fields;
    Ok(match fields.word("end reason")? {
        "left" => EndReason::Left,
        "lapsed" => EndReason::Lapsed,
        "unclaimed" => EndReason::Unclaimed,
        "paid" => EndReason::Paid,
        "reserved" => EndReason::Reserved,
        _ => return Err(start.malformed("end reason")),
    })
}

impl EndReason {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 5] = [Self::Left, Self::Lapsed, Self::Unclaimed, Self::Paid, Self::Reserved];

    /// The word in logs and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lapsed => "lapsed",
            Self::Unclaimed => "unclaimed",
            Self::Paid => "paid",
            Self::Reserved => "reserved",
        }
    }
}

#[cfg(test)]
mod tests;
