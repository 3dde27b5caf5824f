//! Conditional, compressed and refused answers: `If-None-Match`, `Accept-Encoding` and `Accept` (RFC 9110).

/// Whether a client that sent this `If-None-Match` has the representation with this strong tag already.
/// Compared weakly, as section 13.1.2 asks; `*` matches whatever exists.
pub(crate) fn has_already(if_none_match: &str, etag: &str) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.strip_prefix("W/").unwrap_or(tag)
    }
    let wanted = opaque(etag);
    let mut tags = if_none_match.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || (!tag.is_empty() && opaque(tag) == wanted))
}

/// Whether JSON may be sent. The most specific range that fits decides; `q=0` refuses, an empty list does not.
pub(crate) fn takes_json(accept: &str) -> bool {
    let mut best: Option<(u8, bool)> = None;
    for part in accept.split(',') {
        let mut pieces = part.split(';').map(str::trim);
        let specific = match pieces.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" | "application/problem+json" => 3,
            "application/*" => 2,
            "*/*" | "*" => 1,
            _ => continue,
        };
        let fine = pieces.find_map(quality).unwrap_or(1.0) > 0.0;
        best = match best {
            Some((known, before)) if known == specific => Some((known, before || fine)),
            Some((known, _)) if known > specific => best,
            _ => Some((specific, fine)),
        };
    }
    best.map_or_else(|| accept.trim().is_empty(), |(_, takes)| takes)
}

/// Whether gzip may be sent. A named coding wins over `*`; `q=0` refuses.
pub(crate) fn takes_gzip(accept_encoding: &str) -> bool {
    let mut any = false;
    for part in accept_encoding.split(',') {
        let mut pieces = part.split(';').map(str::trim);
        let coding = pieces.next().unwrap_or_default();
        let weight = pieces.find_map(quality).unwrap_or(1.0);
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return weight > 0.0;
        }
        if coding == "*" {
            any = weight > 0.0;
        }
    }
    any
}

/// `q=0.5`; a weight that can't be read refuses.
fn quality(piece: &str) -> Option<f32> {
    let (name, value) = piece.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_in_lists_and_by_star() {
        let tag = "\"0123.7-f\"";
        for header in ["\"0123.7-f\"", "W/\"0123.7-f\"", "\"x\", W/\"0123.7-f\"", "*", " * "] {
            assert!(has_already(header, tag), "{header}");
        }
        for header in ["", "\"0123.8-f\"", "0123.7-f", "\"x\",", "\"0123.7-s\""] {
            assert!(!has_already(header, tag), "{header}");
        }
    }

    #[test]
    fn json_is_refused_to_those_who_take_only_other_things() {
        for header in [
            "",
            "*/*",
            "application/json",
            "APPLICATION/*;q=0.1, text/html",
            "text/html, */*;q=0.1",
            "application/problem+json",
            "application/json; charset=utf-8",
            "*/*;q=0, application/json",
        ] {
            assert!(takes_json(header), "{header}");
        }
        for header in ["text/html", "application/json;q=0, */*", "*/*;q=0", "application/xml", "text/*;q=1"] {
            assert!(!takes_json(header), "{header}");
        }
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_take_it() {
        for header in ["gzip", "br, GZIP;q=0.5", "*", "deflate, *;q=0.1", "gzip;q=1.0, *;q=0"] {
            assert!(takes_gzip(header), "{header}");
        }
        for header in ["", "identity", "gzip;q=0", "gzip; q=0.0, *", "*;q=0", "br", "gzip;q=x"] {
            assert!(!takes_gzip(header), "{header}");
        }
    }
}
