//! The configuration: what every setting is called, where its value comes from, and which values go together.
//!
//! Three layers, the later wins: `default.toml` (built in, explains every key), a file, the environment. Unknown keys
//! are errors, so a misspelt one can't pass for a default. Nothing else reads the environment. Secrets stand in files
//! of their own, are read once at start and have no printable form.

mod engine;
mod environment;
mod keys;
mod layers;
mod secret;
mod sections;
mod validate;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use engine::{EngineSetting, Fitness};
pub use environment::{find_program, named_file, temporary_folder};
pub use keys::{IdentityKey, KeyMaterial};
pub use secret::{ConnectionUrl, Secret};
pub use sections::{
    Algorithm, Coalesce, Gateway, GatewayKind, Identity, IdentityKeyFile, Kafka, KafkaSecurity, Log,
    LogFormat, Mysql, Privacy, QueueToken, Redis, SaslMechanism, Server, Telemetry, Ticket, TopUp, Wallet,
    Webhook, Worker,
};
pub use validate::Problem;

/// Every setting of one process. Subsystems are given their own section, not this.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The two listeners and their bounds.
    pub server: Server,
    /// Where Redis is.
    pub redis: Redis,
    /// Where MySQL is.
    pub mysql: Mysql,
    /// Whose identity tokens are believed.
    pub identity: Identity,
    /// Keys of queue tokens.
    pub queue_token: QueueToken,
    /// Key of tickets.
    pub ticket: Ticket,
    /// Money.
    pub wallet: Wallet,
    /// Card payments.
    pub gateway: Gateway,
    /// How long logs are kept, how fast they are followed.
    pub log: Log,
    /// Where events go.
    pub kafka: Kafka,
    /// How organisers' endpoints are told.
    pub webhook: Webhook,
    /// What becomes of users' ids.
    pub privacy: Privacy,
    /// Bounds of the coalescers.
    pub coalesce: Coalesce,
    /// What this process says about itself.
    pub telemetry: Telemetry,
    /// How often the loops run.
    pub worker: Worker,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A layer is no TOML, or a value has the wrong type, or a key is unknown.
    #[error("{origin}: {message}")]
    Parse {
        /// Which layer, or all of them together.
        origin: String,
        /// What is wrong, with its place.
        message: String,
    },
    /// A key file is missing from the configuration or holds something else than a key.
    #[error("{key}: {says}")]
    Key {
        /// The configuration key that names the file.
        key: String,
        /// What is wrong with it, without its content.
        says: String,
    },
}

impl Config {
    /// Lays `file` (if any) and the environment over the defaults. Does not look whether the values go together:
    /// see [`Config::problems`].
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = file else {
            return Self::from_layers(None, Path::new(""), environment::settings());
        };
        let text = read_text(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_layers(Some((&path.display().to_string(), &text)), folder, environment::settings())
    }

    /// As [`Config::load`], from texts: `file` is its name and its content, `folder` what file names in it are
    /// relative to, `settings` pairs like (`ONSALE__REDIS__URL`, `redis://…`); others are passed over.
    pub fn from_layers(
        file: Option<(&str, &str)>,
        folder: &Path,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut table = layers::parse("default.toml", include_str!("default.toml"))?;
        if let Some((name, text)) = file {
            layers::merge(&mut table, layers::parse(name, text)?);
        }
        layers::merge_environment(&mut table, settings)?;
        let mut config: Self = table.try_into().map_err(|error: toml::de::Error| Error::Parse {
            origin: file.map_or_else(|| "configuration".to_owned(), |(name, _)| name.to_owned()),
            message: error.message().to_owned(),
        })?;
        config.resolve_paths(folder);
        config.read_addresses()?;
        Ok(config)
    }

    /// The effective configuration as TOML, without secrets. Paths are as they will be opened.
    ///
    /// # Panics
    /// Never: string keys and plain values always have a TOML form.
    pub fn to_redacted_toml(&self) -> String {
        toml::to_string_pretty(self).expect("string keys and plain values always have a TOML form")
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let named = [
            &mut self.redis.url_file,
            &mut self.mysql.url_file,
            &mut self.gateway.secret_key_file,
            &mut self.queue_token.key_file,
            &mut self.ticket.signing_key_file,
            &mut self.gateway.webhook_secret_file,
            &mut self.kafka.password_file,
            &mut self.kafka.ca_file,
            &mut self.privacy.export_key_file,
        ];
        let of_identity =
            self.identity.keys.iter_mut().flat_map(|key| [&mut key.secret_file, &mut key.jwks_file]);
        for path in named.into_iter().chain(of_identity).flatten() {
            *path = folder.join(&*path);
        }
        for path in &mut self.queue_token.previous_key_files {
            *path = folder.join(&*path);
        }
    }

    fn read_addresses(&mut self) -> Result<(), Error> {
        if let Some(path) = &self.redis.url_file {
            self.redis.url = ConnectionUrl::new(read_text(path)?.trim());
        }
        if let Some(path) = &self.mysql.url_file {
            self.mysql.url = ConnectionUrl::new(read_text(path)?.trim());
        }
        Ok(())
    }
}

fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
