//! Charges through the gateway of somebody who is forgotten.

use onsale::domain::ids::ChargeId;
use onsale::domain::outcome::Refusal;
use onsale::domain::top_up::TopUpEnd;
use onsale::store::{Failure, Said, TopUpRequest, TopUpTask};

use super::*;

/// Begun; `None` while it may not be.
async fn begin(store: &Store, name: &str, key: &str) -> Option<ChargeId> {
    let request = TopUpRequest {
        user: user(name),
        charge: store.new_id(),
        amount: PRICE,
        currency: "KRW".to_owned(),
        within: Duration::from_mins(15),
        key: key.to_owned(),
        fingerprint: Mark(7),
        refusal: None,
    };
    let charge = store.top_up(request, soon()).await.ok()?.value.charge;
    Some(ChargeId { partition: user(name).partition(4), id: charge })
}

async fn told(store: &Store, charge: ChargeId, name: &str, said: Said) -> Result<TopUpTask, Failure> {
    store.credit(charge, &user(name), said, soon()).await
}

/// One that is credited, one that is declined, one that the gateway has not answered, and, answered, one whose money it is to take.
pub(super) async fn all_kinds(store: &Store, name: &str) -> ChargeId {
    for (key, said) in [("t1", Said::Captured), (name, Said::Voided)] {
        let charge = begin(store, name, key).await.unwrap();
        assert!(matches!(told(store, charge, name, said).await, Ok(TopUpTask::Nothing(_))));
    }
    begin(store, name, "t3").await.unwrap();
    let open = begin(store, name, "t4").await.unwrap();
    assert_eq!(told(store, open, name, Said::Authorised).await.unwrap(), TopUpTask::Capture);
    open
}

/// The gateway has taken the money, and whoever asked it read the old name: it comes to the name of now.
pub(super) async fn is_captured(store: &Store, charge: ChargeId, name: &str) -> TopUpEnd {
    let task = told(store, charge, name, Said::Captured).await.unwrap();
    let TopUpTask::Nothing(end) = task else { panic!("{task:?}") };
    let again = told(store, charge, name, Said::Captured).await;
    assert!(matches!(again, Err(Failure::Refused(Refusal::NotFound))), "{again:?}");
    end
}

/// Begun and taken, or let go; with the gateway as quick as it can be.
pub(super) async fn live(store: &Store, name: &str, number: u32) {
    let Some(charge) = begin(store, name, &format!("t{number}")).await else { return };
    let ends = if number.is_multiple_of(8) { Said::Voided } else { Said::Captured };
    for said in [Said::Authorised, ends] {
        told(store, charge, name, said).await.unwrap();
    }
}
