//! The steps on SQLite, with rows from before tenants in the database; `tests` runs the same on PostgreSQL.

use crate::{MigrateError, Migrator, StepState, down, fresh, status, up};
use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult, Statement, TryGetable},
};
use tempfile::TempDir;

fn steps() -> usize {
    Migrator::migrations().len()
}

/// Takes back all steps but the first, which is from before tenants.
async fn take_back(url: &str) -> Result<Vec<String>, MigrateError> {
    down(url, u32::try_from(steps() - 1).unwrap()).await
}

fn address(folder: &TempDir) -> String {
    format!("sqlite://{}/tenantry.db", folder.path().display())
}

async fn open(url: &str) -> DatabaseConnection {
    Database::connect(url).await.unwrap()
}

async fn run(url: &str, sql: &str) {
    let db = open(url).await;
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

async fn column<T: TryGetable>(url: &str, sql: &str) -> Vec<T> {
    let db = open(url).await;
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap();
    db.close().await.unwrap();
    rows.iter().map(|row: &QueryResult| row.try_get_by_index(0).unwrap()).collect()
}

/// A database as it was before tenants, with two projects.
async fn legacy_database(folder: &TempDir) -> String {
    let url = address(folder);
    up(&url).await.unwrap();
    take_back(&url).await.unwrap();
    run(
        &url,
        "INSERT INTO llm_project_config (id, project_id, client_name, description) VALUES
            (randomblob(16), 'Old-1', 'MÜLLER', 'Ärger & Söhne'), (randomblob(16), 'Old-2', 'Acme', NULL)",
    )
    .await;
    url
}

#[tokio::test]
async fn legacy_projects_survive_up_down_and_up() {
    let folder = tempfile::tempdir().unwrap();
    let url = legacy_database(&folder).await;
    for _ in 0..2 {
        assert_eq!(up(&url).await.unwrap().len(), steps() - 1);
        let search = column::<String>(&url, "SELECT search_text FROM llm_project_config ORDER BY project_id").await;
        assert_eq!(search, ["müller\nold-1\närger & söhne", "acme\nold-2\n"]);
        let without_tenant =
            "SELECT project_status FROM llm_project_config WHERE tenant_id IS NULL AND activation_code_id IS NULL";
        assert_eq!(column::<String>(&url, without_tenant).await, ["active", "active"]);
        assert_eq!(take_back(&url).await.unwrap().len(), steps() - 1);
        assert_eq!(
            column::<String>(&url, "SELECT client_name FROM llm_project_config ORDER BY project_id").await,
            ["MÜLLER", "Acme"]
        );
    }
    let columns = column::<String>(&url, "SELECT name FROM pragma_table_info('llm_project_config')").await;
    assert!(!columns.iter().any(|name| name == "tenant_id" || name == "search_text"), "{columns:?}");
}

#[tokio::test]
async fn slugs_that_tenants_share_keep_the_schema_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let url = legacy_database(&folder).await;
    up(&url).await.unwrap();
    let tenants = "INSERT INTO tenants (id, slug, name, contact_email, created_at, updated_at)
        SELECT randomblob(16), value, value, value, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00' FROM json_each('[\"a\", \"b\"]');
        INSERT INTO llm_project_config (id, project_id, client_name, tenant_id) SELECT randomblob(16), 'website', slug, id FROM tenants";
    run(&url, tenants).await;
    let refusal = take_back(&url).await.unwrap_err();
    assert!(matches!(&refusal, MigrateError::StepRefused { reason } if reason.contains("`website`")), "{refusal}");
    assert_eq!(status(&url).await.unwrap().applied().len(), steps(), "not even the steps before it are taken back");
    run(&url, "DELETE FROM tenants WHERE slug = 'a'").await;
    assert_eq!(column::<i64>(&url, "SELECT count(*) FROM llm_project_config").await, [3], "a tenant takes its projects along");
    assert_eq!(take_back(&url).await.unwrap().len(), steps() - 1);
}

/// Goes back to the schema from before the step whose name ends like this.
async fn before(url: &str, name: &str) {
    let steps = status(url).await.unwrap().applied();
    let after = steps.iter().rev().position(|step| step.ends_with(name)).expect("the step is there") + 1;
    assert_eq!(down(url, u32::try_from(after).unwrap()).await.unwrap().len(), after);
}

#[tokio::test]
async fn codes_from_before_batches_are_in_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let url = address(&folder);
    up(&url).await.unwrap();
    before(&url, "create_code_batches").await;
    let codes = "INSERT INTO tenants (id, slug, name, contact_email, created_at, updated_at)
        VALUES (x'0a', 'a', 'a', 'a', '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00');
        INSERT INTO activation_codes
            (id, tenant_id, code_digest, key_id, hint, label, max_uses, expires_at, batch_id, created_at, updated_at)
        SELECT randomblob(16), x'0a', randomblob(32), 'k1', 'KP2J', iif(value < 3, 'Spring', NULL), iif(value < 3, 7, 1),
            iif(value < 3, '2027-01-01T00:00:00+00:00', NULL), iif(value < 3, x'01', x'02'), '2026-01-02T00:00:00+00:00',
            '2026-01-03T00:00:00+00:00'
        FROM json_each('[1, 2, 3, 4, 5]')";
    run(&url, codes).await;
    for _ in 0..2 {
        up(&url).await.unwrap();
        let batches = "SELECT concat_ws(' ', hex(id), hex(tenant_id), label, max_uses, expires_at, ordered, issued, state, source, created_at)
            FROM code_batches ORDER BY id";
        let expected = [
            "01 0A Spring 7 2027-01-01T00:00:00+00:00 2 2 complete issued 2026-01-02T00:00:00+00:00",
            "02 0A 1 3 3 complete issued 2026-01-02T00:00:00+00:00",
        ];
        assert_eq!(column::<String>(&url, batches).await, expected);
        before(&url, "create_code_batches").await;
        assert_eq!(column::<i64>(&url, "SELECT count(*) FROM activation_codes").await, [5]);
    }
}

#[tokio::test]
async fn of_four_migrators_at_once_one_migrates_and_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let url = address(&folder);
    let migrators: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn({
                let url = url.clone();
                async move { up(&url).await }
            })
        })
        .collect();
    let mut applied = Vec::new();
    for migrator in migrators {
        applied.push(migrator.await.unwrap().unwrap().len());
    }
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, steps()]);
}

#[tokio::test]
async fn a_new_file_has_small_pages_though_its_status_was_asked_before() {
    let folder = tempfile::tempdir().unwrap();
    let url = address(&folder);
    // As a server does: it makes an empty file, and looks what is missing.
    std::fs::write(folder.path().join("tenantry.db"), "").unwrap();
    status(&url).await.unwrap();
    up(&url).await.unwrap();
    assert_eq!(column::<i64>(&url, "PRAGMA page_size").await, [2_048]);
}

#[tokio::test]
async fn steps_of_a_newer_version_are_tolerated_where_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let url = address(&folder);
    assert_eq!(status(&url).await.unwrap().pending().len(), steps(), "a missing file lacks every step");
    up(&url).await.unwrap();
    run(&url, "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0)").await;
    let seen = status(&url).await.unwrap();
    assert_eq!((seen.pending().len(), seen.newer()), (0, vec!["m29990101_000001_later".to_owned()]));
    assert_eq!(seen.steps.last().unwrap().state, StepState::Newer);
    assert_eq!(up(&url).await.unwrap(), [""; 0]);
    assert!(matches!(down(&url, 1).await, Err(MigrateError::NewerSchema { .. })));
    run(&url, "DELETE FROM seaql_migrations WHERE version LIKE '%outbox'").await;
    assert!(matches!(up(&url).await, Err(MigrateError::NewerSchema { .. })));
    assert_eq!(fresh(&url).await.unwrap().len(), steps());
}

#[tokio::test]
async fn an_address_that_cannot_work_is_refused_without_its_password() {
    for url in ["", "tenantry.db", "mysql://me:s3cret@localhost/a", "postgres://me:s3cret@localhost:port/a"] {
        assert!(matches!(up(url).await, Err(MigrateError::InvalidUrl)), "{url}");
    }
    assert!(matches!(up("sqlite::memory:").await, Err(MigrateError::InMemory)));
    assert!(matches!(up("sqlite:///nowhere/at/all.db").await, Err(MigrateError::FolderMissing { .. })));
    // Nobody listens on the discard port.
    let refusal = status("postgres://me:s3cret@127.0.0.1:9/a").await.unwrap_err();
    assert!(matches!(refusal, MigrateError::Unreachable { .. }));
    assert!(!format!("{refusal} {refusal:?}").contains("s3cret"));
}
