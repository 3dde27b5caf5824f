//! Card payments: what the scripts decide of them; what the gateway is asked and told is none of their business.

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::coalesce::Verb;
use super::reply::{MalformedReply, Outcome};
use super::reservation::request_id;
use super::scan::Index;
use super::scripts::{self, Script};
use super::{Answer, Failure, Store, fault, keys};
use crate::domain::card::{CardPayment, CardState};
use crate::domain::ids::{ConcertId, Id20, LogName, Mark, PaymentId, ReservationId, ShowId, UserId};
use crate::domain::reservation::Seats;
use crate::domain::time::Millis;

/// How long a hold lasts at least once its first card payment begins: a buyer's way to his bank and back. Once a reservation, so
/// a hold never outlives its first end by more.
const STRETCH_MS: u64 = 600_000;

/// A reservation that its owner wants to pay by card.
#[derive(Clone, Debug)]
pub struct AuthoriseRequest {
    /// The reservation.
    pub reservation: ReservationId,
    /// Who pays; he must own it.
    pub user: UserId,
    /// The id that the payment gets.
    pub payment: Id20,
    /// The client's `Idempotency-Key`.
    pub key: Option<String>,
    /// Of the request as parsed.
    pub fingerprint: Mark,
}

/// What a card payment is that began by this request or an equal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Not at its end.
    Open(CardState),
    /// The gateway said no; nothing was tried since.
    Declined,
    /// Captured or voided.
    Ended,
}

/// A card payment as it was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorising {
    /// Its id; another than asked for when replayed.
    pub payment: Id20,
    /// The show.
    pub show: ShowId,
    /// The seats that it is to book, with their prices.
    pub seats: Seats,
    /// Minor units.
    pub amount: i64,
    /// When the hold lapses.
    pub end: Millis,
    /// How far it is by now.
    pub state: Begun,
}

/// What the gateway says of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The money is reserved.
    Authorised,
    /// It will never be.
    Declined,
    /// Neither yet.
    Pending,
}

/// What is left to do for a card payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Its seats are booked: take the money.
    Capture,
    /// It buys nothing: let the money go.
    Void,
    /// Ask the gateway again.
    Wait,
    /// Nothing.
    Nothing,
}

/// What the gateway has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Taken the money.
    Captured,
    /// Let it go.
    Voided,
    /// Given it back, by the name of a refund.
    Returned,
    /// Refused to, by the name of a refund.
    Refused,
}

pub(super) struct Authorise;
pub(super) struct Confirm;
pub(super) struct Settle;

/// What was decided is asked of the script with what the gateway says.
pub(super) struct ConfirmRequest {
    payment: PaymentId,
    partition: u8,
    verdict: Verdict,
}

pub(super) struct SettleRequest {
    payment: Id20,
    done: Done,
}

impl Verb for Authorise {
    type Request = AuthoriseRequest;
    type Reply = Authorising;

    fn script() -> &'static Script {
        &scripts::AUTHORISE
    }

    fn weight(request: &AuthoriseRequest) -> usize {
        request.reservation.id.seats()
    }

    fn show(request: &AuthoriseRequest) -> Option<ShowId> {
        Some(request.reservation.show)
    }

    fn push(request: &AuthoriseRequest, command: &mut Cmd) {
        let AuthoriseRequest { reservation, user, payment, key, fingerprint } = request;
        command.arg(user.as_str()).arg(reservation.show.0).arg(reservation.id.as_str()).arg(payment.as_str());
        // The verb of `pay`: one request of a client, whatever it is paid by.
        command.arg(request_id(user, "pay", key.as_deref())).arg(fingerprint.to_string()).arg(STRETCH_MS);
    }

    fn read(outcome: &Outcome) -> Result<Option<(Authorising, bool)>, MalformedReply> {
        let name = outcome.name()?;
        if name != "authorising" && name != "replayed" {
            return Ok(None);
        }
        let state = match outcome.text(7)? {
            "declined" => Begun::Declined,
            "ended" => Begun::Ended,
            _ => Begun::Open(outcome.parse(7)?),
        };
        let authorising = Authorising {
            show: ShowId(outcome.number(2)?),
            payment: outcome.parse(3)?,
            seats: outcome.parse(4)?,
            amount: outcome.number(5)?,
            end: outcome.millis(6)?,
            state,
        };
        Ok(Some((authorising, name == "replayed")))
    }
}

impl Verb for Confirm {
    type Request = ConfirmRequest;
    type Reply = Task;
    const WALLETS: bool = true;

    fn script() -> &'static Script {
        &scripts::CONFIRM
    }

    fn weight(request: &ConfirmRequest) -> usize {
        request.payment.reservation.id.seats()
    }

    fn show(request: &ConfirmRequest) -> Option<ShowId> {
        Some(request.payment.reservation.show)
    }

    fn partition(request: &ConfirmRequest) -> Option<u8> {
        Some(request.partition)
    }

    fn push(request: &ConfirmRequest, command: &mut Cmd) {
        let verdict = match request.verdict {
            Verdict::Authorised => "authorised",
            Verdict::Declined => "declined",
            Verdict::Pending => "pending",
        };
        command.arg(request.payment.id.as_str()).arg(LogName::Wallet(request.partition).to_string());
        command.arg(verdict);
    }

    fn read(outcome: &Outcome) -> Result<Option<(Task, bool)>, MalformedReply> {
        let task = match outcome.name()? {
            "capture" => Task::Capture,
            "void" => Task::Void,
            "pending" => Task::Wait,
            "settled" => Task::Nothing,
            _ => return Ok(None),
        };
        Ok(Some((task, false)))
    }
}

impl Verb for Settle {
    type Request = SettleRequest;
    type Reply = bool;

    fn script() -> &'static Script {
        &scripts::SETTLE
    }

    fn push(request: &SettleRequest, command: &mut Cmd) {
        let done = match request.done {
            Done::Captured => "captured",
            Done::Voided => "voided",
            Done::Returned => "returned",
            Done::Refused => "refused",
        };
        command.arg(request.payment.as_str()).arg(done);
    }

    fn read(outcome: &Outcome) -> Result<Option<(bool, bool)>, MalformedReply> {
        Ok(match outcome.name()? {
            "settled" => Some((true, false)),
            "kept" => Some((false, false)),
            _ => None,
        })
    }
}

impl Store {
    /// Begins a card payment of a PENDING reservation; its hold is stretched.
    pub async fn authorise(
        &self,
        request: AuthoriseRequest,
        deadline: Instant,
    ) -> Result<Answer<Authorising>, Failure> {
        self.lanes(request.reservation.concert).authorise.call(request, deadline).await
    }

    /// Decides what becomes of a card payment of which the gateway says this: what is left to do.
    pub async fn confirm(
        &self,
        payment: PaymentId,
        user: &UserId,
        verdict: Verdict,
        deadline: Instant,
    ) -> Result<Task, Failure> {
        let partition = user.partition(self.partitions());
        self.check_wallet(partition)?;
        let request = ConfirmRequest { payment, partition, verdict };
        Ok(self.lanes(payment.reservation.concert).confirm.call(request, deadline).await?.value)
    }

    /// Notes what the gateway has done with a payment, or with a refund by the name that `cards` gives it. False: it was not what had
    /// been decided.
    pub async fn settle(&self, payment: PaymentId, done: Done, deadline: Instant) -> Result<bool, Failure> {
        let request = SettleRequest { payment: payment.id, done };
        Ok(self.lanes(payment.reservation.concert).settle.call(request, deadline).await?.value)
    }

    /// A card payment that is not at its end; `None` if there is none of that name. A refund is none.
    pub async fn card(&self, payment: PaymentId, deadline: Instant) -> Result<Option<CardPayment>, Failure> {
        Ok(self.open_card(payment, deadline).await?.filter(|card| card.refunds.is_none()))
    }

    async fn open_card(&self, payment: PaymentId, deadline: Instant) -> Result<Option<CardPayment>, Failure> {
        let key = keys::cards(payment.reservation.concert);
        let command = redis::cmd("HGET").arg(key).arg(payment.id.as_str()).to_owned();
        let record = match self.caller().connection().read(&command, deadline).await? {
            Value::Nil => return Ok(None),
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => return Err(fault(MalformedReply(format!("{other:?}")))),
        };
        let card = CardPayment::decode(&record).map_err(fault)?;
        let named = (payment.reservation.id, payment.reservation.show);
        Ok((named == (card.reservation, card.show)).then_some(card))
    }

    /// A refund to a card that is not at its end, by its own name; `None` if there is none.
    pub async fn card_refund(
        &self,
        refund: PaymentId,
        deadline: Instant,
    ) -> Result<Option<CardPayment>, Failure> {
        Ok(self.open_card(refund, deadline).await?.filter(|card| card.refunds.is_some()))
    }

    /// Some 500 card payments and refunds to cards of a concert that are not at their end, with the time of the call and where the
    /// next page begins; the first page begins at 0. One may come twice.
    pub async fn cards(
        &self,
        concert: ConcertId,
        cursor: u64,
        deadline: Instant,
    ) -> Result<(Vec<(PaymentId, CardPayment)>, Millis, Option<u64>), Failure> {
        let page = self.scan(concert, Index::Cards, cursor, deadline).await?;
        let mut cards = Vec::with_capacity(page.items.len());
        for (payment, record) in &page.items {
            let card = CardPayment::decode(record).map_err(fault)?;
            let reservation = ReservationId { concert, show: card.show, id: card.reservation };
            cards.push((PaymentId { reservation, id: payment.parse().map_err(fault)? }, card));
        }
        Ok((cards, page.now, page.next))
    }
}
