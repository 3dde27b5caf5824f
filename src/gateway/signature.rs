//! Signatures of what the gateway sends by itself: `t=<unix seconds>,v1=<hex>`, HMAC-SHA-256 over `<t>.<body>`.
//! The scheme is Stripe's.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header that carries one of a sandbox.
pub(super) const HEADER: &str = "onsale-signature";

/// How far from now a signature may have been made, s: later it may be a recorded one.
const TOLERANCE_SECONDS: u64 = 300;

/// The key that the gateway and we share.
#[derive(Clone)]
pub struct WebhookSecret(Hmac<Sha256>);

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret")
    }
}

impl WebhookSecret {
    /// The key made of these bytes.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// The header's value for a body sent at `now`, unix seconds.
    pub fn sign(&self, body: &[u8], now: u64) -> String {
        let mac = self.0.clone().chain_update(format!("{now}.")).chain_update(body).finalize().into_bytes();
        let mut header = format!("t={now},v1=");
        for byte in mac {
            write!(header, "{byte:02x}").expect("a string takes what is written");
        }
        header
    }

    /// Whether one of the signatures in `header` is ours and was made a short time ago.
    pub fn verifies(&self, header: &str, body: &[u8], now: u64) -> bool {
        let values = |name: &'static str| {
            header.split(',').filter_map(move |part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let Some(at) = values("t").next().and_then(|at| at.parse::<u64>().ok()) else {
            return false;
        };
        let signed = self.0.clone().chain_update(format!("{at}.")).chain_update(body);
        let ours = |hex| bytes(hex).is_some_and(|mac| signed.clone().verify_slice(&mac).is_ok());
        at.abs_diff(now) <= TOLERANCE_SECONDS && values("v1").any(ours)
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits = hex.as_bytes().iter().map(digit).collect::<Option<Vec<_>>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_signature_of_this_body_counts() {
        let (ours, other) = (WebhookSecret::new(b"ours"), WebhookSecret::new(b"other"));
        let header = ours.sign(b"{}", 1000);
        assert!(ours.verifies(&header, b"{}", 1000) && ours.verifies(&header, b"{}", 1300));
        assert!(ours.verifies(&format!("v1=00,{header}"), b"{}", 700));
        for (header, body, now) in [
            (header.as_str(), &b"{}"[..], 1301),
            (&header, b"{}", 699),
            (&header, b"{ }", 1000),
            (&other.sign(b"{}", 1000), b"{}", 1000),
            (&header.replace("t=1000", "t=1001"), b"{}", 1000),
            ("t=1000,v1=zz", b"{}", 1000),
            ("", b"", 0),
        ] {
            assert!(!ours.verifies(header, body, now), "{header}");
        }
    }
}
