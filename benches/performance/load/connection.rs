//! One keep-alive connection.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Source, answer::parse};

/// Fits most answers, so that one read does.
const READ_BYTES: usize = 16 * 1024;

pub(super) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// What became of a request.
pub(super) enum Exchange {
    /// There was none.
    Idle,
    /// Answered; what was wrong with the answer, if anything was.
    Done { status: u16, unexpected: Option<String> },
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), answer: Vec::with_capacity(READ_BYTES) })
    }

    /// Asks the source's next request.
    pub(super) async fn exchange(&mut self, source: &mut impl Source) -> io::Result<Exchange> {
        self.request.clear();
        if !source.next(&mut self.request) {
            return Ok(Exchange::Idle);
        }
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some((answer, whole)) = parse(&self.answer)? else {
                self.answer.reserve(READ_BYTES);
                continue;
            };
            if whole != self.answer.len() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "more than one answer"));
            }
            let expected = source.answered(&answer);
            let unexpected = (!expected).then(|| {
                let request = String::from_utf8_lossy(&self.request);
                format!("{request}\n-> {}", String::from_utf8_lossy(&self.answer))
            });
            return Ok(Exchange::Done { status: answer.status, unexpected });
        }
    }
}
