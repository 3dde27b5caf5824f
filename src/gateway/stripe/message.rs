//! What Stripe tells by itself: events about its objects. Which payment of ours one is about stands in the object's metadata.

use serde::Deserialize;
use serde_json::Value;

use super::wire::{self, Metadata};

/// The header with an event's signature.
pub(in crate::gateway) const SIGNATURE_HEADER: &str = "stripe-signature";

#[derive(Deserialize)]
struct Event {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    /// Events of some objects have none.
    id: Option<String>,
    #[serde(rename = "object")]
    kind: Option<String>,
    status: Option<String>,
    metadata: Option<Metadata>,
    /// Of a refund: an id.
    payment_intent: Option<Value>,
}

/// What an event is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    /// A payment of ours.
    pub(super) name: String,
    /// Its id at Stripe, if the event is about that itself and a buyer has got somewhere with it, or about a refund of it: the true
    /// one of its name.
    pub(super) payment_intent: Option<String>,
    /// The name of a refund that has failed.
    pub(super) failed_refund: Option<String>,
}

/// `None`: about nothing of ours, whatever its type. Charges carry the metadata of their PaymentIntent, refunds name it themselves.
pub(super) fn about(message: &[u8]) -> Result<Option<About>, serde_json::Error> {
    let Event { data: Data { object } } = serde_json::from_slice(message)?;
    let Metadata { onsale, refund } = object.metadata.unwrap_or_default();
    let status = object.status.unwrap_or_default();
    let used = ["requires_action", "processing", "requires_capture", "succeeded"];
    let (payment_intent, failed_refund) = match object.kind.as_deref() {
        Some("payment_intent") => (object.id.filter(|_| used.contains(&status.as_str())), None),
        Some("refund") if refund.is_some() => {
            let of = object.payment_intent.and_then(|id| id.as_str().map(str::to_owned));
            (of, refund.filter(|_| wire::is_failure(&status)))
        }
        _ => (None, None),
    };
    Ok(onsale.map(|name| About { name, payment_intent, failed_refund }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_names_the_payment_in_its_objects_metadata() {
        let told = |object: serde_json::Value| {
            let event = json!({ "type": "x", "api_version": null, "data": { "object": object } });
            about(event.to_string().as_bytes()).unwrap()
        };
        let ours = json!({ "onsale": "p1", "of_others": "x" });
        let id = Some("pi_1".to_owned());
        let name = "p1".to_owned();
        for (status, payment_intent) in
            [("requires_capture", id), ("requires_payment_method", None), ("canceled", None)]
        {
            let intent =
                json!({ "id": "pi_1", "object": "payment_intent", "status": status, "metadata": ours });
            assert_eq!(
                told(intent),
                Some(About { name: name.clone(), payment_intent, failed_refund: None }),
                "{status}"
            );
        }
        let charge = json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "metadata": ours });
        assert_eq!(told(charge), Some(About { name, payment_intent: None, failed_refund: None }));
        for others in [
            json!({ "id": "cus_1", "object": "customer", "metadata": {} }),
            json!({ "object": "balance" }),
            json!({ "id": "pi_2", "object": "payment_intent", "metadata": null }),
        ] {
            assert_eq!(told(others.clone()), None, "{others}");
        }
        assert!(about(b"{}").is_err() && about(b"").is_err());
    }

    #[test]
    fn an_event_of_a_refund_names_it_if_it_has_failed() {
        for (status, metadata, failed) in [
            ("failed", json!({ "onsale": "p1", "onsale_refund": "r1" }), Some("r1")),
            ("canceled", json!({ "onsale": "p1", "onsale_refund": "r1" }), Some("r1")),
            ("succeeded", json!({ "onsale": "p1", "onsale_refund": "r1" }), None),
            ("pending", json!({ "onsale": "p1", "onsale_refund": "r1" }), None),
            ("failed", json!({ "onsale": "p1" }), None),
        ] {
            let event = json!({ "data": { "object": {
                "id": "re_1", "object": "refund", "status": status, "payment_intent": "pi_1", "metadata": metadata,
            } } });
            let about = about(event.to_string().as_bytes()).unwrap().unwrap();
            assert_eq!((about.name.as_str(), about.failed_refund.as_deref()), ("p1", failed), "{event}");
            let ours = metadata.get("onsale_refund").map(|_| "pi_1");
            assert_eq!(about.payment_intent.as_deref(), ours, "{event}");
        }
        let others =
            json!({ "data": { "object": { "object": "refund", "status": "failed", "metadata": {} } } });
        assert_eq!(about(others.to_string().as_bytes()).unwrap(), None);
    }
}
