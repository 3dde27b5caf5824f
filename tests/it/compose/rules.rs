//! What the schema does not ask for: pinned images, complete checks, no rights beyond need, files that are there.

use super::file::{Compose, Service};
use super::{compose, read, root};

fn complaints(compose: &Compose) -> Vec<String> {
    let mut complaints = Vec::new();
    for service in compose.services() {
        let mut says = |fine: bool, what: &str| {
            if !fine {
                complaints.push(format!("{}: {what}", service.name));
            }
        };
        says(is_pinned(service.text("image")), "its image is not pinned");
        guarded(service, &mut says);
        checked(service, &mut says);
        waits(compose, service, &mut says);
        mounted(compose, service, &mut says);
    }
    complaints
}

/// Whether a tag names at least a second number: `8.4.6`, `v3.5.0`, `12.12-slim`.
fn is_pinned(image: &str) -> bool {
    let tag = image.split_once(':').map_or("", |(_, tag)| tag);
    let version = tag.trim_start_matches('v').split('-').next().unwrap_or("");
    version.contains('.')
        && version.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

fn guarded(service: Service<'_>, says: &mut impl FnMut(bool, &str)) {
    says(service.get("privileged").is_null(), "it is privileged");
    says(service.list("cap_drop") == ["ALL"], "it keeps capabilities");
    says(service.get("cap_add").is_null(), "it takes capabilities");
    says(service.list("security_opt").contains(&"no-new-privileges:true"), "it may take privileges");
    says(service.get("read_only").is_boolean(), "nothing is said of its root");
    let is_ours = !service.get("build").is_null();
    says(is_ours || !matches!(service.text("user"), "" | "0" | "root"), "it runs as root");
    says(service.get("deploy")["resources"]["limits"]["memory"].is_string(), "its memory has no bound");
    says(service.get("logging")["options"]["max-size"].is_string(), "its log has no bound");
    let is_local = |port: &&str| port.starts_with("127.0.0.1:");
    says(service.list("ports").iter().all(is_local), "it is open to the network");
}

fn checked(service: Service<'_>, says: &mut impl FnMut(bool, &str)) {
    let check = service.get("healthcheck");
    let is_timed = ["interval", "timeout", "start_period"].iter().all(|key| check[key].is_string())
        && !check["retries"].is_null();
    let is_fine = if service.is_one_shot() {
        check["disable"] == true
    } else {
        service.health_check().is_some_and(|words| !words.is_empty()) && is_timed
    };
    says(is_fine, "its health check is not complete");
}

fn waits(compose: &Compose, service: Service<'_>, says: &mut impl FnMut(bool, &str)) {
    for dependency in service.depends_on() {
        let Some(other) = compose.services().find(|other| other.name == dependency.on) else {
            says(false, &format!("it waits for {}, which is not there", dependency.on));
            continue;
        };
        let needs = if other.is_one_shot() { "service_completed_successfully" } else { "service_healthy" };
        says(dependency.condition == needs, &format!("it does not wait for {}", other.name));
        let profiles = other.list("profiles");
        let own = service.list("profiles");
        let is_there =
            profiles.is_empty() || (!own.is_empty() && own.iter().all(|name| profiles.contains(name)));
        says(is_there || !dependency.is_required, &format!("{} is in another profile", other.name));
    }
}

fn mounted(compose: &Compose, service: Service<'_>, says: &mut impl FnMut(bool, &str)) {
    for mount in service.mounts() {
        let is_file = mount.source.starts_with("./");
        let is_there = if is_file {
            root().join(mount.source).exists()
        } else {
            compose.names("volumes").contains(&mount.source)
        };
        says(is_there, &format!("{} is not there", mount.source));
        says(mount.is_read_only == is_file, &format!("{} has the wrong mode", mount.target));
    }
    for (key, all) in [("secrets", compose.names("secrets")), ("networks", compose.names("networks"))] {
        let missing: Vec<_> = service.list(key).into_iter().filter(|name| !all.contains(name)).collect();
        says(missing.is_empty(), &format!("{key} {missing:?} are not declared"));
    }
    for (name, value) in service.environment() {
        let secret = value.split("/run/secrets/").nth(1).map(|rest| rest.split('"').next().unwrap_or(rest));
        let is_given = secret.is_none_or(|secret| service.list("secrets").contains(&secret));
        says(is_given, &format!("{name} names a secret that it is not given"));
    }
}

#[test]
fn every_service_keeps_the_rules() {
    assert_eq!(complaints(&compose(&[])), Vec::<String>::new());
}

#[test]
fn what_breaks_a_rule_is_found() {
    let text = "services:
  a: { image: 'b:latest', privileged: true, ports: ['80:80'], depends_on: { c: { condition: service_started } },
       volumes: ['./nosuch:/x'], environment: { K: /run/secrets/k } }
  c: { image: 'd:1.2', profiles: [p] }";
    let found = complaints(&Compose::parse(text, &[])).join("\n");
    for what in [
        "a: its image is not pinned",
        "a: it is privileged",
        "a: it keeps capabilities",
        "a: it runs as root",
        "a: its memory has no bound",
        "a: it is open to the network",
        "a: its health check is not complete",
        "a: it does not wait for c",
        "a: c is in another profile",
        "a: ./nosuch is not there",
        "a: /x has the wrong mode",
        "a: K names a secret that it is not given",
    ] {
        assert!(found.contains(what), "{what} is not in\n{found}");
    }
    assert!(!found.contains("c: its image"), "{found}");
}

#[test]
fn what_is_declared_is_used() {
    let compose = compose(&[]);
    let used: Vec<String> = compose
        .services()
        .flat_map(|service| {
            let mounts = service.mounts().into_iter().map(|mount| mount.source);
            let named = ["secrets", "networks"].map(|key| service.list(key)).into_iter().flatten();
            mounts.chain(named).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let declared = ["volumes", "secrets", "networks"].map(|key| compose.names(key)).into_iter().flatten();
    let idle: Vec<_> = declared.filter(|name| !used.iter().any(|used| used == name)).collect();
    assert_eq!(idle, Vec::<&str>::new());
}

#[test]
fn the_image_is_built_from_what_is_pinned_and_present() {
    let dockerfile = read("Dockerfile");
    let images: Vec<_> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(images.len(), 2);
    for image in images {
        assert!(is_pinned(image.split(' ').next().unwrap()), "{image}");
    }
    let last = dockerfile.rsplit("\nFROM ").next().unwrap();
    assert!(last.contains("\nUSER 10001:10001\n") && last.contains("\nHEALTHCHECK "), "{last}");
    let left_out = read(".dockerignore");
    let left_out: Vec<_> = left_out.lines().collect();
    for needed in ["Cargo.toml", "Cargo.lock", "src", "lua", "migrations", "loadtest", "loadtest/goose"] {
        assert!(!left_out.contains(&needed), "{needed} is left out");
    }
    for secret in ["secrets", "data", ".git"] {
        assert!(left_out.contains(&secret), "{secret} would get into a layer");
    }
}

#[test]
fn the_load_test_is_the_one_that_make_runs() {
    let compose = compose(&[("SCENARIO", "rush")]);
    let k6 = compose.service("k6");
    let (_, version) = k6.text("image").split_once(':').unwrap();
    assert!(read("loadtest/build-k6.sh").contains(&format!("K6_VERSION=v{version}\n")), "{version}");
    assert_eq!(k6.command(), ["run", "/loadtest/k6/rush.js"]);
    assert!(read("loadtest/k6/rush.js").contains("export "));
}
