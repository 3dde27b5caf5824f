//! What charges through the gateway leave in the tables, and that it does not matter how their log is cut.

use onsale::archive::LedgerKind;
use onsale::domain::fields::prefixed;
use onsale::domain::ids::ChargeId;
use onsale::domain::top_up::{GivenUp, TopUpEnd};

use super::{Fresh, LOG_ID, Log, fresh, id};

/// `word` of charge n.
fn step(word: &str, charge: u32, more: &str) -> String {
    format!("{word} {} {}{more}", id(charge), prefixed("a|n"))
}

/// 1 is credited, 2 declined and let go, 3 over and not let go yet, 4 just begun.
fn wallet() -> Log {
    let begin = |charge| step("charging", charge, " 500 KRW 901000 4:k:xx 00000000000000ac");
    Log::wallet(3)
        .and(&[begin(1), begin(2)])
        .and(&[step("capturing", 1, ""), step("voiding", 2, " declined"), begin(3)])
        .and(&[step("credited", 1, " 500 500"), step("voided", 2, " 500 declined")])
        .and(&[step("voiding", 3, " expired"), begin(4)])
}

async fn begun() -> Fresh {
    let fresh = fresh().await;
    fresh.archive.begin_log(wallet().name, LOG_ID).await.unwrap();
    fresh
}

#[tokio::test]
async fn top_ups_leave_their_rows_however_the_log_is_cut() {
    let whole = begun().await;
    whole.apply(&[wallet().whole()]).await;
    let [one, two, three, four] = [1, 2, 3, 4].map(id);
    assert_eq!(
        whole.rows("top_ups").await,
        [
            format!("w03|{one}|a|n|500|KRW|credited|~|500|2000|4000"),
            format!("w03|{two}|a|n|500|KRW|voided|declined|~|2000|4000"),
            format!("w03|{three}|a|n|500|KRW|expired|~|~|3000|5000"),
            format!("w03|{four}|a|n|500|KRW|authorising|~|~|5000|5000"),
        ]
    );
    let entries = whole.rows("ledger_entries").await;
    assert_eq!(entries, ["w03|4|0|0|gateway||-500|~", "w03|4|0|1|user|a|n|500|500"]);
    for size in [1, 2, 3] {
        let cut = begun().await;
        cut.apply(&wallet().batches(size)).await;
        assert_eq!(cut.tables().await, whole.tables().await, "batches of {size}");
    }
}

#[tokio::test]
async fn a_top_up_is_read_back() {
    let fresh = begun().await;
    fresh.apply(&[wallet().whole()]).await;
    let named = |partition, n| ChargeId { partition, id: id(n).parse().unwrap() };
    let declined = TopUpEnd::Voided { amount: 500, reason: GivenUp::Declined };
    let ends = [Some(TopUpEnd::Credited { amount: 500, balance: 500 }), Some(declined), None, None];
    for (n, end) in (1..).zip(ends) {
        let top_up = fresh.archive.top_up(named(3, n)).await.unwrap().unwrap();
        assert_eq!((top_up.end, top_up.amount), (end, 500));
        assert_eq!((top_up.user.as_str(), top_up.currency.as_str()), ("a|n", "KRW"));
    }
    assert_eq!(fresh.archive.top_up(named(3, 5)).await.unwrap(), None);
    assert_eq!(fresh.archive.top_up(named(2, 1)).await.unwrap(), None);
    let ledger = fresh.archive.ledger_of("a|n", None, 10).await.unwrap();
    let told: Vec<_> = ledger.items.iter().map(|item| (item.kind, item.amount, item.balance_after)).collect();
    assert_eq!(told, [(LedgerKind::Charge, 500, 500)]);
}
