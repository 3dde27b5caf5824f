//! What Stripe tells by itself: events about its objects. Which payment of ours one is about stands in the object's metadata.

use serde::Deserialize;

use super::wire::Metadata;

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
}

/// What an event is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    /// A payment of ours.
    pub(super) name: String,
    /// Its id at Stripe, if the event is about that itself and a buyer has got somewhere with it: the true one of its name.
    pub(super) payment_intent: Option<String>,
}

/// `None`: about nothing of ours, whatever its type. Charges carry the metadata of their PaymentIntent, refunds name it themselves.
pub(super) fn about(message: &[u8]) -> Result<Option<About>, serde_json::Error> {
    let Event { data: Data { object } } = serde_json::from_slice(message)?;
    let name = object.metadata.and_then(|metadata| metadata.onsale);
    let itself = object.kind.as_deref() == Some("payment_intent");
    let used = ["requires_action", "processing", "requires_capture", "succeeded"];
    let used = object.status.is_some_and(|status| used.contains(&status.as_str()));
    Ok(name.map(|name| About { name, payment_intent: object.id.filter(|_| itself && used) }))
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
            assert_eq!(told(intent), Some(About { name: name.clone(), payment_intent }), "{status}");
        }
        let charge = json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "metadata": ours });
        assert_eq!(told(charge), Some(About { name, payment_intent: None }));
        for others in [
            json!({ "id": "cus_1", "object": "customer", "metadata": {} }),
            json!({ "object": "balance" }),
            json!({ "id": "pi_2", "object": "payment_intent", "metadata": null }),
        ] {
            assert_eq!(told(others.clone()), None, "{others}");
        }
        assert!(about(b"{}").is_err() && about(b"").is_err());
    }
}
