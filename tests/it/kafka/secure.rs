//! A broker that speaks TLS and asks who is there.

use std::fs;

use super::backlog::{Following, follow, store};
use super::broker::{Broker, PASSWORD, USER};
use super::consumer::held;
use crate::archive::{Log, fresh, offset};
use crate::support::redis::Redis;
use crate::support::wait_until;

#[tokio::test]
async fn a_broker_is_told_if_it_is_who_it_should_be_and_so_are_we() {
    let (fresh, redis) = (fresh().await, Redis::start().await);
    let log = Log::concert(1).and(&["joined 1 1:u", "joined 2 1:v"]);
    store(&fresh, &log).await;
    let prepare = || {
        let mut broker = Broker::prepare_secure();
        broker.restart();
        broker
    };
    let broker = tokio::task::spawn_blocking(prepare).await.unwrap();
    let passwords = tempfile::tempdir().unwrap();
    let settings = |password: &str, more: &str| {
        let path = passwords.path().join("password");
        fs::write(&path, format!("{password}\n")).unwrap();
        format!(
            "brokers = '{}'\nsecurity = 'sasl_ssl'\nuser = '{USER}'\npassword_file = '{}'\n{more}",
            broker.secure_address(),
            path.display()
        )
    };
    let believed = format!("ca_file = '{}'", broker.certificate().display());

    for (password, more) in [(PASSWORD, ""), ("another", believed.as_str())] {
        let Following { mut is_well, stop, task, .. } =
            follow(&fresh, &redis, &log, &settings(password, more));
        is_well.wait_for(|well| !*well).await.unwrap();
        stop.send(true).unwrap();
        task.await.unwrap();
        assert_eq!(fresh.archive.told("kafka").await.unwrap().len(), 0, "{more}");
    }

    let Following { stop, task, .. } = follow(&fresh, &redis, &log, &settings(PASSWORD, &believed));
    let told = async || fresh.archive.told("kafka").await.unwrap().get(&log.name) == Some(&offset(2));
    wait_until("all is told", told).await;
    assert_eq!(held(broker.address(), super::TOPIC).await, 2);
    stop.send(true).unwrap();
    task.await.unwrap();
}
