//! The page at `/docs`: Swagger UI, out of the archive that its crate carries, so that nothing comes from elsewhere.
//!
//! Of the archive's 711 files two are served. They lie in it as raw deflate, which is gzip but for its head and end:
//! nothing is packed again, and nearly no client asks for the plain form.

use std::io::Read as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

/// What the page may do: load from here. Swagger UI styles elements by itself and draws its icons from `data:`.
pub(super) const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src 'self' data:; \
     script-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>onsale: the API</title>
<link rel=\"icon\" href=\"data:,\">
<link rel=\"stylesheet\" href=\"/docs/swagger-ui.css\">
<div id=\"viewer\"></div>
<script src=\"/docs/swagger-ui.js\"></script>
<script src=\"/docs/viewer.js\"></script>
";

/// Beside the page, since its policy lets no script stand in it.
const SCRIPT: &str =
    "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#viewer', deepLinking: true, validatorUrl: null });\n";

/// Names of the files beside the page.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes a part of a path that is read as a word")]
pub(super) enum Name {
    #[schema(rename = "viewer.js")]
    Script,
    #[schema(rename = "swagger-ui.js")]
    SwaggerScript,
    #[schema(rename = "swagger-ui.css")]
    SwaggerStyle,
}

/// A file of the viewer.
pub(super) struct File {
    /// Its media type.
    pub(super) kind: &'static str,
    /// Its text, compressed.
    pub(super) gzip: Bytes,
}

impl File {
    fn new(kind: &'static str, text: &str) -> Self {
        let mut gzip = Vec::new();
        let read = GzEncoder::new(text.as_bytes(), Compression::default()).read_to_end(&mut gzip);
        read.expect("memory can be read");
        Self { kind, gzip: gzip.into() }
    }

    /// Its text.
    pub(super) fn plain(&self) -> Bytes {
        let mut text = Vec::new();
        GzDecoder::new(&self.gzip[..]).read_to_end(&mut text).expect("a test has unpacked every file");
        text.into()
    }
}

/// The page itself.
pub(super) static PAGE: LazyLock<File> = LazyLock::new(|| File::new("text/html; charset=utf-8", HTML));

static FILES: LazyLock<[(&str, File); 3]> = LazyLock::new(|| {
    let carried = |kind, name| {
        let gzip = packed(SWAGGER_UI_VENDORED, name).expect("a test has found every file in the archive");
        File { kind, gzip: gzip.into() }
    };
    let script = "text/javascript; charset=utf-8";
    [
        ("viewer.js", File::new(script, SCRIPT)),
        ("swagger-ui.js", carried(script, "/dist/swagger-ui-bundle.js")),
        ("swagger-ui.css", carried("text/css; charset=utf-8", "/dist/swagger-ui.css")),
    ]
});

/// Makes all of them.
pub(super) fn prepare() {
    LazyLock::force(&PAGE);
    LazyLock::force(&FILES);
}

/// The file of this name.
pub(super) fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, file)| file)
}

/// Head of a central directory's entry, of a local file and of the directory's end (APPNOTE 4.3).
const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
/// Bytes of the end without its comment, of an entry and of a local head without their names.
const END_BYTES: usize = 22;
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
const DEFLATED: usize = 8;

/// The gzip form of the file whose path in this zip archive ends so; `None` if there is none or it is not deflated.
fn packed(zip: &[u8], path: &str) -> Option<Vec<u8>> {
    let end = zip.windows(END.len()).rposition(|bytes| bytes == END)?;
    zip.get(end..end + END_BYTES)?;
    let mut at = number(zip, end + 16, 4)?;
    loop {
        let entry = zip.get(at..).filter(|entry| entry.starts_with(ENTRY))?;
        let lengths = [number(entry, 28, 2)?, number(entry, 30, 2)?, number(entry, 32, 2)?];
        if entry.get(ENTRY_BYTES..ENTRY_BYTES + lengths[0])?.ends_with(path.as_bytes()) {
            return gzip(zip, entry);
        }
        at += ENTRY_BYTES + lengths.iter().sum::<usize>();
    }
}

fn gzip(zip: &[u8], entry: &[u8]) -> Option<Vec<u8>> {
    if number(entry, 10, 2)? != DEFLATED {
        return None;
    }
    let (checksum, size) = (entry.get(16..20)?, entry.get(24..28)?);
    let (length, local) = (number(entry, 20, 4)?, number(entry, 42, 4)?);
    let start = local + LOCAL_BYTES + number(zip, local + 26, 2)? + number(zip, local + 28, 2)?;
    let deflated = zip.get(start..start + length)?;
    // Magic, deflate, no flags, no time, no extra flags, unknown system (RFC 1952).
    let head: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    Some([head, deflated, checksum, size].concat())
}

/// A little-endian number of at most four bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| (number << 8) | usize::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_unpacks() {
        prepare();
        assert!(find("swagger-ui.js").unwrap().plain().len() > 1_000_000);
        assert!(find("swagger-ui.css").unwrap().plain().starts_with(b".swagger-ui"));
        assert_eq!(find("viewer.js").unwrap().plain(), SCRIPT);
        assert_eq!(PAGE.plain(), HTML);
        assert!(find("index.html").is_none());
    }

    #[test]
    fn the_page_names_only_files_that_are_here() {
        for address in HTML.split(['"']).filter(|part| part.starts_with("/docs/")) {
            assert!(find(&address["/docs/".len()..]).is_some(), "{address}");
        }
        assert!(!HTML.contains("http") && !SCRIPT.contains("http"));
    }

    #[test]
    fn a_torn_archive_is_no_archive() {
        let torn = &SWAGGER_UI_VENDORED[..SWAGGER_UI_VENDORED.len() - 100];
        assert!(packed(torn, "/dist/swagger-ui.css").is_none());
        assert!(packed(SWAGGER_UI_VENDORED, "/dist/none").is_none());
        assert!(packed(b"", "a").is_none());
    }
}
