//! What an account at Stripe holds, and what becomes of it by the calls that the adapter makes. In the shapes that stripe-mock answers
//! (`tests/it/stripe/contract.rs`); the states are those of Stripe's documents.

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(super) type Form = BTreeMap<String, String>;

/// A status and a body.
pub(super) type Said = (u16, Value);

/// The smallest amount that is taken.
const SMALLEST: i64 = 50;

#[derive(Clone, Debug)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: &'static str,
    amount: i64,
    currency: String,
    created: u64,
    declined: bool,
    /// Whether search knows it by now.
    searchable: bool,
}

#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) intents: Vec<PaymentIntent>,
    /// As they are told.
    pub(super) refunds: Vec<Value>,
    /// What the next refunds are.
    pub(super) refund_status: Option<&'static str>,
}

impl PaymentIntent {
    fn json(&self) -> Value {
        let amount_if = |status| if self.status == status { self.amount } else { 0 };
        let error =
            json!({ "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds" });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": amount_if("requires_capture"),
            "amount_received": amount_if("succeeded"),
            "capture_method": "manual",
            "client_secret": format!("{}_secret_{}", self.id, self.amount),
            "created": self.created,
            "currency": self.currency,
            "last_payment_error": if self.declined { error } else { Value::Null },
            "livemode": false,
            "metadata": { "onsale": self.name },
            "payment_method_types": ["card"],
            "status": self.status,
        })
    }

    /// Whether the buyer, or we, can still go on with it.
    fn is_open(&self) -> bool {
        matches!(self.status, "requires_payment_method" | "requires_action" | "requires_capture")
    }
}

pub(super) fn error(status: u16, code: &str, more: &Value) -> Said {
    let mut error = json!({ "type": "invalid_request_error", "code": code, "message": code });
    let fields = more.as_object().cloned().unwrap_or_default();
    error.as_object_mut().unwrap().extend(fields);
    (status, json!({ "error": error }))
}

fn list(object: &str, url: &str, data: &[Value]) -> Said {
    (200, json!({ "object": object, "url": url, "has_more": false, "data": data }))
}

impl Account {
    /// What it does when it is called so; `path` from behind `/v1/` on.
    pub(super) fn call(&mut self, method: &str, path: &str, form: &Form) -> Said {
        let parts: Vec<_> = path.split('/').collect();
        match (method, &parts[..]) {
            ("POST", ["payment_intents"]) => self.create(form),
            ("GET", ["payment_intents", "search"]) => self.search(form),
            ("GET", ["payment_intents", id]) => self.with(id, |intent| (200, intent.json())),
            ("POST", ["payment_intents", id, "capture"]) => {
                self.with(id, |intent| intent.turn(intent.status == "requires_capture", "succeeded"))
            }
            ("POST", ["payment_intents", id, "cancel"]) => {
                self.with(id, |intent| intent.turn(intent.is_open(), "canceled"))
            }
            ("GET", ["refunds"]) => self.refunds(form),
            ("POST", ["refunds"]) => self.refund(form),
            _ => panic!("nobody calls {method} {path}"),
        }
    }

    fn create(&mut self, form: &Form) -> Said {
        let amount: i64 = form["amount"].parse().unwrap();
        if amount < SMALLEST {
            return error(400, "amount_too_small", &json!({ "param": "amount" }));
        }
        assert_eq!((&*form["capture_method"], &*form["payment_method_types[]"]), ("manual", "card"));
        assert_eq!(form["currency"], form["currency"].to_lowercase());
        let number = self.intents.len();
        let intent = PaymentIntent {
            id: format!("pi_{number}"),
            name: form["metadata[onsale]"].clone(),
            status: "requires_payment_method",
            amount,
            currency: form["currency"].clone(),
            created: jsonwebtoken::get_current_timestamp(),
            declined: false,
            searchable: false,
        };
        self.intents.push(intent.clone());
        (200, intent.json())
    }

    fn with(&mut self, id: &str, act: impl FnOnce(&mut PaymentIntent) -> Said) -> Said {
        let found = self.intents.iter_mut().find(|intent| intent.id == id);
        found.map_or_else(|| error(404, "resource_missing", &json!({ "param": "intent" })), act)
    }

    fn search(&self, form: &Form) -> Said {
        let name = form["query"].strip_prefix("metadata['onsale']:'").unwrap().trim_end_matches('\'');
        let found = self.intents.iter().filter(|intent| intent.searchable && intent.name == name);
        let found: Vec<_> = found.map(PaymentIntent::json).collect();
        list("search_result", "/v1/payment_intents/search", &found)
    }

    fn refunds(&self, form: &Form) -> Said {
        let of = |refund: &&Value| refund["payment_intent"] == form["payment_intent"].as_str();
        let found: Vec<_> = self.refunds.iter().filter(of).cloned().collect();
        list("list", "/v1/refunds", &found)
    }

    fn refund(&mut self, form: &Form) -> Said {
        let (id, amount) = (&form["payment_intent"], form["amount"].parse::<i64>().unwrap());
        let Some(intent) = self.intents.iter().find(|intent| intent.id == *id) else {
            return error(404, "resource_missing", &json!({ "param": "payment_intent" }));
        };
        let back: i64 = self
            .refunds
            .iter()
            .filter(|made| made["payment_intent"] == **id && made["status"] != "failed")
            .filter_map(|made| made["amount"].as_i64())
            .sum();
        if intent.status != "succeeded" {
            return error(
                400,
                "payment_intent_unexpected_state",
                &json!({ "payment_intent": intent.json() }),
            );
        }
        if back + amount > intent.amount {
            return error(400, "charge_already_refunded", &json!({}));
        }
        let refund = json!({
            "id": format!("re_{}", self.refunds.len()),
            "object": "refund",
            "amount": amount,
            "created": intent.created,
            "currency": intent.currency,
            "metadata": { "onsale": form["metadata[onsale]"], "onsale_refund": form["metadata[onsale_refund]"] },
            "payment_intent": id,
            "status": self.refund_status.unwrap_or("succeeded"),
        });
        self.refunds.push(refund.clone());
        (200, refund)
    }

    /// The buyer confirms each payment of this name that waits for him, with a card that is taken or not.
    pub(super) fn confirm(&mut self, name: &str, taken: bool) {
        let waits =
            |intent: &&mut PaymentIntent| intent.name == name && intent.status == "requires_payment_method";
        for intent in self.intents.iter_mut().filter(waits) {
            intent.declined = !taken;
            if taken {
                intent.status = "requires_capture";
            }
        }
    }

    /// An hour passes: search knows all.
    pub(super) fn index(&mut self) {
        for intent in &mut self.intents {
            intent.searchable = true;
        }
    }
}

impl PaymentIntent {
    fn turn(&mut self, may: bool, status: &'static str) -> Said {
        if !may {
            return error(400, "payment_intent_unexpected_state", &json!({ "payment_intent": self.json() }));
        }
        self.status = status;
        (200, self.json())
    }
}
