//! Two servers behind a balancer: what one has just put on sale works on the other, at once.

use serde_json::json;

use crate::faults::buyer::Buyer;
use crate::faults::site::{Server, Site};
use crate::support::http::Answer;
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;

async fn neighbours() -> (Redis, Site, Server, Server) {
    let redis = Redis::start().await;
    let site = Site::open(&redis.url(), &MariaDb::database().await).await;
    let (one, other) = (site.serve().await, site.serve().await);
    (redis, site, one, other)
}

fn person(site: &Site, name: &str, roles: &[&str]) -> Buyer {
    Buyer::with_roles(name, roles, &site.folder().join("identity.key"))
}

async fn created(server: &Server, boss: &Buyer, path: &str, body: serde_json::Value) -> Answer {
    let made = boss.post(&server.client, path, "", &body).await.unwrap();
    assert_eq!(made.status, 201, "{:?}", made.body);
    assert_ne!(made.header("onsale-version"), "", "{path}");
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_has_put_on_sale_the_other_sells_at_once() {
    let (_redis, site, one, other) = neighbours().await;
    let boss = person(&site, "boss", &["organiser"]);
    for round in 0..10 {
        let concert = json!({"title": "New", "artist": "A", "venue": "V"});
        let made = created(&one, &boss, "/v1/admin/concerts", concert).await;
        let concert = u32::try_from(made.body["concertId"].as_u64().unwrap()).unwrap();
        let mut buyer = person(&site, &format!("u{round}"), &[]);
        let joined = buyer.join(&other.client, concert).await.unwrap();
        assert_eq!((joined.status, joined.text("status")), (201, "ACTIVE"), "{:?}", joined.body);

        let section = json!({"name": "A", "rows": 1, "seatsPerRow": 10, "price": 10_000});
        let show = json!({"startsAt": "2030-01-01T00:00:00Z", "currency": "KRW", "sections": [section]});
        let made = created(&one, &boss, &format!("/v1/admin/concerts/{concert}/shows"), show).await;
        let show = u32::try_from(made.body["showId"].as_u64().unwrap()).unwrap();
        let map = other.client.get(&format!("/v1/shows/{show}/seats?view=layout")).await.unwrap();
        assert_eq!(map.status, 200, "{:?}", map.body);
        let held = buyer.hold(&other.client, show, 0, "h").await.unwrap();
        assert_eq!(held.status, 201, "{:?}", held.body);
        let blocked = boss
            .post(
                &other.client,
                &format!("/v1/admin/shows/{show}/seats/block"),
                "",
                &json!({"seats": ["A-1-2"]}),
            )
            .await
            .unwrap();
        assert_eq!(blocked.status, 200, "{:?}", blocked.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_put_on_sale_is_not_found_anywhere() {
    let (_redis, site, one, _other) = neighbours().await;
    let client = &one.client;
    let mut buyer = person(&site, "u", &[]);
    assert_eq!(buyer.join(client, 4_000_000).await.unwrap().outcome(), (404, "not_found"));
    assert_eq!(buyer.hold(client, 4_000_000, 0, "h").await.unwrap().outcome(), (404, "not_found"));
    for path in ["/v1/concerts/4000000", "/v1/concerts/4000000/shows", "/v1/shows/4000000/seats"] {
        assert_eq!(client.get(path).await.unwrap().outcome(), (404, "not_found"), "{path}");
    }
}
