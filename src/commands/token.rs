//! `token`: an identity token for development, as the login of an installation would give it.

use std::{
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;

use super::{Error, answer, source::Source};
use crate::{
    config::{Algorithm, Config, IdentityKey, KeyMaterial},
    embedded::{config_file, seed},
};

/// Where `up` keeps everything unless told otherwise.
const DATA_DIR: &str = "data";

/// Options of `token`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The user id.
    #[arg(long, value_parser = user_id)]
    user: String,
    /// A role of the user; may be given more than once.
    #[arg(long = "role", value_name = "ROLE", value_parser = ["organiser", "operator", "viewer", "cashier", "admin"])]
    roles: Vec<String>,
    /// The organiser the user belongs to.
    #[arg(long, default_value = "demo")]
    org: String,
    /// How long it is good for, from now.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    ttl: u64,
}

/// What the token says.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: &'a str,
    roles: &'a [String],
    org: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl Arguments {
    /// Prints the token. An instance that was never started gets its keys here, and its first start finds them.
    pub(super) fn execute(self) -> Result<ExitCode, Error> {
        let config = self.config()?;
        let keys = config.identity.read_keys()?;
        let key = keys.iter().find(|key| key.alg == Algorithm::HS256).ok_or(Error::NoSigningKey)?;
        answer(&self.sign(&config, key)?)?;
        Ok(ExitCode::SUCCESS)
    }

    fn config(&self) -> Result<Config, Error> {
        // An unnamed configuration may still be a whole one: a container's environment names the keys.
        let is_absent = self.source.is_unnamed() && self.source.read()?.identity.keys.is_empty();
        let unnamed = is_absent.then(|| Path::new(DATA_DIR));
        let Some(folder) = self.source.data_dir().or(unnamed) else {
            return self.source.load();
        };
        seed(folder)?;
        Ok(Config::load(Some(&config_file(folder)))?)
    }

    fn sign(&self, config: &Config, key: &IdentityKey) -> Result<String, Error> {
        let KeyMaterial::Shared(secret) = &key.material else {
            return Err(Error::NoSigningKey);
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let iat = since.expect("the clock of the machine is past 1970").as_secs();
        let claims = Claims {
            sub: &self.user,
            roles: &self.roles,
            org: &self.org,
            iat,
            exp: iat.saturating_add(self.ttl),
            iss: config.identity.issuer.as_deref(),
            aud: config.identity.audience.as_deref(),
        };
        let header = Header { kid: key.kid.clone(), ..Header::default() };
        encode(&header, &claims, &EncodingKey::from_secret(secret.expose())).map_err(Error::Sign)
    }
}

/// As the contract has it: 1 to 64 bytes without control characters, not `me`.
fn user_id(text: &str) -> Result<String, String> {
    let fine = (1..=64).contains(&text.len()) && !text.chars().any(char::is_control) && text != "me";
    if fine { Ok(text.to_owned()) } else { Err("1 to 64 bytes, no control characters, not `me`".to_owned()) }
}
