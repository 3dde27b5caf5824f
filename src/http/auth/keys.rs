//! The keys that identity tokens are verified with, and the verification itself.
//!
//! Each key has one algorithm, fixed by the configuration. The header of a token only chooses the key (by `kid`);
//! its `alg` must then be that key's, so neither `none` nor a public key taken for a shared secret gets through.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Identity, Role};
use crate::domain::ids::UserId;
use crate::domain::pseudonym::is_pseudonym;

/// Bytes of a shared secret: as many as HS256 puts out.
const SECRET_BYTES_MIN: usize = 32;

/// What MySQL's columns hold.
const ORG_CHARS_MAX: usize = 64;

/// The algorithms that `api.md` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256, by a shared secret.
    Hs256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// What a key is made of.
#[derive(Clone)]
pub enum Material {
    /// A shared secret of at least 32 bytes.
    Secret(Vec<u8>),
    /// One public key, as JSON of a JWK.
    Jwk(String),
}

/// One key as the configuration names it.
#[derive(Clone)]
pub struct IdentityKey {
    /// Chosen by tokens that name it; a key without one is chosen by any, if it is the only key.
    pub kid: Option<String>,
    /// The one algorithm that it verifies.
    pub alg: Algorithm,
    /// The key itself.
    pub material: Material,
}

/// Why keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKey {
    /// There is none.
    #[error("no identity key is configured")]
    None,
    /// Several keys, and one can't be chosen.
    #[error("each of several identity keys needs a kid of its own")]
    Ambiguous,
    /// Shorter than 32 bytes.
    #[error("a shared secret has at least {SECRET_BYTES_MIN} bytes")]
    Short,
    /// Its kind and its algorithm don't fit each other.
    #[error("the key does not fit its algorithm {0:?}")]
    Mismatch(Algorithm),
    /// Not a JWK or JWKS.
    #[error("not a JSON web key")]
    Json(#[from] serde_json::Error),
    /// A JWK without a usable key.
    #[error("not a usable key")]
    Key(#[from] jsonwebtoken::errors::Error),
}

impl IdentityKey {
    /// The keys of a JWKS file that fit `alg`; others in it are left out.
    pub fn from_jwks(alg: Algorithm, text: &str) -> Result<Vec<Self>, InvalidKey> {
        let set: JwkSet = serde_json::from_str(text)?;
        let fitting = set.keys.iter().filter(|jwk| fits(alg, jwk));
        let key = |jwk: &Jwk| {
            Ok(Self {
                kid: jwk.common.key_id.clone(),
                alg,
                material: Material::Jwk(serde_json::to_string(jwk)?),
            })
        };
        fitting.map(key).collect()
    }
}

/// All keys, ready to verify.
pub struct IdentityKeys(Vec<Key>);

struct Key {
    kid: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    roles: Vec<String>,
    org: Option<String>,
}

impl IdentityKeys {
    /// Prepares keys; tokens must then carry this issuer and audience, where given.
    pub fn new(
        keys: &[IdentityKey],
        issuer: Option<&str>,
        audience: Option<&str>,
    ) -> Result<Self, InvalidKey> {
        if keys.is_empty() {
            return Err(InvalidKey::None);
        }
        let chosen = |key: &IdentityKey| {
            key.kid.is_some() && keys.iter().filter(|other| other.kid == key.kid).count() == 1
        };
        if keys.len() > 1 && !keys.iter().all(chosen) {
            return Err(InvalidKey::Ambiguous);
        }
        let prepare = |key: &IdentityKey| {
            Ok(Key {
                kid: key.kid.clone(),
                decoding: decoding(key)?,
                validation: validation(key.alg, issuer, audience),
            })
        };
        keys.iter().map(prepare).collect::<Result<_, _>>().map(Self)
    }

    /// Who the token names, and until when (unix seconds). `None` for whatever is wrong with it: which check
    /// failed is nobody's business.
    pub(super) fn verify(&self, token: &str) -> Option<(Identity, u64)> {
        let header = decode_header(token).ok()?;
        let key = self.choose(header.kid.as_deref())?;
        let claims = decode::<Claims>(token, &key.decoding, &key.validation).ok()?.claims;
        let identity = Identity {
            // What a pseudonym has left is nobody's.
            user: UserId::new(&claims.sub).filter(|user| !is_pseudonym(user.as_str()))?,
            roles: claims.roles.iter().filter_map(|role| Role::named(role)).collect(),
            org: claims.org.filter(|org| is_org(org)),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float becomes the nearest u64"
        )]
        let expires = claims.exp as u64;
        Some((identity, expires))
    }

    fn choose(&self, kid: Option<&str>) -> Option<&Key> {
        match (self.0.as_slice(), kid) {
            ([only], None) => Some(only),
            ([only], Some(_)) if only.kid.is_none() => Some(only),
            (keys, Some(kid)) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            (_, None) => None,
        }
    }
}

/// Whether an organiser may be called so; a token that says otherwise names none. MySQL takes
/// `demo ` for `demo`.
fn is_org(text: &str) -> bool {
    let fits = (1..=ORG_CHARS_MAX).contains(&text.chars().count());
    fits && text.trim() == text && !text.chars().any(char::is_control)
}

fn decoding(key: &IdentityKey) -> Result<DecodingKey, InvalidKey> {
    match (&key.material, key.alg) {
        (Material::Secret(secret), Algorithm::Hs256) if secret.len() < SECRET_BYTES_MIN => {
            Err(InvalidKey::Short)
        }
        (Material::Secret(secret), Algorithm::Hs256) => Ok(DecodingKey::from_secret(secret)),
        (Material::Jwk(text), alg) => {
            let jwk: Jwk = serde_json::from_str(text)?;
            if fits(alg, &jwk) { Ok(DecodingKey::from_jwk(&jwk)?) } else { Err(InvalidKey::Mismatch(alg)) }
        }
        (Material::Secret(_), alg) => Err(InvalidKey::Mismatch(alg)),
    }
}

fn fits(alg: Algorithm, jwk: &Jwk) -> bool {
    match (&jwk.algorithm, alg) {
        (AlgorithmParameters::RSA(_), Algorithm::Rs256) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::Es256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDsa) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}

fn validation(alg: Algorithm, issuer: Option<&str>, audience: Option<&str>) -> Validation {
    let mut validation = Validation::new(match alg {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    });
    validation.leeway = 0;
    // Not in the second that `exp` names (RFC 7519: on or after).
    validation.reject_tokens_expiring_in_less_than = 1;
    validation.validate_nbf = true;
    let mut required = vec!["exp", "sub"];
    if let Some(issuer) = issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    if let Some(audience) = audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    validation.validate_aud = audience.is_some();
    validation.set_required_spec_claims(&required);
    validation
}
