//! The configuration: layers, problems, and that no secret is ever shown.

use std::{fs, path::Path};

use onsale::config::{Config, KeyMaterial, Problem, TopUp};

fn load(file: &str, settings: &[(&str, &str)]) -> Result<Config, String> {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_layers(Some(("test.toml", file)), Path::new("/etc/onsale"), settings)
        .map_err(|error| error.to_string())
}

fn keys_of(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.key).collect()
}

#[test]
fn the_defaults_stand_by_themselves() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.problems(), []);
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.wallet.top_up, TopUp::Cashier);
    let missing = config.serving_problems(false);
    assert_eq!(keys_of(&missing), ["identity.keys", "queue_token.key_file", "ticket.signing_key_file"]);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[redis]\nurl = 'redis://file'\nresponse_timeout_ms = 700\n";
    let config = load(file, &[("ONSALE__REDIS__URL", "redis://environment"), ("HOME", "/root")]).unwrap();
    assert_eq!(config.redis.url.expose(), "redis://environment");
    assert_eq!(config.redis.response_timeout_ms, 700);
    assert_eq!(config.redis.connect_timeout_ms, 1000);
}

#[test]
fn unknown_keys_and_wrong_types_are_named() {
    let unknown = load("[redis]\nadress = 'x'\n", &[]).unwrap_err();
    assert!(unknown.contains("adress"), "{unknown}");
    let unknown = load("", &[("ONSALE__REDIS__ADRESS", "x")]).unwrap_err();
    assert!(unknown.contains("adress"), "{unknown}");
    let wrong = load("[wallet]\ntop_up = 'anybody'\n", &[]).unwrap_err();
    assert!(wrong.contains("anybody"), "{wrong}");
    let torn = load("\n[redis]\nurl = 'redis://:swordfish@cache\n", &[]).unwrap_err();
    assert!(torn.starts_with("test.toml: line 3: "), "{torn}");
    assert!(!torn.contains("swordfish"), "{torn}");
}

#[test]
fn all_problems_are_named_at_once() {
    let file = "
        [server]
        ops_listen = '127.0.0.1:8080'
        max_body_bytes = 0
        [redis]
        url = 'http://x'
        response_timeout_ms = 5000
        [wallet]
        currency = 'won'
        charge_min = 2000000
        [kafka]
        brokers = 'one:9092,two'
        topic = 'a b'
        security = 'ssl'
        user = 'onsale'
        [identity]
        keys = [{ alg = 'RS256', secret_file = 'x' }]
    ";
    let problems = load(file, &[]).unwrap().problems();
    let keys = [
        "server.max_body_bytes",
        "redis.url",
        "server.ops_listen",
        "redis.response_timeout_ms",
        "wallet.currency",
        "wallet.charge_min",
        "kafka.brokers",
        "kafka.topic",
        "kafka.user",
        "identity.keys",
    ];
    assert_eq!(keys_of(&problems), keys);
}

#[test]
fn what_is_made_for_development_needs_to_be_asked_for() {
    let file = "
        identity = { development = true, keys = [{ alg = 'HS256', secret_file = 'a' }] }
        queue_token.key_file = 'b'
        ticket.signing_key_file = 'c'
        wallet.top_up = 'self'
        webhook.insecure = true
    ";
    let config = load(file, &[]).unwrap();
    let refused = ["identity.development", "webhook.insecure", "wallet.top_up"];
    assert_eq!(keys_of(&config.serving_problems(false)), refused);
    assert_eq!(config.serving_problems(true), []);
}

#[test]
fn stripe_needs_its_key_and_a_way_that_nobody_listens_on() {
    let problems = |gateway: &str| {
        let config = load(&format!("gateway = {{ kind = 'stripe', {gateway} }}"), &[]).unwrap();
        let serving =
            config.serving_problems(false).into_iter().filter(|problem| problem.key.starts_with("gateway"));
        config.problems().into_iter().chain(serving).map(|problem| problem.key).collect::<Vec<_>>()
    };
    assert_eq!(problems("url = ''"), ["gateway.secret_key_file"]);
    let (key, url) = ("secret_key_file = 'key'", "gateway.url");
    assert_eq!(problems(key), Vec::<&str>::new());
    assert_eq!(problems(&format!("{key}, url = 'https://stripe.proxy'")), Vec::<&str>::new());
    assert_eq!(problems(&format!("{key}, url = 'http://127.0.0.1:12111'")), [url]);
    assert_eq!(problems(&format!("{key}, url = 'http://127.0.0.1.example'")), [url, url]);
    assert_eq!(problems(&format!("{key}, url = 'http://api.stripe.com'")), [url, url]);
    let sandbox = load("gateway = { kind = 'sandbox', url = 'https://x' }", &[]).unwrap();
    assert_eq!(keys_of(&sandbox.problems()), [url]);

    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        fs::write(folder.path().join("key"), text).unwrap();
        let file = "gateway = { kind = 'stripe', secret_key_file = 'key' }";
        let config = Config::from_layers(Some(("test", file)), folder.path(), []).unwrap();
        config.gateway.read_secret_key().map(|key| key.expose().to_vec()).map_err(|error| error.to_string())
    };
    assert_eq!(read("sk_test_swordfish\n").unwrap(), b"sk_test_swordfish");
    assert_eq!(read("rk_live_swordfish").unwrap(), b"rk_live_swordfish");
    for wrong in ["", "pk_live_swordfish", "sk_live_sword fish", "whsec_swordfish"] {
        let says = read(wrong).unwrap_err();
        assert!(says.starts_with("gateway.secret_key_file") && !says.contains("fish"), "{says}");
    }
}

#[test]
fn secrets_come_from_files_beside_the_configuration_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("identity", "an-identity-secret-of-more-than-32-bytes\n");
    write("queue", &"ab".repeat(32));
    write("old", &"cd".repeat(32));
    write("ticket", &"0f".repeat(32));
    write("mysql", "mysql://onsale:swordfish@db/onsale\n");
    write(
        "onsale.toml",
        "
        identity.keys = [{ kid = 'k', alg = 'HS256', secret_file = 'identity' }]
        queue_token = { key_file = 'queue', previous_key_files = ['old'] }
        ticket.signing_key_file = 'ticket'
        mysql.url_file = 'mysql'
        redis.url = 'redis://:swordfish@cache:6379'
        ",
    );
    let config = Config::load(Some(&folder.path().join("onsale.toml"))).unwrap();
    let identity = config.identity.read_keys().unwrap();
    assert!(matches!(&identity[0].material, KeyMaterial::Shared(key) if key.expose().ends_with(b"32-bytes")));
    let queue_token = config.queue_token.read_keys().unwrap();
    assert_eq!(queue_token.len(), 2);
    assert_eq!(queue_token[0].expose(), [0xab; 32]);
    assert_eq!(config.ticket.read_seed().unwrap().expose(), [0x0f; 32]);
    assert_eq!(config.mysql.url.expose(), "mysql://onsale:swordfish@db/onsale");

    let shown = format!("{}{config:?}{identity:?}{queue_token:?}", config.to_redacted_toml());
    assert!(shown.contains("redis://:(redacted)@cache:6379"), "{shown}");
    for secret in ["swordfish", "an-identity-secret", "abab", "171, 171"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let again = config.to_redacted_toml();
    assert!(Config::from_layers(Some(("again", &again)), Path::new(""), []).is_ok(), "{again}");
}

#[test]
fn a_key_file_that_holds_no_key_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short"), "abcd").unwrap();
    let file = "
        identity.keys = [{ alg = 'HS256', secret_file = 'short' }]
        queue_token.key_file = 'short'
        ticket.signing_key_file = 'absent'
    ";
    let config = Config::from_layers(Some(("test", file)), folder.path(), []).unwrap();
    for says in [
        config.identity.read_keys().unwrap_err().to_string(),
        config.queue_token.read_keys().unwrap_err().to_string(),
        config.ticket.read_seed().unwrap_err().to_string(),
    ] {
        assert!(!says.contains("abcd"), "{says}");
    }
}

#[test]
fn charging_through_a_gateway_needs_one() {
    let top_up = "[identity]\nkeys = [{ alg = 'HS256', secret_file = 'k' }]\n[queue_token]\nkey_file = 'q'\n\
                  [ticket]\nsigning_key_file = 't'\n[wallet]\ntop_up = 'gateway'\n";
    assert_eq!(keys_of(&load(top_up, &[]).unwrap().serving_problems(true)), ["wallet.top_up"]);
    let config = load(&format!("{top_up}top_up_seconds = 0\n[gateway]\nkind = 'sandbox'\n"), &[]).unwrap();
    assert_eq!(config.serving_problems(true), []);
    assert_eq!(keys_of(&config.problems()), ["wallet.top_up_seconds"]);
}
