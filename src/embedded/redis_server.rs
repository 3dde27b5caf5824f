//! The private Redis (or Valkey): every answer is on disk before it is given.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    Error, Instance, append_only,
    child::{Child, Order},
    ready,
};
use crate::config::find_program;

/// Which server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum RedisProgram {
    /// Redis.
    #[value(name = "redis-server")]
    Redis,
    /// Valkey.
    #[value(name = "valkey-server")]
    Valkey,
}

impl RedisProgram {
    /// The one that is installed; Redis if both or neither are.
    pub fn installed() -> Self {
        let only_valkey =
            find_program(Self::Redis.name()).is_none() && find_program(Self::Valkey.name()).is_some();
        if only_valkey { Self::Valkey } else { Self::Redis }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }
}

/// Starts it on its socket and waits until it has read its append-only file.
pub(super) async fn start(instance: &Instance, program: RedisProgram, lock: &File) -> Result<Child, Error> {
    let path = find_program(program.name()).ok_or(Error::Missing { program: program.name() })?;
    let data = instance.folder().join("redis");
    Instance::make_data_folder(&data)?;
    mend(data.join("appendonlydir")).await?;
    let socket = instance.redis_socket();
    let arguments = arguments(&data, &socket);
    let (folder, log) = (instance.folder(), "redis.log");
    let mut child = Child::spawn(Order { name: "Redis", program: &path, arguments, folder, log, lock })?;
    child.until_ready(async || ready::redis_answers(&socket).await).await?;
    Ok(child)
}

/// Nobody was told of what goes here: Redis answers only what it has written and synced.
async fn mend(folder: PathBuf) -> Result<(), Error> {
    let path = folder.clone();
    let mended = tokio::task::spawn_blocking(move || append_only::mend(&folder)).await;
    let cut = mended.map_err(io::Error::other).and_then(|mended| mended).map_err(Error::file(&path))?;
    if cut > 0 {
        tracing::warn!(bytes = cut, "the end of Redis's append-only file was torn by a kill and is cut off");
    }
    Ok(())
}

fn arguments(data: &Path, socket: &Path) -> Vec<OsString> {
    // No snapshots (`--save ""`): the append-only file has it all, and a fork of a full server costs memory.
    let fixed = "--port 0 --unixsocketperm 700 --appendonly yes --appendfsync always --aof-load-truncated yes \
                 --maxmemory-policy noeviction --daemonize no";
    let mut arguments: Vec<OsString> = fixed.split_whitespace().map(OsString::from).collect();
    arguments.extend(["--save".into(), "".into()]);
    arguments.extend(["--dir".into(), data.into(), "--unixsocket".into(), socket.into()]);
    arguments
}
