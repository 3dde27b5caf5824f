//! Tokens that must not pass, each made with a key at hand.

use super::keys::{Algorithm, IdentityKey, InvalidKey, Material};
use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

fn secret_key(kid: Option<&str>) -> IdentityKey {
    IdentityKey {
        kid: kid.map(Into::into),
        alg: Algorithm::Hs256,
        material: Material::Secret(SECRET.to_vec()),
    }
}

fn ed_key(kid: &str) -> (IdentityKey, EncodingKey, String) {
    let signing = SigningKey::from_bytes(&[9; 32]);
    let x = URL_SAFE_NO_PAD.encode(signing.verifying_key().to_bytes());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid}).to_string();
    let key = IdentityKey { kid: Some(kid.into()), alg: Algorithm::EdDsa, material: Material::Jwk(jwk) };
    // PKCS#8 of an Ed25519 key: a fixed head before the 32 bytes of the seed.
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [&head[..], &signing.to_bytes()].concat();
    (key, EncodingKey::from_ed_der(&der), x)
}

fn later() -> u64 {
    jsonwebtoken::get_current_timestamp() + 600
}

fn sign(alg: jsonwebtoken::Algorithm, kid: Option<&str>, claims: &Value, key: &EncodingKey) -> String {
    let mut header = Header::new(alg);
    header.kid = kid.map(Into::into);
    encode(&header, claims, key).unwrap()
}

fn hs256(claims: &Value) -> String {
    sign(jsonwebtoken::Algorithm::HS256, None, claims, &EncodingKey::from_secret(SECRET))
}

fn verifier(keys: &[IdentityKey]) -> Verifier {
    Verifier::new(Arc::new(IdentityKeys::new(keys, None, None).unwrap()))
}

#[test]
fn a_good_token_names_user_roles_and_org() {
    let claims =
        json!({"sub": "가|1", "exp": later(), "roles": ["organiser", "x"], "org": "demo", "aud": "any"});
    let verifier = verifier(&[secret_key(None)]);
    for _ in 0..2 {
        let identity = verifier.verify(&hs256(&claims), 0).unwrap();
        assert_eq!(identity.user.as_str(), "가|1");
        assert_eq!(identity.roles, [Role::Organiser]);
        assert_eq!(identity.org.as_deref(), Some("demo"));
    }
}

#[test]
fn a_remembered_token_ends_when_it_expires() {
    let verifier = verifier(&[secret_key(None)]);
    let expires = later();
    let token = hs256(&json!({"sub": "u", "exp": expires}));
    assert!(verifier.verify(&token, expires - 1).is_some());
    assert!(verifier.remembered.lock().unwrap().recall(&token, expires - 1).is_some());
    // Past its end it is verified anew; the library's clock still takes it.
    assert!(verifier.verify(&token, expires).is_some());
    let past = hs256(&json!({"sub": "u", "exp": 1000}));
    assert!(verifier.verify(&past, 0).is_none());
}

#[test]
fn nobody_signs_in_as_somebody_who_was_forgotten() {
    let verifier = verifier(&[secret_key(None)]);
    let as_user = |sub: &str| verifier.verify(&hs256(&json!({"sub": sub, "exp": later()})), 0);
    for name in ["forgotten-", "anonymous-"] {
        assert!(as_user(&format!("{name}{}", "7".repeat(20))).is_none());
        assert!(as_user(&format!("{name}{}", "7".repeat(19))).is_some());
    }
}

#[test]
fn claims_that_break_a_rule_are_refused() {
    let keys = IdentityKeys::new(&[secret_key(None)], Some("us"), Some("onsale")).unwrap();
    let good = json!({"sub": "u", "exp": later(), "iss": "us", "aud": "onsale"});
    // The second time by the short way.
    assert_eq!(keys.verify(&hs256(&good)), keys.verify(&hs256(&good)));
    assert!(keys.verify(&hs256(&good)).is_some());
    let mut listed = good.clone();
    listed["aud"] = json!(["onsale"]);
    listed["nbf"] = json!(1);
    assert!(keys.verify(&hs256(&listed)).is_some());
    for (claim, value) in [
        ("nbf", Value::String("later".into())),
        ("sub", json!("me")),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", Value::Null),
        ("exp", json!(jsonwebtoken::get_current_timestamp())),
        ("exp", Value::Null),
        ("nbf", json!(later())),
        ("iss", json!("them")),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", Value::Null),
    ] {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        }
        assert!(keys.verify(&hs256(&claims)).is_none(), "{claim} {value}");
    }
}

#[test]
fn an_org_that_mysql_would_take_for_another_is_none() {
    let verifier = verifier(&[secret_key(None)]);
    let org = |org: &str| {
        let token = hs256(&json!({"sub": "u", "exp": later(), "org": org}));
        verifier.verify(&token, 0).unwrap().org.clone()
    };
    for good in ["demo", "a b", &"가".repeat(64)] {
        assert_eq!(org(good).as_deref(), Some(good));
    }
    for bad in ["", "demo ", " demo", "demo\u{3000}", "de\nmo", &"x".repeat(65)] {
        assert_eq!(org(bad), None, "{bad:?}");
    }
}

#[test]
fn the_header_never_chooses_the_algorithm() {
    let (ed, signing, x) = ed_key("e");
    let claims = json!({"sub": "u", "exp": later()});
    let verifier = verifier(&[ed]);
    let good = sign(jsonwebtoken::Algorithm::EdDSA, Some("e"), &claims, &signing);
    assert!(verifier.verify(&good, 0).is_some());

    // The public key taken for a shared secret.
    let public = URL_SAFE_NO_PAD.decode(x).unwrap();
    let confused = EncodingKey::from_secret(&public);
    let token = sign(jsonwebtoken::Algorithm::HS256, Some("e"), &claims, &confused);
    assert!(verifier.verify(&token, 0).is_none());

    for header in [r#"{"alg":"none"}"#, r#"{"alg":"None","kid":"e"}"#] {
        let parts = [header.to_owned(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
        for token in [format!("{}.{}.", parts[0], parts[1]), parts.join(".")] {
            assert!(verifier.verify(&token, 0).is_none(), "{token}");
        }
    }
}

#[test]
fn the_key_is_chosen_by_its_kid() {
    let (ed, signing, _) = ed_key("e");
    let verifier = verifier(&[secret_key(Some("s")), ed]);
    let claims = json!({"sub": "u", "exp": later()});
    let secret = EncodingKey::from_secret(SECRET);
    let with = |kid| sign(jsonwebtoken::Algorithm::HS256, kid, &claims, &secret);
    assert!(verifier.verify(&with(Some("s")), 0).is_some());
    for kid in [None, Some("e"), Some("x")] {
        assert!(verifier.verify(&with(kid), 0).is_none(), "{kid:?}");
    }
    let token = sign(jsonwebtoken::Algorithm::EdDSA, Some("e"), &claims, &signing);
    assert!(verifier.verify(&token, 0).is_some());
}

#[test]
fn a_queue_token_is_no_identity() {
    use crate::domain::ids::ConcertId;
    use crate::domain::queue_token::{Keys, Place};
    let place =
        Place { concert: ConcertId(1), epoch: 0, seq: 1, expires: later(), user: UserId::new("u").unwrap() };
    let token = Keys::new(&[SECRET.to_vec()]).sign(&place);
    assert!(verifier(&[secret_key(None)]).verify(&token, 0).is_none());
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let fault = |keys: &[IdentityKey]| IdentityKeys::new(keys, None, None).err().unwrap();
    let short = IdentityKey { material: Material::Secret(vec![1; 31]), ..secret_key(None) };
    let (ed, _, _) = ed_key("e");
    let wrong = IdentityKey { alg: Algorithm::Es256, ..ed };
    assert!(matches!(fault(&[]), InvalidKey::None));
    assert!(matches!(fault(&[short]), InvalidKey::Short));
    assert!(matches!(fault(&[wrong]), InvalidKey::Mismatch(Algorithm::Es256)));
    assert!(matches!(fault(&[secret_key(None), secret_key(Some("s"))]), InvalidKey::Ambiguous));
}

#[test]
fn a_jwks_gives_the_keys_that_fit() {
    let (ed, signing, x) = ed_key("e");
    assert_eq!(ed.alg, Algorithm::EdDsa);
    let set = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "e"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r"},
    ]});
    let keys = IdentityKey::from_jwks(Algorithm::EdDsa, &set.to_string()).unwrap();
    assert_eq!(keys.len(), 1);
    let claims = json!({"sub": "u", "exp": later()});
    let token = sign(jsonwebtoken::Algorithm::EdDSA, Some("e"), &claims, &signing);
    assert!(verifier(&keys).verify(&token, 0).is_some());
}
