//! Somebody is forgotten: no byte of his id is left, all that he bought and paid is, whatever breaks off or goes on meanwhile.

mod calls;
mod not_over;
mod retention;
mod top_up;

use std::time::Duration;

use onsale::domain::ids::PaymentId;
use onsale::domain::top_up::TopUpEnd;
use onsale::forgetting::{Forgetter, Live, Outcome};
use onsale::store::{AuthoriseRequest, Done, Verdict};
use sqlx::mysql::MySqlPool;
use tokio::time::timeout;

use super::*;
use crate::lua::state::State;

const ANNA: &str = "anna.maier@example.org";

impl Sale {
    async fn with_shows(max_active: u32) -> Self {
        let sale = Self::open(max_active).await;
        let shows = "insert into shows (show_id, concert, starts_at, currency, sections, seats_total) \
                     values (12, 7, 0, 'KRW', '[]', 1200)";
        sale.sql(shows).await;
        sale
    }

    fn forgetter(&self) -> Forgetter {
        // A process of its own, as the command is.
        Forgetter::new(self.fresh.archive.clone(), store_on(&self.redis, SeenLogs::default()))
    }

    async fn forget(&self, name: &str, force: bool) -> Outcome {
        self.forgetter().forget(&user(name), force).await.unwrap()
    }

    fn state(&self) -> State {
        state(&self.redis.url())
    }

    /// Trims all logs as far as a worker may.
    async fn trim_all(&self) {
        let mut logs: Vec<_> = (0..4).map(LogName::Wallet).collect();
        logs.push(LogName::Concert(CONCERT));
        for log in logs {
            let last = tail_on(&self.redis).bounds(log).await.unwrap().last.number;
            while self.store.trim(log, last, soon()).await.unwrap() + 1 < last {}
        }
    }

    async fn number(&self, select: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(select)).fetch_one(&self.fresh.pool).await.unwrap()
    }

    /// What must not change: money, by account and in all, and seats.
    async fn books(&self) -> [i64; 6] {
        [
            self.number("select cast(coalesce(sum(amount), 0) as signed) from ledger_entries").await,
            self.number("select cast(coalesce(sum(amount), 0) as signed) from ledger_entries where account = 'user'")
                .await,
            self.number("select cast(coalesce(sum(amount), 0) as signed) from ledger_entries where account = 'gateway'")
                .await,
            self.number("select count(*) from booked_seats").await,
            self.number("select count(*) from payments").await,
            self.number("select count(*) from events").await,
        ]
    }

    /// No byte of his id is left, and nothing is wrong with anything.
    async fn is_forgotten(&self, name: &str) {
        self.level().await;
        let report = self.audit().await;
        assert!(report.ok, "{report:#?}");
        self.trim_all().await;
        assert_eq!(traces(&self.redis.url(), &self.fresh.pool, name).await, Vec::<String>::new());
        let report = self.audit().await;
        assert!(report.ok, "trimmed: {report:#?}");
    }
}

fn state(redis: &str) -> State {
    let client = redis::Client::open(redis).unwrap();
    State::read(&mut client.get_connection().unwrap())
}

/// Every place in either engine where these bytes are.
pub(crate) async fn traces(redis: &str, pool: &MySqlPool, bytes: &str) -> Vec<String> {
    let state = state(redis);
    let holds = |path: &&str| path.contains(bytes) || state.get(path).unwrap().contains(bytes);
    let mut found: Vec<_> = state.paths().filter(holds).map(str::to_owned).collect();
    let select = "select cast(table_name as char), cast(column_name as char) from information_schema.columns \
                  where table_schema = database()";
    let columns: Vec<(String, String)> = sqlx::query_as(select).fetch_all(pool).await.unwrap();
    assert!(columns.iter().any(|column| column.0 == "events"), "{columns:?}");
    for (table, column) in columns {
        let count = format!("select count(*) from {table} where instr(cast({column} as binary), ?) > 0");
        let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count)).bind(bytes.as_bytes());
        if query.fetch_one(pool).await.unwrap() > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

/// Paid by card and given back; `done` is what the gateway said, if it was told.
async fn give_back_to_card(store: &Store, name: &str, seat: u32, done: Option<Done>) -> PaymentId {
    let reservation = hold(store, name, seat).await.unwrap();
    pay_by_card(store, name, reservation, (Verdict::Authorised, Some(Done::Captured))).await;
    let owed = PaymentId { reservation, id: refund(store, name, reservation, &[]).await };
    if let Some(done) = done {
        assert!(store.settle(owed, done, soon()).await.unwrap());
    }
    owed
}

/// Begun, decided and, if `done`, told to the gateway.
async fn pay_by_card(store: &Store, name: &str, reservation: ReservationId, end: (Verdict, Option<Done>)) {
    let request = AuthoriseRequest {
        reservation,
        user: user(name),
        payment: store.new_id(),
        key: Some(format!("card {name} {}", reservation.id)),
        fingerprint: Mark(6),
    };
    let payment = PaymentId { reservation, id: request.payment };
    store.authorise(request, soon()).await.unwrap();
    let (verdict, done) = end;
    store.confirm(payment, &user(name), verdict, soon()).await.unwrap();
    if let Some(done) = done {
        assert!(store.settle(payment, done, soon()).await.unwrap());
    }
}

/// All that a user can do: charged by himself and by a cashier, paid with and without a key, refunded, by card, declined, given
/// back, given back to a card, seats blocked as an organiser. He keeps the third and the fourth seat from `first` on, a balance, a
/// hold, his place in line and charges through the gateway; his card is owed what is answered, and what the gateway refuses.
async fn a_life(sale: &Sale, name: &str, first: u32) -> PaymentId {
    let store = &sale.store;
    for key in ["c1", name] {
        charge(store, name, key).await;
    }
    let by_cashier = ChargeRequest {
        by: user("cashier"),
        user: user(name),
        charge: store.new_id(),
        amount: PRICE,
        key: format!("for {name}"),
        refusal: None,
        fingerprint: Mark(3),
    };
    store.charge(by_cashier, soon()).await.unwrap();
    let refunded = hold(store, name, first).await.unwrap();
    pay(store, name, refunded).await;
    refund(store, name, refunded, &[]).await;
    let stays = hold(store, name, first + 2).await.unwrap();
    let payment = store.new_id();
    let request =
        PayRequest { reservation: stays, user: user(name), payment, key: None, fingerprint: Mark(2) };
    store.pay(request, soon()).await.unwrap();
    let captured = hold(store, name, first + 3).await.unwrap();
    pay_by_card(store, name, captured, (Verdict::Authorised, Some(Done::Captured))).await;
    let declined = hold(store, name, first + 4).await.unwrap();
    pay_by_card(store, name, declined, (Verdict::Declined, Some(Done::Voided))).await;
    store.release(declined, &user(name), soon()).await.unwrap();
    let blocked = BlockRequest {
        show: SHOW,
        change: SeatChange::Block,
        seats: vec![first + 200],
        id: store.new_id(),
        key: Some((user(name), format!("{name} blocks"))),
        fingerprint: Mark(5),
    };
    store.block(CONCERT, blocked, soon()).await.unwrap();
    give_back_to_card(store, name, first + 6, Some(Done::Returned)).await;
    give_back_to_card(store, name, first + 7, Some(Done::Refused)).await;
    let owed = give_back_to_card(store, name, first + 8, None).await;
    hold(store, name, first + 5).await.unwrap();
    let action = format!(
        "insert into organiser_actions (at, who, org, action, target, request, outcome) \
         values (1, '{name}', 'demo', 'POST /', '', '', 'done')"
    );
    sale.sql(&action).await;
    owed
}

#[tokio::test]
async fn nothing_of_his_id_is_left_and_his_seats_and_the_books_stay() {
    let sale = Sale::with_shows(50).await;
    a_life(&sale, "ben", 0).await;
    let owed = a_life(&sale, ANNA, 100).await;
    top_up::all_kinds(&sale.store, "ben").await;
    let open = top_up::all_kinds(&sale.store, ANNA).await;
    sale.level().await;
    let (books, before) = (sale.books().await, sale.state());

    let Outcome::Refused { live } = sale.forget(ANNA, false).await else { panic!("he has a hold") };
    let partition = LogName::Wallet(user(ANNA).partition(4)).to_string();
    assert_eq!(live["c7"], Live { holds: 1, places: 1, cards: 2, ..Live::default() });
    assert_eq!(live[&partition], Live { balance: 5 * PRICE, top_ups: 2, ..Live::default() });
    assert_eq!((sale.state(), sale.number("select count(*) from forgotten_users").await), (before, 0));

    let Outcome::Forgotten { pseudonym, changed, ended } = sale.forget(ANNA, true).await else {
        panic!("he was forced")
    };
    assert_eq!(ended, live);
    // Held: 100, 102 to 108. Requests: holds, a payment, five by card, a block; three charges; four through the gateway, two
    // of which have ended.
    assert_eq!((changed.reservations, changed.balances, changed.requests), (8, 1, 8 + 1 + 5 + 1 + 3 + 6));
    assert!(changed.events > 10 && changed.rows > 10, "{changed:?}");
    assert_eq!(sale.books().await, [books[0], books[1], books[2], books[3], books[4], sale.books().await[5]]);
    sale.is_forgotten(ANNA).await;
    // What his card is owed goes back under the new name.
    let renamed = format!("select count(*) from card_refunds where user = '{pseudonym}'");
    assert_eq!(sale.number(&renamed).await, 3);
    assert!(sale.store.settle(owed, Done::Returned, soon()).await.unwrap());
    // So does what the gateway takes.
    assert_eq!(sale.number(&renamed.replace("card_refunds", "top_ups")).await, 4);
    let end = top_up::is_captured(&sale.store, open, ANNA).await;
    assert_eq!(end, TopUpEnd::Credited { amount: PRICE, balance: 6 * PRICE });
    sale.is_forgotten(ANNA).await;
    let state = sale.state();
    assert_eq!(state.get(&format!("owned:12/{pseudonym}")), Some("2"));
    assert!(state.get(&format!("{partition}:balances/{pseudonym}")).unwrap().starts_with("300000 "));
    assert_eq!(state.get("seats:12").unwrap().as_bytes()[100..106], *b"002200");

    let tables = sale.fresh.tables().await;
    assert_eq!(sale.forget(ANNA, false).await, Outcome::Unknown);
    assert_eq!((sale.state(), sale.fresh.tables().await), (state, tables));
    assert_eq!(sale.number("select count(*) from forgotten_users where done_at is not null").await, 1);

    // What he still could sign in as is somebody new, and what he was is paid back to nobody else.
    charge(&sale.store, ANNA, "c1").await;
    let again = hold(&sale.store, ANNA, 106).await.unwrap();
    pay(&sale.store, ANNA, again).await;
    assert_eq!(sale.store.balance(&user(ANNA), soon()).await.unwrap().amount, PRICE);
    sale.level().await;
    let report = sale.audit().await;
    assert!(report.ok, "{report:#?}");
    sale.forget(ANNA, true).await;
    sale.is_forgotten(ANNA).await;
}

#[tokio::test]
async fn one_who_only_looked_on_is_forgotten_too_and_a_stranger_leaves_no_trace() {
    let sale = Sale::with_shows(1).await;
    assert_eq!(sale.forget(ANNA, false).await, Outcome::Unknown);
    assert_eq!(sale.number("select count(*) from forgotten_users").await, 0);
    let place = sale.store.join(CONCERT, &user(ANNA), soon()).await.unwrap().value;
    assert!(matches!(sale.forget(ANNA, false).await, Outcome::Refused { .. }));
    sale.store.leave(CONCERT, &user(ANNA), place.seq, soon()).await.unwrap();
    // The last entry names him, and nothing else does.
    assert!(matches!(sale.forget(ANNA, false).await, Outcome::Forgotten { .. }));
    sale.is_forgotten(ANNA).await;
    assert_eq!(sale.number("select count(*) from queue_tokens where user like 'forgotten-%'").await, 1);
}

/// Each time a little later, until it is through; what a run leaves half done the next one finishes under the same name.
#[tokio::test]
async fn a_run_that_breaks_off_anywhere_is_finished_by_the_next() {
    let sale = Sale::with_shows(50).await;
    let mut broken = 0;
    assert_eq!(sale.forgetter().resume().await.unwrap(), 0);
    for round in 0..12_u32 {
        let name = format!("anna{round}@example.org");
        charge(&sale.store, &name, "c").await;
        let reservation = hold(&sale.store, &name, round).await.unwrap();
        pay(&sale.store, &name, reservation).await;
        let owed = give_back_to_card(&sale.store, &name, 100 + round, None).await;
        let open = top_up::all_kinds(&sale.store, &name).await;
        sale.level().await;
        let limit = Duration::from_millis(u64::from(round) * 12);
        let first = timeout(limit, sale.forgetter().forget(&user(&name), true)).await;
        if first.is_err() {
            broken += 1;
            let report = sale.audit().await;
            assert!(report.ok, "{limit:?}: {report:#?}");
            // By the same command, or by a worker.
            if round % 2 == 0 {
                assert!(matches!(sale.forget(&name, true).await, Outcome::Forgotten { .. }));
            } else {
                let unfinished = "select count(*) from forgotten_users where user is not null";
                wait_until("it is finished", async || {
                    sale.forgetter().resume().await.unwrap();
                    sale.number(unfinished).await == 0
                })
                .await;
                // It may have broken off before it began.
                sale.forget(&name, true).await;
            }
        }
        sale.is_forgotten(&name).await;
        assert!(sale.store.settle(owed, Done::Returned, soon()).await.unwrap());
        top_up::is_captured(&sale.store, open, &name).await;
        sale.is_forgotten(&name).await;
        let confirmed =
            "select count(*) from reservations where status = 'confirmed' and user like 'forgotten-%'";
        assert_eq!(sale.number(confirmed).await, i64::from(round) + 1);
        assert_eq!(sale.number("select count(*) from forgotten_users").await, i64::from(round) + 1);
    }
    assert!(broken > 3, "{broken} broke off");
}

/// He holds, pays and charges all the time while he is forgotten, and so do others.
#[tokio::test]
async fn his_own_calls_and_the_sale_go_on_meanwhile() {
    let sale = Sale::with_shows(400).await;
    let (stop, stopping) = watch::channel(false);
    let names = [ANNA, "ben", "carla"];
    let live = |(lane, name): (usize, &&'static str)| {
        tokio::spawn(calls::live_on(
            sale.store.clone(),
            name,
            400 * u32::try_from(lane).unwrap(),
            stopping.clone(),
        ))
    };
    let lanes: Vec<_> = names.iter().enumerate().map(live).collect();
    for _ in 0..4 {
        let outcome = sale.forgetter().forget(&user(ANNA), true).await;
        assert!(matches!(outcome, Ok(Outcome::Forgotten { .. } | Outcome::Unknown)), "{outcome:?}");
        let report = sale.audit().await;
        assert!(report.ok, "{report:#?}");
    }
    stop.send_replace(true);
    for lane in lanes {
        lane.await.unwrap();
    }
    sale.level().await;
    sale.forget(ANNA, true).await;
    sale.is_forgotten(ANNA).await;
}
