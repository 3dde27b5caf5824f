//! What somebody goes on doing while he is forgotten.

use onsale::store::Task;

use super::*;

/// Paid by card and given back, with the gateway as quick as it can be.
async fn live_by_card(store: &Store, name: &str, reservation: ReservationId) {
    let id = store.new_id();
    let request =
        AuthoriseRequest { reservation, user: user(name), payment: id, key: None, fingerprint: Mark(6) };
    let payment = PaymentId { reservation, id };
    if store.authorise(request, soon()).await.is_err() {
        let _ = store.release(reservation, &user(name), soon()).await;
        return;
    }
    let Ok(task) = store.confirm(payment, &user(name), Verdict::Authorised, soon()).await else { return };
    let done = match task {
        Task::Capture => Done::Captured,
        Task::Void => Done::Voided,
        Task::Wait | Task::Nothing => return,
    };
    let _ = store.settle(payment, done, soon()).await;
    let request = RefundRequest {
        reservation,
        user: user(name),
        refund: store.new_id(),
        seats: Vec::new(),
        by: None,
        fingerprint: Mark(4),
    };
    let refund = PaymentId { reservation, id: request.refund };
    if store.refund(request, soon()).await.is_ok() {
        let _ = store.settle(refund, Done::Returned, soon()).await;
    }
}

/// Whatever is refused meanwhile: he is being forgotten, or has used a thousand keys.
pub(super) async fn live_on(store: Store, name: &'static str, first: u32, stop: watch::Receiver<bool>) {
    for number in 0.. {
        if *stop.borrow() {
            return;
        }
        let charge = ChargeRequest {
            by: user(name),
            user: user(name),
            charge: store.new_id(),
            amount: PRICE,
            key: format!("c{number}"),
            refusal: None,
            fingerprint: Mark(3),
        };
        let _ = store.charge(charge, soon()).await;
        if number % 4 == 0 {
            top_up::live(&store, name, number).await;
        }
        let Some(reservation) = hold(&store, name, first + number % 400).await else { continue };
        if number % 3 == 0 {
            live_by_card(&store, name, reservation).await;
            continue;
        }
        let key = (number < 300).then(|| format!("p{number}"));
        let payment = store.new_id();
        let request = PayRequest { reservation, user: user(name), payment, key, fingerprint: Mark(2) };
        let paid = store.pay(request, soon()).await.is_ok();
        if paid && number % 8 != 0 {
            let request = RefundRequest {
                reservation,
                user: user(name),
                refund: store.new_id(),
                seats: Vec::new(),
                by: None,
                fingerprint: Mark(4),
            };
            let _ = store.refund(request, soon()).await;
        } else if !paid {
            let _ = store.release(reservation, &user(name), soon()).await;
        }
    }
}
