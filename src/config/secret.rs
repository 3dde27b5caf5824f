//! Values that must not be printed: each has one way out, and it is called so.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const REDACTED: &str = "(redacted)";

/// The bytes of a key. `Debug` and `Serialize` show only that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes as they are.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves, for the code that signs or checks with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// The address of a database. `Debug`, `Display` and `Serialize` show it without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionUrl(String);

impl ConnectionUrl {
    /// Takes the address as it is; [`super::Config::problems`] looks at its scheme.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole address with its password, for the code that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address with what may be a password replaced: all from the first `:` after the scheme to the last `@`
    /// before the path (a `/` in a password must be percent-encoded), and every value of a `password` parameter.
    pub fn redacted(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let authority = match authority.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((name, _)) => format!("{name}:{REDACTED}@{host}"),
                None => authority.to_owned(),
            },
            None => authority.to_owned(),
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parameters: Vec<String> = query.split('&').map(without_password).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{authority}{path}{mark}{}", parameters.join("&"))
    }
}

fn without_password(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name @ ("pass" | "password"), _)) => format!("{name}={REDACTED}"),
        _ => parameter.to_owned(),
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.redacted())
    }
}

impl fmt::Display for ConnectionUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.redacted())
    }
}

impl Serialize for ConnectionUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}

impl<'de> Deserialize<'de> for ConnectionUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let rows = [
            ("redis://host:6379/1", "redis://host:6379/1"),
            ("redis://:pw@host", "redis://:(redacted)@host"),
            ("mysql://u:p@ss:w@h:3306/db?socket=/s", "mysql://u:(redacted)@h:3306/db?socket=/s"),
            ("mysql://root@localhost/db", "mysql://root@localhost/db"),
            ("unix:///run/r.sock?db=1&pass=pw", "unix:///run/r.sock?db=1&pass=(redacted)"),
        ];
        for (url, shown) in rows {
            assert_eq!(format!("{:?}", ConnectionUrl::new(url)), shown);
            assert_eq!(ConnectionUrl::new(url).expose(), url);
        }
    }

    #[test]
    fn a_secret_has_no_printable_form() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "(redacted)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"(redacted)\"");
    }
}
