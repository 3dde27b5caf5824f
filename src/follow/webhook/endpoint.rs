//! One POST to an organiser's endpoint, signed as Standard Webhooks says; nothing of what it answers but the status is used.
//!
//! Names are resolved by us, at each connection, and private addresses are left out of the answer: what was looked at is
//! what is connected to. Redirects are not followed, proxies of the environment not asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use sha2::Sha256;

use super::address::{is_public, literal};
use crate::archive::Webhook;
use crate::domain::cloud_event::CloudEvent;

/// To a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Why an endpoint was not told. What is shown to its organiser names nothing of our network.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTold {
    #[error("answered {0}")]
    Refused(u16),
    #[error("no answer in time")]
    Late,
    #[error("no connection")]
    Away,
    #[error("a private address")]
    Private,
    #[error("not sent")]
    Broken,
}

/// Sends to all endpoints. Cheap to clone.
#[derive(Clone)]
pub(super) struct Endpoints {
    client: Client,
    insecure: bool,
}

/// Resolves names to public addresses only.
struct PublicOnly;

#[derive(Debug, thiserror::Error)]
#[error("the name leads to private addresses only")]
struct PrivateName;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(PrivateName.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl Endpoints {
    /// `timeout`: from the connection to the head of the answer.
    pub(super) fn new(timeout: Duration, insecure: bool) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .user_agent(concat!("onsale/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(timeout)
            .connect_timeout(CONNECT.min(timeout))
            .pool_max_idle_per_host(4);
        if !insecure {
            builder = builder.https_only(true).dns_resolver(Arc::new(PublicOnly));
        }
        Ok(Self { client: builder.build()?, insecure })
    }

    /// Tells one event; `now` is in unix seconds.
    pub(super) async fn tell(&self, webhook: &Webhook, event: &CloudEvent, now: u64) -> Result<(), NotTold> {
        let url = Url::parse(&webhook.url).map_err(|_| NotTold::Broken)?;
        // A host that is an address is never resolved.
        let address = url.host_str().and_then(literal);
        if !self.insecure && address.is_some_and(|address| !is_public(address)) {
            return Err(NotTold::Private);
        }
        let body =
            serde_json::to_string(event).expect("string keys and plain values always have a JSON form");
        let signature = sign(webhook.secret.expose(), &event.id, now, &body);
        let request = self
            .client
            .post(url)
            .header("content-type", "application/cloudevents+json; charset=UTF-8")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signature)
            .body(body);
        // The body of the answer is dropped with it, unread.
        let answer = request.send().await.map_err(|error| not_told(&error))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(NotTold::Refused(status.as_u16())) }
    }
}

fn not_told(error: &reqwest::Error) -> NotTold {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if cause.is::<PrivateName>() {
            return NotTold::Private;
        }
        source = cause.source();
    }
    if error.is_timeout() {
        NotTold::Late
    } else if error.is_connect() {
        NotTold::Away
    } else {
        NotTold::Broken
    }
}

/// `v1,<base64 of HMAC-SHA256 over id.timestamp.body>`.
fn sign(secret: &[u8], id: &str, timestamp: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_the_standard_says() {
        // openssl: printf 'msg.1.{}' | openssl dgst -sha256 -hmac <32 times 'k'> -binary | base64
        let signature = sign(b"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "msg", 1, "{}");
        assert_eq!(signature, "v1,CVIHtn2b3z7bQNY05wspaZV4s8DflNFVMn5XjIgwzKA=");
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_resolved() {
        let resolved = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(resolved.err().unwrap().is::<PrivateName>());
    }
}
