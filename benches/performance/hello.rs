//! The reference: what bare hyper costs with the server's runtime layout and a small fixed answer.
//!
//! A process of its own (this binary starts itself again), so that its CPU time is its own, too.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    process::Stdio,
    thread,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpListener, runtime};

use crate::{
    Result,
    spawner::{Running, bound_to_us, spawn},
};

/// As the server's.
const BACKLOG: i32 = 4096;
/// As the server's.
const BUFFER_BYTES: usize = 16 * 1024;

const ANSWER: &[u8] = br#"{"message":"hello","status":"WAITING","position":12345}"#;

/// A running reference.
#[derive(Debug)]
pub(crate) struct Hello {
    address: SocketAddr,
    process: Running,
    _log: tempfile::NamedTempFile,
}

impl Hello {
    /// Starts this binary again as the reference.
    pub(crate) fn start() -> Result<Self> {
        let address = free_address()?;
        let log = tempfile::NamedTempFile::new()?;
        let mut command = bound_to_us(&std::env::current_exe()?);
        command.args(["hello", &address.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen()?);
        let process = Running::new(spawn(command)?, log.path().to_owned());
        crate::wait_until_blocking("hello answers", || std::net::TcpStream::connect(address).is_ok());
        Ok(Self { address, process, _log: log })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// For a meter.
    pub(crate) fn processes(&self) -> [(&'static str, u32); 1] {
        [("hello", self.process.id())]
    }
}

/// A port on loopback that nobody listened on a moment ago.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    StdListener::bind("127.0.0.1:0")?.local_addr()
}

/// Serves until it is killed.
pub(crate) fn serve(address: SocketAddr) -> io::Result<()> {
    let cores = thread::available_parallelism()?.get();
    let listeners = (0..cores).map(|_| listen(address)).collect::<io::Result<Vec<_>>>()?;
    let threads: Vec<_> =
        listeners.into_iter().map(|listener| thread::spawn(|| serve_core(listener))).collect();
    for thread in threads {
        thread.join().map_err(|_| io::Error::other("a core of hello panicked"))??;
    }
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn serve_core(listener: StdListener) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(None)
                .half_close(true)
                .max_buf_size(BUFFER_BYTES)
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            // It ends when the client has gone, which is no trouble of ours.
            tokio::spawn(async { drop(connection.await) });
        }
    })
}

async fn answer(_: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
