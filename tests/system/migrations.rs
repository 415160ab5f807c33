//! The schema, up and down, on both databases, with rows from before there were tenants.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry_migration::{StepState, down, status, up};
use tenantry_tests::{DatabaseUrl, PostgresCluster, binaries, database};

const SCOPING: &str = "m20260201_000001_add_tenant_scoping_to_projects";
const CODE_EVENTS: &str = "m20261125_000003_look_codes_up";

/// Takes a database back to the schema from before tenant scoping, with one project in it.
async fn with_a_project_from_before(url: &DatabaseUrl, id: &str) {
    up(url.as_str()).await.unwrap();
    let steps = status(url.as_str()).await.unwrap().applied();
    let after = steps.len() - steps.iter().position(|step| step == SCOPING).expect("the step is there");
    down(url.as_str(), u32::try_from(after).unwrap()).await.unwrap();
    let insert = format!(
        "INSERT INTO llm_project_config (id, project_id, client_name, description, priority, created_at, updated_at)
         VALUES ({id}, 'old-1', 'Ärzte Süd', 'From Before', 'whatever', '2024-05-01 10:00:00+00:00', '2024-05-01 10:00:00+00:00')"
    );
    database::execute(url, &insert).await.unwrap();
}

async fn the_project(url: &DatabaseUrl, columns: &str) -> Value {
    let mut rows = database::rows(url, &format!("SELECT {columns} FROM llm_project_config")).await;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

async fn up_down_up_keeps_every_row(url: DatabaseUrl, id: &str) {
    with_a_project_from_before(&url, id).await;
    let expected =
        json!({ "client_name": "Ärzte Süd", "project_status": "active", "tenant_id": null, "activation_code_id": null });
    for _ in 0..2 {
        assert!(up(url.as_str()).await.unwrap().iter().any(|step| step == SCOPING));
        assert_eq!(the_project(&url, "client_name, project_status, tenant_id, activation_code_id").await, expected);
        assert_eq!(the_project(&url, "search_text").await["search_text"], "ärzte süd\nold-1\nfrom before");
        assert_eq!(up(url.as_str()).await.unwrap(), [""; 0], "nothing is left to do");
        let all = u32::try_from(status(url.as_str()).await.unwrap().applied().len()).unwrap();
        down(url.as_str(), all - 1).await.unwrap();
        assert_eq!(
            the_project(&url, "client_name, priority").await,
            json!({ "client_name": "Ärzte Süd", "priority": "whatever" })
        );
    }
    let all = u32::try_from(status(url.as_str()).await.unwrap().applied().len()).unwrap();
    down(url.as_str(), all).await.unwrap();
    let steps = status(url.as_str()).await.unwrap().steps;
    assert!(steps.iter().all(|step| step.state == StepState::Pending));
    up(url.as_str()).await.unwrap();
}

async fn four_migrators_at_once_all_succeed(url: DatabaseUrl) {
    let mut migrators: Vec<_> = (0..4)
        .map(|_| {
            let mut command = binaries::without_settings(Command::new(binaries::migrator()));
            command.args(["up", "--database-url", url.as_str()]).spawn().unwrap()
        })
        .collect();
    for migrator in &mut migrators {
        assert!(migrator.wait().unwrap().success());
    }
    assert!(status(url.as_str()).await.unwrap().pending().is_empty());
}

/// Takes a database back to the schema from before events named their code, with events in it, and up again.
async fn events_from_before_are_told_what_they_concern(url: DatabaseUrl, id: impl Fn(u8) -> String) {
    up(url.as_str()).await.unwrap();
    let steps = status(url.as_str()).await.unwrap().applied();
    let after = steps.len() - steps.iter().position(|step| step == CODE_EVENTS).expect("the step is there");
    down(url.as_str(), u32::try_from(after).unwrap()).await.unwrap();
    let code = "018bcfe568007000800000000000000a";
    let details = [
        format!(r#"{{"activation_code_id":"code_{code}"}}"#),
        format!(r#"{{"batch_id":"bat_{code}","count":"3"}}"#),
        r#"{"reason":"code_unknown"}"#.to_owned(),
    ];
    for (number, details) in (1..).zip(details) {
        let insert = format!(
            "INSERT INTO audit_events (id, actor_kind, action, details, created_at)
             VALUES ({}, 'system', '{number}', '{details}', '2026-01-01 00:00:00+00:00')",
            id(number)
        );
        database::execute(&url, &insert).await.unwrap();
    }
    up(url.as_str()).await.unwrap();
    let (ten, nothing) = (id(10), "IS NULL");
    let told = format!(
        "SELECT action FROM audit_events WHERE (action = '1' AND code_id = {ten} AND batch_id {nothing})
            OR (action = '2' AND code_id {nothing} AND batch_id = {ten})
            OR (action = '3' AND code_id {nothing} AND batch_id {nothing}) ORDER BY action"
    );
    let expected = ["1", "2", "3"].map(|action| json!({ "action": action }));
    assert_eq!(database::rows(&url, &told).await, expected);
}

fn sqlite_file(folder: &TempDir) -> DatabaseUrl {
    DatabaseUrl::sqlite(&folder.path().join("tenantry.db"))
}

#[tokio::test]
async fn sqlite_up_down_up_keeps_every_row() {
    let folder = tempfile::tempdir().unwrap();
    up_down_up_keeps_every_row(sqlite_file(&folder), "x'018bcfe568007000800000000000000a'").await;
}

#[tokio::test]
async fn postgres_up_down_up_keeps_every_row() {
    let url = PostgresCluster::shared().await.database().await;
    up_down_up_keeps_every_row(url, "'018bcfe5-6800-7000-8000-00000000000a'").await;
}

#[tokio::test]
async fn sqlite_events_from_before_are_told_what_they_concern() {
    let folder = tempfile::tempdir().unwrap();
    let id = |number| format!("x'018bcfe5680070008000000000000{number:03x}'");
    events_from_before_are_told_what_they_concern(sqlite_file(&folder), id).await;
}

#[tokio::test]
async fn postgres_events_from_before_are_told_what_they_concern() {
    let url = PostgresCluster::shared().await.database().await;
    let id = |number| format!("'018bcfe5680070008000000000000{number:03x}'");
    events_from_before_are_told_what_they_concern(url, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_four_migrators_at_once_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    four_migrators_at_once_all_succeed(sqlite_file(&folder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_four_migrators_at_once_all_succeed() {
    four_migrators_at_once_all_succeed(PostgresCluster::shared().await.database().await).await;
}

#[tokio::test]
async fn postgres_makes_batches_of_the_codes_from_before() {
    let url = PostgresCluster::shared().await.migrated_database().await;
    let steps = status(url.as_str()).await.unwrap().applied();
    let after = steps.iter().rev().position(|step| step.ends_with("create_code_batches")).unwrap() + 1;
    down(url.as_str(), u32::try_from(after).unwrap()).await.unwrap();
    let tenant = "INSERT INTO tenants (id, slug, name, contact_email, created_at, updated_at)
        VALUES ('018bcfe5-6800-7000-8000-00000000000a', 'a', 'a', 'a', now(), now())";
    database::execute(&url, tenant).await.unwrap();
    let codes = "INSERT INTO activation_codes
            (id, tenant_id, code_digest, key_id, hint, label, max_uses, batch_id, created_at, updated_at)
        SELECT gen_random_uuid(), id, sha256(n::text::bytea), 'k1', 'KP2J', 'Spring', 7, id, now(), now()
        FROM tenants, generate_series(1, 3) AS n";
    database::execute(&url, codes).await.unwrap();
    up(url.as_str()).await.unwrap();
    let query = "SELECT label, max_uses, ordered, issued, state, source, created_by FROM code_batches WHERE id = tenant_id";
    let expected = json!({
        "label": "Spring", "max_uses": 7, "ordered": 3, "issued": 3, "state": "complete", "source": "issued", "created_by": null,
    });
    assert_eq!(database::rows(&url, query).await, [expected]);
}

#[tokio::test]
async fn operators_find_the_columns_that_they_know() {
    let url = PostgresCluster::shared().await.migrated_database().await;
    for column in ["tenant_id", "activation_code_id"] {
        let query = format!(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = 'llm_project_config' AND column_name = '{column}'"
        );
        let expected = json!([{ "column_name": column, "data_type": "uuid", "is_nullable": "YES" }]);
        assert_eq!(Value::from(database::rows(&url, &query).await), expected);
    }
    let query = "SELECT column_name, data_type, character_maximum_length, column_default FROM information_schema.columns
        WHERE table_name = 'llm_project_config' AND column_name = 'project_status'";
    let column = &database::rows(&url, query).await[0];
    assert_eq!((&column["data_type"], &column["character_maximum_length"]), (&json!("character varying"), &json!(20)));
    assert!(column["column_default"].as_str().unwrap().starts_with("'active'"));
    let tables =
        database::rows(&url, "SELECT table_name FROM information_schema.tables WHERE table_name = 'tenant_sessions'").await;
    assert_eq!(tables.len(), 1);
}

#[tokio::test]
async fn a_server_refuses_a_postgres_that_is_not_migrated_and_says_what_to_do() {
    let url = PostgresCluster::shared().await.database().await;
    let refused = tenantry_tests::Server::builder().database_url(&url).try_start().await.err().expect("a refusal");
    assert_eq!(refused.exit_code, 1);
    assert!(refused.logs.contains("tenantry-migrator up"), "{}", refused.logs);
}
