//! Reads the text formats of scripts and log entries: fields separated by a space, texts as `<bytes>:<text>`.
//!
//! Users may hold any byte but control characters, so nothing here splits on a delimiter that a text could hold.

use std::str::FromStr;

/// A line that does not follow its format: a bug of the writer, or a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {field} at byte {at}")]
pub struct Malformed {
    /// What was being read.
    pub field: &'static str,
    /// Where, in bytes from the start of the text.
    pub at: usize,
}

/// A cursor over one text.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Fields<'a> {
    /// A cursor at the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Whether all has been read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.text.len()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next field up to a space or line end, which is passed over too.
    pub fn word(&mut self, field: &'static str) -> Result<&'a str, Malformed> {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| matches!(byte, b' ' | b'\n')).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.malformed(field));
        }
        self.at = (self.at + end + 1).min(self.text.len());
        Ok(&rest[..end])
    }

    /// The next field, parsed.
    pub fn parse<T: FromStr>(&mut self, field: &'static str) -> Result<T, Malformed> {
        let start = *self;
        self.word(field)?.parse().map_err(|_| start.malformed(field))
    }

    /// The next length-prefixed text with the separator behind it.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, Malformed> {
        let start = *self;
        let parsed = self.rest().split_once(':').and_then(|(length, rest)| {
            let length: usize = length.parse().ok()?;
            Some((self.text.len() - rest.len() + length, rest.get(..length)?))
        });
        let (end, text) = parsed.ok_or_else(|| start.malformed(field))?;
        self.at = (end + 1).min(self.text.len());
        Ok(text)
    }

    /// The error that names this place.
    pub fn malformed(&self, field: &'static str) -> Malformed {
        Malformed { field, at: self.at }
    }
}

/// `<bytes>:<text>`, the form in which texts stand in entries and requests.
pub fn prefixed(text: &str) -> String {
    format!("{}:{text}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_may_hold_separators() {
        let line = format!("joined 7 {} x\nnext", prefixed("a b|7:한"));
        let mut fields = Fields::new(&line);
        assert_eq!(fields.word("word"), Ok("joined"));
        assert_eq!(fields.parse("seq"), Ok(7_u64));
        assert_eq!(fields.text("user"), Ok("a b|7:한"));
        assert_eq!(fields.word("reason"), Ok("x"));
        assert_eq!(fields.rest(), "next");
    }

    #[test]
    fn a_text_cut_short_is_malformed() {
        assert!(Fields::new("9:abc").text("user").is_err());
        assert!(Fields::new("2:한").text("user").is_err());
        assert!(Fields::new("").word("word").is_err());
    }
}
