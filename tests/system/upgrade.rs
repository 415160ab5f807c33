//! An upgrade without downtime: the schema of a later version, under servers of this one.

use serde_json::json;
use tenantry_tests::{DatabaseKind, World, on_both_databases};

const LATER: &str = "m29990101_000001_later";

/// What a later version's migrator does at most while servers of this one serve: every table has a column more, and there is one more.
async fn expand(world: &World) {
    let tables = match world.kind() {
        DatabaseKind::Postgres => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
        DatabaseKind::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    };
    let tables: Vec<_> = world.rows(tables).await.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    assert!(tables.len() > 15, "{tables:?}");
    for table in tables.iter().filter(|table| *table != "seaql_migrations") {
        execute(world, &format!("ALTER TABLE {table} ADD COLUMN of_a_later_version varchar NULL")).await;
    }
    execute(world, "CREATE TABLE of_a_later_version (id varchar PRIMARY KEY)").await;
    execute(world, &format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{LATER}', 0)")).await;
}

async fn execute(world: &World, sql: &str) {
    tenantry_tests::database::execute(world.database_url(), sql).await.unwrap();
}

on_both_databases! {
    async fn servers_of_this_version_go_on_over_the_schema_of_a_later_one(world: World) {
        let before = world.server().await;
        let acme = world.tenant(&before, "acme").await;
        let activated = async |api: &tenantry_tests::Api, code: &str| {
            let project = api.create_project("Client").await;
            api.activate(project["id"].as_str().unwrap(), &json!({ "code": code })).await.expect(200);
        };
        activated(&acme.api, &acme.codes[0]).await;
        expand(&world).await;
        // The server that serves, whose statements were prepared before; then one that starts, as after going back.
        activated(&acme.api, &acme.codes[1]).await;
        drop(before);
        let after = world.server().await;
        let admin = world.admin(&after);
        let globex = world.tenant(&after, "globex").await;
        activated(&globex.api, &globex.codes[0]).await;
        // Many codes go in by another way than one.
        let codes = admin.issue_codes(globex.tenant["id"].as_str().unwrap(), &json!({ "count": 300 })).await;
        activated(&globex.api, &codes[299]).await;
        let operator = world.operator(&after, "owner", "owner@operator.example").await;
        let (_, key) = operator.api.create_api_key(&["tenants:read"]).await;
        key.get("/api/admin/tenants").await.expect(200);
        admin.get("/api/admin/stats").await.expect(200);
        admin.get("/api/admin/events").await.expect(200);
        let doctor = world.builder().args(["doctor"]).run().await;
        assert!(doctor.exit_code == 0 && doctor.stdout.contains(LATER), "{doctor:?}");
    }
}
