//! The private Redis and MariaDB of `onsale up`, in one data folder.
//!
//! They listen on unix sockets in a folder only we may enter, keep what they answered (fsync before every answer), and
//! die with us: each is bound to the thread that started it by a death signal, so start them from the main thread. A
//! lock that they inherit tells the next start when the last one of them is gone, even after a `kill -9`.

mod append_only;
mod child;
mod instance;
mod mariadb_server;
mod ready;
mod redis_server;
mod seed;

use std::{io, path::PathBuf, process::ExitStatus};

use child::Child;
pub use instance::{Instance, Overrides};
pub use redis_server::RedisProgram;
pub use seed::{config_file, seed};

/// Why the engines don't run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process runs on this data folder.
    #[error("another onsale runs on {}", folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// Engines of a killed process still hold the data folder.
    #[error("engines of an earlier start still run on {}: end them, then try again", folder.display())]
    StillHeld {
        /// The data folder.
        folder: PathBuf,
    },
    /// A program is not installed.
    #[error("{program} is not installed (`make install` does it)")]
    Missing {
        /// Which.
        program: &'static str,
    },
    /// A file or folder can't be read or written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another user has taken the folder for our sockets, or others may enter it.
    #[error("{} is not ours alone: set TMPDIR, or use a data folder with a shorter path", path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
    },
    /// A process can't be started, waited for or told to stop.
    #[error("{name}")]
    Process {
        /// The engine or program.
        name: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// An engine ended by itself.
    #[error("{name} ended ({status}); its log {} ends: {tail}", log.display())]
    Ended {
        /// The engine or program.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Where it writes to.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// An engine runs but does not answer in time.
    #[error("{name} does not answer; see {}", log.display())]
    Silent {
        /// The engine or program.
        name: &'static str,
        /// Where it writes to.
        log: PathBuf,
    },
    /// The configuration of the instance can't be read.
    #[error(transparent)]
    Config(#[from] crate::config::Error),
}

impl Error {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.into(), source }
    }
}

/// The two running engines. Killed when dropped; [`Engines::stop`] ends them cleanly.
#[derive(Debug)]
pub struct Engines {
    redis: Child,
    mariadb: Child,
}

impl Engines {
    /// Starts both and waits until they answer; the first start installs MariaDB's own tables. Must be awaited on the
    /// main thread, in a task that never leaves it.
    pub async fn start(instance: &Instance, program: RedisProgram) -> Result<Self, Error> {
        let lock = instance.wait_for_earlier_engines().await?;
        let redis = redis_server::start(instance, program, &lock);
        let mariadb = mariadb_server::start(instance, &lock);
        let (redis, mariadb) = tokio::try_join!(redis, mariadb)?;
        Ok(Self { redis, mariadb })
    }

    /// Resolves when an engine ends by itself, with how and what it said last.
    pub async fn died(&mut self) -> Error {
        tokio::select! {
            error = self.redis.ended() => error,
            error = self.mariadb.ended() => error,
        }
    }

    /// Ends both, one after the other: the sale's state first, then its archive. One that does not end in time is
    /// killed; neither has anything to lose then.
    pub async fn stop(mut self) -> Result<(), Error> {
        let redis = self.redis.stop().await;
        self.mariadb.stop().await.and(redis)
    }
}
