//! Gzip out of pieces that were compressed apart, so that a piece that did not change is not compressed again.
//!
//! Each piece is raw deflate that ends on a byte boundary and looks back at nothing before it, so pieces can stand
//! in any order; the checksum of the whole is combined from theirs. Level 1: a body lives for some 100 ms.

use flate2::{Compress, Compression, Crc, FlushCompress};

/// A compressed piece with what the whole needs to know of it.
#[derive(Debug)]
pub(crate) struct Piece {
    deflated: Vec<u8>,
    crc: Crc,
}

impl Piece {
    /// Compresses one piece.
    pub(crate) fn compress(text: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(text);
        let mut deflate = Compress::new(Compression::fast(), false);
        let mut deflated = Vec::with_capacity(text.len() / 8 + 64);
        loop {
            let read = usize::try_from(deflate.total_in()).expect("a piece is in memory");
            deflate
                .compress_vec(&text[read..], &mut deflated, FlushCompress::Full)
                .expect("deflate takes any bytes");
            // A flush that fills the buffer to its end may have more to say.
            if deflated.len() < deflated.capacity() {
                break;
            }
            deflated.reserve(deflated.capacity());
        }
        deflated.shrink_to_fit();
        Self { deflated, crc }
    }
}

/// Magic, deflate, no flags, no time, fastest, unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// An empty last block with fixed codes.
const END: [u8; 2] = [0x03, 0x00];

/// The gzip file of these pieces, one behind the other.
pub(crate) fn whole<'a>(pieces: impl IntoIterator<Item = &'a Piece> + Clone) -> Vec<u8> {
    let bytes: usize = pieces.clone().into_iter().map(|piece| piece.deflated.len()).sum();
    let mut file = Vec::with_capacity(bytes + 20);
    file.extend_from_slice(&HEAD);
    let mut crc = Crc::new();
    for piece in pieces {
        file.extend_from_slice(&piece.deflated);
        crc.combine(&piece.crc);
    }
    file.extend_from_slice(&END);
    file.extend_from_slice(&crc.sum().to_le_bytes());
    file.extend_from_slice(&crc.amount().to_le_bytes());
    file
}

#[cfg(test)]
pub(crate) fn unpack(file: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut text).unwrap();
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn pieces_make_one_file_that_any_reader_unpacks() {
        let mut random = rand::rng();
        for size in [0, 1, 63, 1000, 100_000, 1_000_000] {
            // Noise does not compress: the output outgrows the first buffer.
            let noise: Vec<u8> = (0..size).map(|_| random.random()).collect();
            let words = "AVAILABLE,HELD,".repeat(size / 15);
            let (one, two) = (Piece::compress(&noise), Piece::compress(words.as_bytes()));
            let file = whole([&two, &one, &two]);
            let text = [words.as_bytes(), &noise, words.as_bytes()].concat();
            assert!(unpack(&file) == text, "{size} bytes");
        }
        assert_eq!(unpack(&whole([])), b"");
    }
}
