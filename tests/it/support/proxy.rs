//! A way to Redis that can be broken: holds bytes back, or cuts a connection once a script has run.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What becomes of the bytes of all connections, those to come as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Pass,
    /// Requests reach Redis, replies wait.
    HoldReplies,
    /// Nothing moves.
    HoldAll,
}

/// A unix socket before another one. What is held back goes on, in order, when it is told to pass.
#[derive(Debug)]
pub(crate) struct Proxy {
    folder: TempDir,
    flow: watch::Sender<Flow>,
    /// A connection whose request holds one of these loses the reply: Redis has run it, nobody learns of it.
    doomed: Arc<Mutex<Vec<Vec<u8>>>>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a socket of its own before `target`.
    pub(crate) fn start(target: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-proxy-").tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("proxy.sock")).expect("a new folder");
        let (flow, flows) = watch::channel(Flow::Pass);
        let doomed = Arc::new(Mutex::new(Vec::new()));
        let way = Way { target: target.to_owned(), flows, doomed: Arc::clone(&doomed) };
        let listening = tokio::spawn(way.accept(listener));
        Self { folder, flow, doomed, listening }
    }

    /// `unix:///…/proxy.sock`.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("proxy.sock").display())
    }

    /// Cuts, once, the connection on which a request with these bytes is answered, instead of the answer.
    pub(crate) fn lose_reply_to(&self, needle: &str) {
        self.doomed.lock().expect("no holder panics").push(needle.as_bytes().to_owned());
    }

    /// How many replies are still to be lost.
    pub(crate) fn still_to_lose(&self) -> usize {
        self.doomed.lock().expect("no holder panics").len()
    }

    /// Requests go through, replies wait until [`Proxy::pass`].
    pub(crate) fn hold_replies(&self) {
        self.flow.send_replace(Flow::HoldReplies);
    }

    /// Nothing goes through until [`Proxy::pass`].
    pub(crate) fn hold_all(&self) {
        self.flow.send_replace(Flow::HoldAll);
    }

    /// Everything goes through, first what was held back.
    pub(crate) fn pass(&self) {
        self.flow.send_replace(Flow::Pass);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[derive(Clone)]
struct Way {
    target: PathBuf,
    flows: watch::Receiver<Flow>,
    doomed: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Way {
    async fn accept(self, listener: UnixListener) {
        while let Ok((client, _)) = listener.accept().await {
            let way = self.clone();
            tokio::spawn(async move {
                // A target that is away looks as if this were away: the connection is closed.
                if let Ok(server) = UnixStream::connect(&way.target).await {
                    way.join(client, server).await;
                }
            });
        }
    }

    /// Until one side ends or the connection is cut; both halves of both are dropped then.
    async fn join(self, client: UnixStream, server: UnixStream) {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (cut, cuts) = watch::channel(false);
        tokio::select! {
            _ = self.clone().carry_requests(from_client, to_server, cut) => {}
            _ = self.carry_replies(from_server, to_client, cuts) => {}
        }
    }

    async fn carry_requests(
        mut self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        cut: watch::Sender<bool>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            let open = self.flows.wait_for(|flow| *flow != Flow::HoldAll).await;
            open.map_err(io::Error::other)?;
            to.write_all(&buffer[..count]).await?;
            // The request is with Redis by now, which will run it whatever becomes of the connection.
            if self.is_doomed(&buffer[..count]) {
                cut.send_replace(true);
            }
        }
    }

    async fn carry_replies(
        mut self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        cuts: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 || *cuts.borrow() {
                return Ok(());
            }
            let open = self.flows.wait_for(|flow| *flow == Flow::Pass).await;
            open.map_err(io::Error::other)?;
            to.write_all(&buffer[..count]).await?;
        }
    }

    fn is_doomed(&self, bytes: &[u8]) -> bool {
        let mut doomed = self.doomed.lock().expect("no holder panics");
        let holds = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
        let before = doomed.len();
        doomed.retain(|needle| !holds(needle));
        doomed.len() < before
    }
}
