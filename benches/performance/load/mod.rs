//! An HTTP/1.1 loader of our own: on two cores a dear one would eat what is to be measured.
//!
//! A connection belongs to one thread and has one [`Source`] of requests; one request is under way on it at a time. An answer that
//! its source did not expect is counted, and a load with such answers counts for nothing.

mod answer;
pub(crate) mod closed;
mod connection;
pub(crate) mod open;
mod tally;

use std::{io, thread};

pub(crate) use answer::Answer;
pub(crate) use tally::Report;

/// Threads of a load: as many as the machine has cores.
const THREADS: usize = 2;

/// Where a connection's requests come from.
pub(crate) trait Source: Send + 'static {
    /// Writes one whole request. False: there is nothing left to ask, and the connection rests.
    fn next(&mut self, request: &mut Vec<u8>) -> bool;

    /// Takes the answer to the last one. False: it is not one that was to be expected.
    fn answered(&mut self, answer: &Answer<'_>) -> bool;
}

/// Asks the same thing for ever and expects the same status.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    request: Vec<u8>,
    status: u16,
}

impl Fixed {
    /// A GET without a token.
    pub(crate) fn get(path: &str, status: u16) -> Self {
        Self { request: format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes(), status }
    }

    /// A GET with one more header, `Name: value`.
    pub(crate) fn get_with(path: &str, header: &str, status: u16) -> Self {
        Self {
            request: format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{header}\r\n\r\n").into_bytes(),
            status,
        }
    }
}

impl Source for Fixed {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        request.extend_from_slice(&self.request);
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        answer.status == self.status
    }
}

/// `count` connections that ask like `source`.
pub(crate) fn alike<S: Source + Clone>(source: &S, count: usize) -> Vec<S> {
    vec![source.clone(); count]
}

/// Runs `part` on each thread with its share of the sources, and adds up.
fn share_out<S: Source>(
    sources: Vec<S>,
    part: impl Fn(Vec<S>) -> io::Result<(Vec<S>, Report)> + Clone + Send + 'static,
) -> io::Result<(Vec<S>, Report)> {
    let mut shares: Vec<Vec<S>> = (0..THREADS).map(|_| Vec::new()).collect();
    for (number, source) in sources.into_iter().enumerate() {
        shares[number % THREADS].push(source);
    }
    let start = |share| {
        let part = part.clone();
        thread::spawn(move || part(share))
    };
    let threads: Vec<_> = shares.into_iter().map(start).collect();
    let (mut sources, mut report) = (Vec::new(), Report::new());
    for thread in threads {
        let (share, part) =
            thread.join().map_err(|_| io::Error::other("a thread of the load panicked"))??;
        sources.extend(share);
        report.add(&part);
    }
    Ok((sources, report))
}
