//! The API's document: what is checked in is what is served, and what is served is what the code has.

use std::{env, fs, path::Path};

use tenantry_domain::memory::MemoryStore;
use tenantry_tests::on_both_databases;

fn checked_in() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json")
}

#[test]
fn the_checked_in_document_is_the_codes() {
    let now = tenantry_http::openapi::<MemoryStore>();
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(checked_in(), &now).unwrap();
    }
    let then = fs::read_to_string(checked_in()).unwrap_or_default();
    let differs = then.lines().zip(now.lines()).position(|(then, now)| then != now);
    assert!(
        then == now,
        "docs/openapi.json is not the code's document (first at line {differs:?}): UPDATE_OPENAPI=1 scripts/test -p tenantry-tests openapi"
    );
}

on_both_databases! {
    async fn the_served_document_is_the_checked_in_one(world: World) {
        let server = world.server().await;
        let served = server.api().get("/openapi.json").await.expect(200);
        assert_eq!(served.text, fs::read_to_string(checked_in()).unwrap());
        assert_eq!(served.header("content-type"), Some("application/json"));
    }

    async fn the_documents_pages_come_from_this_server_alone(world: World) {
        let server = world.server().await;
        assert_eq!(server.api().get("/docs").await.expect(308).header("location"), Some("/docs/"));
        let page = server.api().get("/docs/").await.expect(200);
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self';"));
        let files = page.text.split('"').filter(|text| text.ends_with(".js") || text.ends_with(".css"));
        let files: Vec<_> = files.map(|file| file.trim_start_matches("./").to_owned()).collect();
        assert!(files.len() >= 4, "{}", page.text);
        for file in files {
            assert!(!file.contains("//"), "{file} is another server's");
            server.api().get(&format!("/docs/{file}")).await.expect(200);
        }
        server.api().get("/docs/missing.js").await.expect_problem(404, "not_found");
    }
}
