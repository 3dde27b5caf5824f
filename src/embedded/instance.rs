//! The data folder of one instance: who may use it, and where its sockets are.
//!
//! `lock` is ours alone and refuses a second instance at once. `run/engines.lock` is inherited by the engines
//! and so stays locked until the last of them is gone: a start after a `kill -9` waits for it.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    net::SocketAddr,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::{Error, seed};
use crate::config::temporary_folder;

/// What a unix socket's path may have, without the zero at its end.
const SOCKET_PATH_MAX_BYTES: usize = 107;
/// Killed engines are gone in milliseconds, with a full page cache to write in seconds.
const EARLIER_ENGINES_DEADLINE: Duration = Duration::from_secs(15);
/// Between two looks at the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// What the command line says over the configuration of the instance; written there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// For buyers and organisers.
    pub listen: Option<SocketAddr>,
    /// For health and metrics.
    pub ops_listen: Option<SocketAddr>,
}

/// A data folder that is ours until this is dropped.
#[derive(Debug)]
pub struct Instance {
    folder: PathBuf,
    sockets: PathBuf,
    _lock: File,
}

impl Instance {
    /// Takes the folder, which is made if absent, with keys and a configuration.
    pub fn open(folder: &Path, overrides: Overrides) -> Result<Self, Error> {
        seed::seed(folder)?;
        let folder = folder.canonicalize().map_err(Error::file(folder))?;
        let path = folder.join("lock");
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { folder }),
            Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
        }
        let run = folder.join("run");
        make_private(&run)?;
        Self::make_data_folder(&folder.join("tmp"))?;
        let sockets = socket_folder(&folder);
        if sockets != run {
            make_private(&sockets)?;
        }
        let instance = Self { folder, sockets, _lock: lock };
        seed::update(&instance, overrides)?;
        Ok(instance)
    }

    /// The full path of the data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the configuration of the instance is.
    pub fn config_file(&self) -> PathBuf {
        seed::config_file(&self.folder)
    }

    /// Where Redis listens.
    pub fn redis_socket(&self) -> PathBuf {
        self.sockets.join("redis.sock")
    }

    /// Where MariaDB listens.
    pub fn mysql_socket(&self) -> PathBuf {
        self.sockets.join("mysql.sock")
    }

    /// Makes a folder for an engine's data, if absent; others can't look into it.
    pub(super) fn make_data_folder(path: &Path) -> Result<(), Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::file(path))
    }

    /// Gives the lock that engines inherit, once no engine of an earlier process holds it.
    pub(super) async fn wait_for_earlier_engines(&self) -> Result<File, Error> {
        let path = self.folder.join("run/engines.lock");
        let lock = open_lock(&path)?;
        let end = Instant::now() + EARLIER_ENGINES_DEADLINE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(LOCK_INTERVAL).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::StillHeld { folder: self.folder.clone() });
                }
                Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.sockets.starts_with(&self.folder) {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.sockets) {
            tracing::warn!(folder = %self.sockets.display(), %error, "the folder of the sockets stays behind");
        }
    }
}

fn open_lock(path: &Path) -> Result<File, Error> {
    let lock = File::options().read(true).write(true).create(true).truncate(false).open(path);
    lock.map_err(Error::file(path))
}

/// `run` in the data folder, or a folder of the system's temporary one where that path would be too long. Its name is
/// made from the data folder's, so that the next start comes to the same.
fn socket_folder(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    if run.join("redis.sock").as_os_str().len() <= SOCKET_PATH_MAX_BYTES {
        return run;
    }
    let digest = Sha256::digest(folder.as_os_str().as_bytes());
    let (name, _) = digest.split_first_chunk().expect("a SHA-256 has 32 bytes");
    temporary_folder().join(format!("onsale-{:016x}", u64::from_be_bytes(*name)))
}

/// Makes a folder that only we may enter, or checks that the one there is such a folder: MariaDB's root has no
/// password, so whoever reaches the socket is root.
pub(super) fn make_private(folder: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::file(folder))?;
    let found = fs::symlink_metadata(folder).map_err(Error::file(folder))?;
    let ours = fs::metadata("/proc/self").map_err(Error::file("/proc/self"))?.uid();
    let closed_to_others = found.permissions().mode().trailing_zeros() >= 6;
    let private = found.is_dir() && found.uid() == ours && closed_to_others;
    if private { Ok(()) } else { Err(Error::NotPrivate { path: folder.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_short_sockets_in_a_place_of_its_own() {
        let short = Path::new("/srv/onsale");
        assert_eq!(socket_folder(short), Path::new("/srv/onsale/run"));
        let (one, other) = ("/x".repeat(60), "/y".repeat(60));
        let sockets = socket_folder(Path::new(&one));
        assert!(sockets.join("redis.sock").as_os_str().len() <= SOCKET_PATH_MAX_BYTES);
        assert_eq!(sockets, socket_folder(Path::new(&one)));
        assert_ne!(sockets, socket_folder(Path::new(&other)));
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        make_private(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(make_private(&open), Err(Error::NotPrivate { .. })));
    }
}
