//! The private MariaDB; MySQL where that is what is installed.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    Error, Instance,
    child::{Child, Order},
    ready,
};
use crate::config::find_program;

/// Carried out at every start, before the first connection is let in.
const INIT: &str = "create database if not exists onsale character set utf8mb4;\n";

/// What is installed.
enum Server {
    MariaDb { server: PathBuf, install: PathBuf },
    MySql { server: PathBuf },
}

impl Server {
    fn find() -> Result<Self, Error> {
        match (find_program("mariadbd"), find_program("mariadb-install-db"), find_program("mysqld")) {
            (Some(server), Some(install), _) => Ok(Self::MariaDb { server, install }),
            (_, _, Some(server)) => Ok(Self::MySql { server }),
            _ => Err(Error::Missing { program: "mariadbd" }),
        }
    }

    fn program(&self) -> &Path {
        match self {
            Self::MariaDb { server, .. } | Self::MySql { server } => server,
        }
    }
}

/// Starts it on its socket, installed if this is the first time, with a database `onsale`.
pub(super) async fn start(instance: &Instance, lock: &File) -> Result<Child, Error> {
    let server = Server::find()?;
    let data = instance.folder().join("mysql");
    if !data.exists() {
        install(instance, &server, &data, lock).await?;
    }
    let init = instance.folder().join("run/init.sql");
    fs::write(&init, INIT).map_err(Error::file(&init))?;
    let socket = instance.mysql_socket();
    let mut arguments = with_path("--no-defaults", &data);
    arguments.extend(as_root(&data)?);
    // Buffers for one machine that does other work too; a redo log that lets pages gather changes before they are written.
    let fixed = "--skip-networking --skip-name-resolve --character-set-server=utf8mb4 \
                 --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=128M --innodb-log-file-size=256M \
                 --max-connections=100 --max-allowed-packet=64M";
    arguments.extend(fixed.split_whitespace().map(OsString::from));
    arguments.push(joined("--socket=", &socket));
    arguments.push(joined("--pid-file=", &instance.folder().join("run/mysql.pid")));
    arguments.push(joined("--init-file=", &init));
    if let Server::MySql { .. } = server {
        arguments.push("--mysqlx=OFF".into());
    }
    let (folder, log) = (instance.folder(), "mariadb.log");
    let order = Order { name: "MariaDB", program: server.program(), arguments, folder, log, lock };
    let mut child = Child::spawn(order)?;
    child.until_ready(async || ready::mariadb_answers(&socket).await).await?;
    Ok(child)
}

/// Makes the server's own tables beside their place and moves them there: a first start that is killed leaves nothing
/// that looks finished.
async fn install(instance: &Instance, server: &Server, data: &Path, lock: &File) -> Result<(), Error> {
    let unfinished = instance.folder().join("mysql.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(Error::file(&unfinished))?;
    }
    Instance::make_data_folder(&unfinished)?;
    // From the working folder: the script stumbles over spaces in a path.
    let mut arguments = with_path("--no-defaults", Path::new("./mysql.unfinished"));
    arguments.extend(as_root(&unfinished)?);
    let program = match server {
        Server::MariaDb { install, .. } => {
            let fixed = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
            arguments.extend(fixed.map(OsString::from));
            install
        }
        Server::MySql { server } => {
            arguments.push("--initialize-insecure".into());
            server
        }
    };
    tracing::info!(folder = %data.display(), "installing MariaDB for the first start");
    let (folder, log) = (instance.folder(), "mariadb.log");
    let mut child =
        Child::spawn(Order { name: "mariadb-install-db", program, arguments, folder, log, lock })?;
    child.finished().await?;
    fs::rename(&unfinished, data).map_err(Error::file(data))
}

fn with_path(first: &str, data: &Path) -> Vec<OsString> {
    vec![first.into(), joined("--datadir=", data)]
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut text = OsString::from(option);
    text.push(path);
    text
}

/// The server refuses to run as root unless told to. It must not change to another user after its start either: the
/// death signal would be lost. So where we are root it runs as root, on files that are root's.
fn as_root(folder: &Path) -> Result<Option<OsString>, Error> {
    let owner = fs::metadata(folder).map_err(Error::file(folder))?.uid();
    Ok((owner == 0).then(|| "--user=root".into()))
}
