//! Points in time as the system carries them: milliseconds since 1970 inside, RFC 3339 in UTC at the edge.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z. In JSON `2026-05-29T15:30:00.000Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(pub i64);

impl Millis {
    /// The point in time `seconds` later.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + seconds * 1000)
    }

    /// RFC 3339 with milliseconds. Times beyond year 9999 (no format made here holds one) print as its last instant.
    pub fn to_rfc3339(self) -> String {
        let timestamp = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::MAX);
        format!("{timestamp:.3}")
    }

    /// Reads RFC 3339 with any offset; finer than a millisecond is cut off.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|timestamp| Self(timestamp.as_millisecond()))
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_rfc3339(&text)
            .ok_or_else(|| de::Error::custom("expected a time such as 2026-05-29T15:30:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc_3339() {
        let time = Millis(1_780_068_600_000);
        assert_eq!(time.to_rfc3339(), "2026-05-29T15:30:00.000Z");
        assert_eq!(Millis::from_rfc3339("2026-05-30T00:30:00+09:00"), Some(time));
        assert_eq!(Millis::from_rfc3339("yesterday"), None);
    }
}
