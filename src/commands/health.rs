//! `health`: whether a process of ours is ready, asked from beside it. For images that hold no other HTTP client.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Args;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Error, answer, source::Source};

/// From the first packet to the last. Whoever asks this often waits five seconds himself.
const PATIENCE: Duration = Duration::from_secs(3);

/// Of an answer. What is degraded is named in it, and a thousand concerts have room.
const ANSWER_MAX_BYTES: u64 = 64 * 1024;

/// Options of `health`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The operations listener to ask; otherwise the server's in the configuration.
    #[arg(long, value_name = "ADDRESS")]
    ops: Option<SocketAddr>,
}

impl Arguments {
    /// Prints what `/readyz` answers; fails unless that is 200.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let address = match self.ops {
            Some(address) => address,
            None => beside(self.source.read()?.server.ops_listen),
        };
        let unreachable = |source| Error::Unreachable { address, source };
        let asked = timeout(PATIENCE, ask(address)).await;
        let text = asked.map_err(|late| unreachable(late.into()))?.map_err(unreachable)?;
        let (is_ready, body) = read(&text);
        answer(body)?;
        Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// How a listener is reached from its own machine: all addresses are none to connect to.
fn beside(mut listener: SocketAddr) -> SocketAddr {
    if listener.ip().is_unspecified() {
        let loopback = if listener.is_ipv4() { "127.0.0.1" } else { "::1" };
        listener.set_ip(loopback.parse().expect("both are addresses"));
    }
    listener
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_MAX_BYTES).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether an answer says 200, and its body.
fn read(answer: &str) -> (bool, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    (head.split(' ').nth(1) == Some("200"), body.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_ready() {
        assert_eq!(read("HTTP/1.1 200 OK\r\na: b\r\n\r\n{}\n"), (true, "{}"));
        assert_eq!(read("HTTP/1.1 503 Service Unavailable\r\n\r\nno"), (false, "no"));
        assert_eq!(read(""), (false, ""));
    }

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        for (listener, asked) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("127.0.0.2:1", "127.0.0.2:1")]
        {
            assert_eq!(beside(listener.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
