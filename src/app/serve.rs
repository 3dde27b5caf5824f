//! The HTTP server with its two listeners.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::{oneshot, watch};

use super::installation::Installation;
use super::{Error, Observed, operations};
use crate::clearing::Clearing;
use crate::config::{self, Config, IdentityKey, KeyMaterial, TopUp};
use crate::domain::queue_token;
use crate::http::{self, Context, Durability, Health, IdentityKeys, Material, Server, Settings};
use crate::live::Live;

/// What a server is made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) installation: &'a Installation,
    pub(super) observed: &'a Observed,
    pub(super) clearing: Option<Clearing>,
}

/// Serves until `shutdown` says true and all is drained.
pub(super) async fn serve(
    parts: Parts<'_>,
    ready: oneshot::Sender<SocketAddr>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), Error> {
    let Parts { config, installation, observed, clearing } = parts;
    let settings = Arc::new(settings(config, installation));
    let server = Server::bind(config.server.listen, Arc::clone(&settings))
        .map_err(|source| Error::Listen { address: config.server.listen, source })?;
    let make = contexts(config, installation, (&observed.live, clearing), settings)?;
    let health = Arc::new(Health::default());
    let listening = operations::listen(config.server.ops_listen, observed, Arc::clone(&health)).await?;
    let address = server.address();

    let mut running = pin!(server.run(make, Arc::clone(&health), shutdown));
    let outcome = tokio::select! {
        outcome = &mut running => outcome,
        () = health.wait_serving() => {
            // Nobody listens when the command has given up.
            let _ = ready.send(address);
            running.await
        }
    };
    listening.stop().await;
    Ok(outcome?)
}

/// Some times the archive's usual lag.
const CATCH_UP: Duration = Duration::from_secs(2);

fn settings(config: &Config, installation: &Installation) -> Settings {
    let (server, wallet) = (&config.server, &config.wallet);
    let seconds = Duration::from_secs;
    Settings {
        cores: match server.runtimes {
            0 => std::thread::available_parallelism().map_or(1, Into::into),
            cores => cores,
        },
        max_connections: server.max_connections,
        max_body_bytes: server.max_body_bytes,
        header_read_timeout: seconds(server.header_read_timeout_seconds),
        body_read_timeout: seconds(server.body_read_timeout_seconds),
        keep_alive_idle: seconds(server.keep_alive_idle_seconds),
        request_deadline: Duration::from_millis(server.request_deadline_ms),
        catch_up: CATCH_UP,
        drain: seconds(server.drain_seconds),
        insecure_webhooks: config.webhook.insecure,
        durability: if installation.engine.durable { Durability::Disk } else { Durability::Memory },
        wallet: http::Wallet {
            currency: wallet.currency.clone(),
            top_up: match wallet.top_up {
                TopUp::Own => http::TopUp::Themselves,
                TopUp::Cashier => http::TopUp::Cashier,
                TopUp::Gateway => http::TopUp::Gateway,
            },
            charge_min: wallet.charge_min,
            charge_max: wallet.charge_max,
            charge_needs_active: wallet.charge_needs_active,
            top_up_within: seconds(wallet.top_up_seconds),
        },
    }
}

fn identity_keys(config: &Config) -> Result<IdentityKeys, Error> {
    let mut keys = Vec::new();
    for IdentityKey { kid, alg, material } in config.identity.read_keys()? {
        let alg = match alg {
            config::Algorithm::HS256 => http::Algorithm::Hs256,
            config::Algorithm::RS256 => http::Algorithm::Rs256,
            config::Algorithm::ES256 => http::Algorithm::Es256,
            config::Algorithm::EdDSA => http::Algorithm::EdDsa,
        };
        match material {
            KeyMaterial::Shared(secret) => {
                let material = Material::Secret(secret.expose().to_vec());
                keys.push(http::IdentityKey { kid, alg, material });
            }
            KeyMaterial::Jwks(text) => keys.extend(http::IdentityKey::from_jwks(alg, &text)?),
        }
    }
    let (issuer, audience) = (config.identity.issuer.as_deref(), config.identity.audience.as_deref());
    Ok(IdentityKeys::new(&keys, issuer, audience)?)
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What makes the context of each core, on that core's runtime.
fn contexts(
    config: &Config,
    installation: &Installation,
    (live, clearing): (&Live, Option<Clearing>),
    settings: Arc<Settings>,
) -> Result<impl Fn(usize) -> std::future::Ready<Result<Context, Source>> + Clone + Send + use<>, Error> {
    let identity = Arc::new(identity_keys(config)?);
    let secrets: Vec<_> =
        config.queue_token.read_keys()?.iter().map(|secret| secret.expose().to_vec()).collect();
    let queue_keys = queue_token::Keys::new(&secrets);
    let seed = config.ticket.read_seed()?;
    let seed = seed.expose().try_into().expect("the configuration checks the length of the seed");
    let ticket_key = SigningKey::from_bytes(seed);
    let (store, opening) = (installation.store()?, installation.opening()?);
    let (archive, live) = (installation.archive.clone(), live.clone());
    // One for all cores: batches are twice as deep as with one for each of two.
    Ok(move |_core: usize| {
        std::future::ready(Ok(Context::new(http::Parts {
            store: store.clone(),
            opening: opening.clone(),
            clearing: clearing.clone(),
            live: live.clone(),
            archive: archive.clone(),
            identity: Arc::clone(&identity),
            queue_keys: queue_keys.clone(),
            ticket_key: ticket_key.clone(),
            settings: Arc::clone(&settings),
        })))
    })
}
