//! What an instance starts with: keys for development and a configuration that names them.
//!
//! Whoever comes first makes them, `up` or `token`; both may come at the same moment, so a file appears whole or not at
//! all and is never replaced by a second key. From then on the configuration belongs to its owner: `up` only sets where
//! its engines listen and what its command line says.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use toml::{Table, Value};

use super::{Error, Instance, Overrides, instance::make_private};
use crate::config;

const NOTE: &str = "# The configuration of this instance, laid over the defaults. `onsale up` writes it when the addresses of its
# engines or its command line change; everything else in it is yours.

";

/// What holds on one machine for one person: everybody charges his own balance, and nobody waits for a load balancer.
const FIRST: &str = r#"
identity = { development = true, keys = [{ kid = "development", alg = "HS256", secret_file = "keys/identity.key" }] }
queue_token = { key_file = "keys/queue_token.key" }
ticket = { signing_key_file = "keys/ticket.key" }
wallet = { top_up = "self" }
server = { drain_seconds = 0 }
"#;

/// Where the configuration of the instance in `folder` is.
pub fn config_file(folder: &Path) -> PathBuf {
    folder.join("onsale.toml")
}

/// Makes the data folder, its keys and its configuration, whatever of them is absent.
pub fn seed(folder: &Path) -> Result<(), Error> {
    if !folder.exists() {
        make_private(folder)?;
    }
    let keys = folder.join("keys");
    make_private(&keys)?;
    for name in ["identity.key", "queue_token.key", "ticket.key"] {
        let key = format!("{:032x}{:032x}\n", rand::random::<u128>(), rand::random::<u128>());
        create_once(&keys.join(name), &key)?;
    }
    create_once(&config_file(folder), &format!("{NOTE}{}", FIRST.trim_start()))
}

/// Sets what `up` decides: where the engines listen, and what its command line says.
pub(super) fn update(instance: &Instance, overrides: Overrides) -> Result<(), Error> {
    let path = instance.config_file();
    let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let parsed: Result<Table, toml::de::Error> = text.parse();
    let before = parsed.map_err(|error| config::Error::Parse {
        origin: path.display().to_string(),
        message: error.message().to_owned(),
    })?;
    let mut table = before.clone();
    let redis = format!("unix://{}", in_url(&instance.redis_socket()));
    let mysql = format!("mysql://root@localhost/onsale?socket={}", in_url(&instance.mysql_socket()));
    set(&mut table, "redis", "url", redis);
    set(&mut table, "mysql", "url", mysql);
    let listeners = [("listen", overrides.listen), ("ops_listen", overrides.ops_listen)];
    for (key, address) in listeners {
        if let Some(address) = address {
            set(&mut table, "server", key, address.to_string());
        }
    }
    if table == before {
        return Ok(());
    }
    let written = write_beside(&path, &format!("{NOTE}{table}"))?;
    fs::rename(&written, &path).map_err(Error::file(&path))
}

/// A path as a part of a URL. Folders have spaces in their names, and worse.
fn in_url(path: &Path) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
    percent_encode(path.as_os_str().as_bytes(), ENCODED).to_string()
}

fn set(table: &mut Table, section: &str, key: &str, value: String) {
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    // A section that is no table is reported when the configuration is loaded.
    if let Value::Table(section) = section {
        section.insert(key.to_owned(), Value::String(value));
    }
}

/// Makes `path` with this content, unless it is there.
fn create_once(path: &Path, content: &str) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let written = write_beside(path, content)?;
    // Unlike a rename, a link does not replace what another process has put there since.
    match fs::hard_link(&written, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::file(path)(error)),
        _ => fs::remove_file(&written).map_err(Error::file(&written)),
    }
}

/// Writes and syncs a file beside `path` that only we may read.
fn write_beside(path: &Path, content: &str) -> Result<PathBuf, Error> {
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    let write = || {
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()
    };
    write().map_err(Error::file(&unfinished))?;
    Ok(unfinished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_seeded_folder_is_a_configuration_for_development_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("data");
        seed(&folder).unwrap();
        let config = Config::load(Some(&config_file(&folder))).unwrap();
        assert_eq!(config.serving_problems(true), []);
        assert_eq!(config.serving_problems(false).len(), 2);
        let keys = config.queue_token.read_keys().unwrap();
        seed(&folder).unwrap();
        assert_eq!(config.queue_token.read_keys().unwrap(), keys);
        assert_eq!(config.identity.read_keys().unwrap().len(), 1);
        assert_eq!(config.ticket.read_seed().unwrap().expose().len(), 32);
    }

    #[test]
    fn the_owners_settings_survive_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("data");
        seed(&folder).unwrap();
        let listen = "127.0.0.1:1".parse().unwrap();
        drop(Instance::open(&folder, Overrides { listen: Some(listen), ops_listen: None }).unwrap());
        let path = config_file(&folder);
        let text = fs::read_to_string(&path).unwrap().replace("top_up = \"self\"", "top_up = \"cashier\"");
        fs::write(&path, text).unwrap();
        let instance = Instance::open(&folder, Overrides::default()).unwrap();
        let config = Config::load(Some(&instance.config_file())).unwrap();
        assert_eq!(config.wallet.top_up, config::TopUp::Cashier);
        assert_eq!(config.server.listen, listen);
        assert!(config.redis.url.expose().ends_with("/run/redis.sock"));
    }
}
