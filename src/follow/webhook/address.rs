//! Where a webhook may lead: https, to an address that everybody can reach. An organiser's address must not make a worker knock at
//! what only the worker can reach: engines, metadata services, machines of its own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address that no webhook may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is none.
    #[error("Expected an absolute https URL of at most 2,048 bytes without user, password and fragment.")]
    Form,
    /// It leads where only we can go.
    #[error("The host is a private address.")]
    Private,
}

const URL_BYTES_MAX: usize = 2048;

/// Looks at an address without asking anybody. `insecure`: http and private addresses are allowed.
pub fn check_url(text: &str, insecure: bool) -> Result<(), InvalidUrl> {
    let url = reqwest::Url::parse(text).map_err(|_| InvalidUrl::Form)?;
    let scheme = url.scheme() == "https" || (insecure && url.scheme() == "http");
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let Some(host) = url.host_str().filter(|_| scheme && bare && text.len() <= URL_BYTES_MAX) else {
        return Err(InvalidUrl::Form);
    };
    match literal(host) {
        Some(address) if !insecure && !is_public(address) => Err(InvalidUrl::Private),
        _ => Ok(()),
    }
}

/// Scheme, host and port of an address: what lies behind them may hold a secret of the receiver.
pub fn origin(text: &str) -> String {
    reqwest::Url::parse(text).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// The address that a host of a URL is, if it is no name.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether anybody on the internet reaches the same machine by this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let assigned = (a, b, c) == (192, 0, 0) || (a, b, c) == (192, 88, 99);
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 224
        || shared
        || assigned
        || benchmark
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let [a, b, ..] = address.segments();
    // 2000::/3 is all that is given out; of it, what carries an IPv4 address inside (Teredo, 6to4) and what is set apart.
    let apart = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || a == 0x3fff;
    (a & 0xe000) == 0x2000 && !apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        for public in ["8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "2001:0:1::",
            "2002:a00:1::",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn an_address_is_looked_at_in_whatever_form_it_is_written() {
        let strict = |url: &str| check_url(url, false);
        assert_eq!(strict("https://example.org/hook?a=1"), Ok(()));
        for url in
            ["http://example.org/", "https://u:p@example.org/", "https://example.org/#a", "ftp://a/", "a"]
        {
            assert_eq!(strict(url), Err(InvalidUrl::Form), "{url}");
        }
        for url in ["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://[::1]/"] {
            assert_eq!(strict(url), Err(InvalidUrl::Private), "{url}");
        }
        assert_eq!(check_url("http://127.0.0.1:8080/", true), Ok(()));
    }
}
