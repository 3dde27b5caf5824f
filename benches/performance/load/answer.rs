//! One HTTP/1.1 answer, read as cheaply as can be.

use std::io;

/// An answer as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The value of a header by its lower-case name; the server writes them so.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = header(self.head, name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    /// The text behind `"name":"` in the body, up to the next quote: enough for ids and tokens, which hold none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let body = std::str::from_utf8(self.body).ok()?;
        let (_, rest) = body.split_once(&format!("\"{name}\":\""))?;
        rest.split_once('"').map(|(text, _)| text)
    }
}

/// The answer at the beginning of `bytes` and its length, once it is whole.
pub(super) fn parse(bytes: &[u8]) -> io::Result<Option<(Answer<'_>, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = &bytes[..end + 4];
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status: u16 = status.ok_or_else(|| broken("no status"))?;
    let length = if status == 204 || status == 304 { 0 } else { body_length(head)? };
    let whole = end + 4 + length;
    Ok((bytes.len() >= whole).then(|| (Answer { status, head, body: &bytes[end + 4..whole] }, whole)))
}

fn body_length(head: &[u8]) -> io::Result<usize> {
    let value = header(head, b"content-length").ok_or_else(|| broken("no content-length"))?;
    let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    length.ok_or_else(|| broken("a content-length that is no number"))
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let rest = line.strip_prefix(name)?.strip_prefix(b": ")?;
        Some(rest.trim_ascii_end())
    })
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
