//! Mends the end of Redis's append-only file after a `kill -9`, before Redis reads it.
//!
//! A kill may tear a write at any byte. Redis (7.0 at least) then cuts the torn command off but, if that stood inside a
//! transaction, leaves the commands before it behind their MULTI. It does not run them now; at the *next* start they run together
//! with whatever was appended since: a batch that nobody was told of comes back, in parts, under a log entry's number that
//! another one has. So a torn transaction is cut off here, whole.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// The longest first word that matters: `MULTI`.
const WORD_MAX: u64 = 5;

/// Cuts the last append-only file in `folder` back to the end of its last whole command or transaction. Answers how many
/// bytes went. What is no append-only file is left for Redis to complain about.
pub(super) fn mend(folder: &Path) -> io::Result<u64> {
    let Some(path) = last_file(folder)? else {
        return Ok(0);
    };
    let file = File::options().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let whole = whole_bytes(BufReader::with_capacity(1 << 20, &file), size)?;
    if whole == size {
        return Ok(0);
    }
    file.set_len(whole)?;
    file.sync_all()?;
    Ok(size - whole)
}

/// The file that Redis appends to, as its manifest names it.
fn last_file(folder: &Path) -> io::Result<Option<PathBuf>> {
    let manifest = match fs::read_to_string(folder.join("appendonly.aof.manifest")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let appended = manifest.lines().rev().find(|line| line.ends_with("type i"));
    let name = appended.and_then(|line| line.strip_prefix("file ")?.split(' ').next());
    Ok(name.map(|name| folder.join(name)).filter(|path| path.exists()))
}

/// Bytes up to the end of the last whole command outside of a transaction, or of the last whole transaction. All of `size` if
/// something else than commands stands there.
fn whole_bytes(mut file: impl BufRead + SkipBytes, size: u64) -> io::Result<u64> {
    let (mut at, mut whole, mut in_transaction) = (0, 0, false);
    loop {
        match read_command(&mut file, size - at)? {
            Found::Command { bytes, word } => {
                at += bytes;
                in_transaction = match word.as_slice() {
                    b"MULTI" => true,
                    b"EXEC" => false,
                    _ => in_transaction,
                };
            }
            Found::End => return Ok(whole),
            Found::Other => return Ok(size),
        }
        if !in_transaction {
            whole = at;
        }
    }
}

enum Found {
    Command {
        bytes: u64,
        /// The first word in capitals; empty if it is longer than those that matter.
        word: Vec<u8>,
    },
    /// Nothing more, or not all of it.
    End,
    Other,
}

/// Reads one command, `*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n`, of the `left` bytes, or a line of annotation, `#TS:…\r\n`.
fn read_command(file: &mut (impl BufRead + SkipBytes), left: u64) -> io::Result<Found> {
    let mut bytes = 0;
    let Some(head) = read_line(file, &mut bytes)? else {
        return Ok(Found::End);
    };
    if head.starts_with(b"#") {
        return Ok(Found::Command { bytes, word: Vec::new() });
    }
    let Some(count) = number(&head, b'*') else {
        return Ok(Found::Other);
    };
    let mut word = Vec::new();
    for place in 0..count {
        let Some(head) = read_line(file, &mut bytes)? else {
            return Ok(Found::End);
        };
        let Some(length) = number(&head, b'$') else {
            return Ok(Found::Other);
        };
        let next = bytes.saturating_add(length).saturating_add(2);
        if next > left {
            return Ok(Found::End);
        }
        if place == 0 && length <= WORD_MAX {
            file.by_ref().take(length).read_to_end(&mut word)?;
            file.skip_bytes(2)?;
        } else {
            file.skip_bytes(length + 2)?;
        }
        bytes = next;
    }
    word.make_ascii_uppercase();
    Ok(Found::Command { bytes, word })
}

/// A line without its end, and counts its bytes; `None` if the end is missing.
fn read_line(file: &mut impl BufRead, bytes: &mut u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    *bytes += file.read_until(b'\n', &mut line)? as u64;
    let whole = line.ends_with(b"\r\n");
    line.truncate(line.len().saturating_sub(2));
    Ok(whole.then_some(line))
}

fn number(line: &[u8], kind: u8) -> Option<u64> {
    let digits = line.strip_prefix(&[kind])?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Passing over bytes that nobody looks at.
trait SkipBytes {
    fn skip_bytes(&mut self, count: u64) -> io::Result<()>;
}

impl<R: Read> SkipBytes for BufReader<R> {
    fn skip_bytes(&mut self, count: u64) -> io::Result<()> {
        io::copy(&mut self.take(count), &mut io::sink()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> String {
        let head = format!("*{}\r\n", words.len());
        words.iter().fold(head, |text, word| text + &format!("${}\r\n{word}\r\n", word.len()))
    }

    #[test]
    fn a_torn_end_is_cut_off_with_its_transaction() {
        let alone = command(&["SELECT", "0"]) + "#TS:1\r\n" + &command(&["SET", "k", "v\r\nw"]);
        let batch =
            [&["MULTI"][..], &["XADD", "log", "1-0", "e", "text"], &["HSET", "meta", "n", "1"], &["EXEC"]];
        let batch: String = batch.iter().map(|words| command(words)).collect();
        let text = format!("{alone}{batch}{batch}");
        let ends = [0, 23, 30, alone.len(), alone.len() + batch.len(), text.len()];
        assert_eq!(&text[23..30], "#TS:1\r\n");
        for size in 0..=text.len() {
            let torn = &text.as_bytes()[..size];
            let whole = whole_bytes(BufReader::new(torn), size as u64).unwrap();
            let expected = ends.iter().rev().find(|end| **end <= size).unwrap();
            assert_eq!(whole, *expected as u64, "cut at {size}");
        }
        let other = b"REDIS0010 something else\r\n";
        assert_eq!(whole_bytes(BufReader::new(&other[..]), 26).unwrap(), 26);
    }
}
