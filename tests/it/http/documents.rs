//! The pages for people: the document and its viewer, from this server alone.

use super::app::App;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_with_a_viewer_that_needs_nothing_else() {
    let app = App::start().await;
    let document = app.send("GET", "/openapi.json", &[], None).await;
    assert_eq!((document.status, document.header("content-type")), (200, "application/json"));
    assert_eq!(document.json()["openapi"], "3.1.0");
    let refused = app.send("GET", "/openapi.json", &[("accept", "text/html")], None).await;
    assert!(refused.is(406, "not_acceptable"));

    let page = app.send("GET", "/docs", &[("accept", "text/html")], None).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let html = String::from_utf8(page.bytes.to_vec()).unwrap();
    let named: Vec<_> = html.split('"').filter(|part| part.starts_with("/docs/")).collect();
    assert_eq!(named, ["/docs/swagger-ui.css", "/docs/swagger-ui.js", "/docs/viewer.js"]);
    for path in named {
        let plain = app.send("GET", path, &[], None).await;
        let gzip = app.send("GET", path, &[("accept-encoding", "gzip")], None).await;
        assert_eq!((plain.status, plain.header("content-encoding")), (200, ""), "{path}");
        assert_eq!((gzip.status, gzip.header("content-encoding")), (200, "gzip"), "{path}");
        assert!(gzip.bytes.starts_with(&[0x1f, 0x8b]) && !plain.bytes.is_empty(), "{path}");
    }
    assert!(app.send("GET", "/docs/index.html", &[], None).await.is(404, "not_found"));
    assert!(app.send("POST", "/docs", &[], None).await.is(405, "method_not_allowed"));
}
