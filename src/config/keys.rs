//! Reads the key files. An error names the configuration key and the file, never what the file holds.

use std::{fs, path::Path};

use super::{Algorithm, Error, Gateway, Identity, Kafka, Privacy, QueueToken, Secret, Ticket};

/// The fewest bytes of a symmetric key: as many as the hash of HS256 gives.
const SYMMETRIC_KEY_MIN_BYTES: usize = 32;
/// The length of an Ed25519 seed.
const SEED_BYTES: usize = 32;

/// A key that identity tokens may be signed with.
#[derive(Clone, Debug)]
pub struct IdentityKey {
    /// The `kid` of its tokens; without one it is tried for tokens that name none.
    pub kid: Option<String>,
    /// The only algorithm it is used with.
    pub alg: Algorithm,
    /// The key itself.
    pub material: KeyMaterial,
}

/// What a token is checked against.
#[derive(Clone, Debug)]
pub enum KeyMaterial {
    /// The shared secret of HS256, at least 32 bytes.
    Shared(Secret),
    /// The text of a JSON Web Key Set with public keys.
    Jwks(String),
}

impl Identity {
    /// Reads all keys, in the order of the configuration.
    pub fn read_keys(&self) -> Result<Vec<IdentityKey>, Error> {
        let read = |(index, key): (usize, &super::IdentityKeyFile)| {
            let name = format!("identity.keys[{index}]");
            let material = match (key.alg, &key.secret_file, &key.jwks_file) {
                (Algorithm::HS256, Some(path), None) => KeyMaterial::Shared(read_shared(&name, path)?),
                (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, None, Some(path)) => {
                    KeyMaterial::Jwks(read(&name, path)?)
                }
                _ => return Err(wrong(&name, "HS256 takes secret_file, every other alg jwks_file")),
            };
            Ok(IdentityKey { kid: key.kid.clone(), alg: key.alg, material })
        };
        self.keys.iter().enumerate().map(read).collect()
    }
}

impl QueueToken {
    /// Reads the keys: the first one signs, all of them check.
    pub fn read_keys(&self) -> Result<Vec<Secret>, Error> {
        let current = self.key_file.as_ref().ok_or_else(|| wrong("queue_token.key_file", "is required"))?;
        let mut keys = vec![read_hex("queue_token.key_file", current)?];
        for path in &self.previous_key_files {
            keys.push(read_hex("queue_token.previous_key_files", path)?);
        }
        match keys.iter().find(|key| key.expose().len() < SYMMETRIC_KEY_MIN_BYTES) {
            Some(_) => Err(wrong("queue_token", "a key has fewer than 32 bytes")),
            None => Ok(keys),
        }
    }
}

impl Gateway {
    /// Reads the secret key, or the restricted one, of an account at Stripe.
    pub fn read_secret_key(&self) -> Result<Secret, Error> {
        let name = "gateway.secret_key_file";
        let path = self.secret_key_file.as_ref().ok_or_else(|| wrong(name, "is required"))?;
        let text = read(name, path)?;
        let text = text.trim();
        let secret = text.starts_with("sk_") || text.starts_with("rk_");
        if !secret || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong(name, "the file holds no key that begins with sk_ or rk_"));
        }
        Ok(Secret::new(text))
    }

    /// Reads the key of its webhooks, if it sends any: the text of the file, without the white space around it.
    pub fn read_webhook_secret(&self) -> Result<Option<Secret>, Error> {
        let path = self.webhook_secret_file.as_ref();
        path.map(|path| read_shared("gateway.webhook_secret_file", path)).transpose()
    }
}

impl Kafka {
    /// Reads the password of its user, if it has one: the text of the file, without the white space around it.
    pub fn read_password(&self) -> Result<Option<Secret>, Error> {
        let path = self.password_file.as_ref();
        path.map(|path| Ok(Secret::new(read("kafka.password_file", path)?.trim()))).transpose()
    }
}

impl Privacy {
    /// Reads the key of the names that events give to users, if there is one: the text of the file, without the white space around it.
    pub fn read_export_key(&self) -> Result<Option<Secret>, Error> {
        let path = self.export_key_file.as_ref();
        path.map(|path| read_shared("privacy.export_key_file", path)).transpose()
    }
}

impl Ticket {
    /// Reads the 32-byte seed of the Ed25519 key that signs tickets.
    pub fn read_seed(&self) -> Result<Secret, Error> {
        let name = "ticket.signing_key_file";
        let path = self.signing_key_file.as_ref().ok_or_else(|| wrong(name, "is required"))?;
        let seed = read_hex(name, path)?;
        if seed.expose().len() != SEED_BYTES {
            return Err(wrong(name, "an Ed25519 seed has 32 bytes"));
        }
        Ok(seed)
    }
}

fn wrong(key: &str, says: &str) -> Error {
    Error::Key { key: key.to_owned(), says: says.to_owned() }
}

fn read(key: &str, path: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(path);
    text.map_err(|error| Error::Key { key: key.to_owned(), says: format!("{}: {error}", path.display()) })
}

fn read_shared(key: &str, path: &Path) -> Result<Secret, Error> {
    let text = read(key, path)?;
    let text = text.trim();
    if text.len() < SYMMETRIC_KEY_MIN_BYTES {
        return Err(wrong(key, "the secret has fewer than 32 bytes"));
    }
    Ok(Secret::new(text))
}

fn read_hex(key: &str, path: &Path) -> Result<Secret, Error> {
    let text = read(key, path)?;
    let bytes = bytes_of_hex(text.trim()).ok_or_else(|| wrong(key, "the file is not one line of hex"))?;
    Ok(Secret::new(bytes))
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let pairs = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::bytes_of_hex;

    #[test]
    fn hex_is_read_in_either_case_and_only_whole_bytes() {
        assert_eq!(bytes_of_hex("00fFa0"), Some(vec![0, 255, 160]));
        assert_eq!(bytes_of_hex("0"), None);
        assert_eq!(bytes_of_hex("zz"), None);
        assert_eq!(bytes_of_hex("+1"), None);
    }
}
