//! `tenantry-migrator copy`: everything moves to another database, however often it is killed on the way.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry_migration::{down, status, up};
use tenantry_tests::{DatabaseUrl, PostgresCluster, World, binaries, database, on_both_databases};

fn command(from: &DatabaseUrl, to: &DatabaseUrl, more: &[&str]) -> Command {
    let mut command = binaries::without_settings(Command::new(binaries::migrator()));
    command.args(["copy", "--from", from.as_str(), "--to", to.as_str()]).args(more);
    command
}

fn copy_with(from: &DatabaseUrl, to: &DatabaseUrl, more: &[&str]) -> Output {
    command(from, to, more).output().unwrap()
}

fn copy(from: &DatabaseUrl, to: &DatabaseUrl) -> String {
    let output = copy_with(from, to, &[]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a copy says against it.
fn refusal(from: &DatabaseUrl, to: &DatabaseUrl, more: &[&str]) -> String {
    let output = copy_with(from, to, more);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn sqlite(folder: &TempDir, name: &str) -> DatabaseUrl {
    let url = DatabaseUrl::sqlite(&folder.path().join(name));
    up(url.as_str()).await.unwrap();
    url
}

async fn text_rows(url: &DatabaseUrl, query: &str) -> Vec<String> {
    let rows = database::rows(url, query).await;
    rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect()
}

/// A SQLite file's tables, each with its columns and their types.
async fn tables(url: &DatabaseUrl) -> Vec<(String, Vec<(String, String)>)> {
    let mut tables = Vec::new();
    let names =
        "SELECT name AS text FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'seaql_migrations'";
    for name in text_rows(url, names).await {
        let columns =
            text_rows(url, &format!("SELECT name || ' ' || lower(type) AS text FROM pragma_table_info('{name}')")).await;
        let columns = columns.iter().filter_map(|column| column.split_once(' ')).map(|(name, kind)| (name.into(), kind.into()));
        tables.push((name, columns.collect()));
    }
    tables
}

/// Everything that a SQLite file holds, less its tallies, a line a row.
pub async fn dump(url: &DatabaseUrl, less: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for (table, columns) in tables(url).await {
        if columns.iter().any(|(column, _)| column == "slot") || less.contains(&table.as_str()) {
            continue;
        }
        let values = columns.iter().map(|(column, _)| format!("'{column}=' || quote(\"{column}\")")).collect::<Vec<_>>();
        let rows = text_rows(url, &format!("SELECT {} AS text FROM \"{table}\"", values.join(" || ' ' || "))).await;
        lines.extend(rows.into_iter().map(|row| format!("{table} {row}")));
    }
    lines.sort();
    lines
}

/// Puts a row into every table, with a value in every column: whatever a step of the schema adds.
pub async fn fill(url: &DatabaseUrl) {
    let mut script = "PRAGMA foreign_keys = OFF;".to_owned();
    for (table, columns) in tables(url).await {
        if columns.iter().any(|(column, _)| column == "slot") {
            continue;
        }
        // A password is of a tenant or of an operator.
        let rows: &[(&str, &str)] = match table.as_str() {
            "otp_challenges" => &[("operator_id", "01"), ("tenant_id", "02")],
            _ => &[("", "01")],
        };
        for (missing, own) in rows {
            let value = |(column, kind): &(String, String)| match kind.as_str() {
                _ if column == missing => "NULL".to_owned(),
                "uuid_text" if column == "id" => format!("x'000000000000000000000000000000{own}'"),
                // Every reference leads to the one row.
                "uuid_text" => "x'00000000000000000000000000000001'".to_owned(),
                "blob" => "x'00ff10'".to_owned(),
                "bigint" => "1".to_owned(),
                "timestamp_with_timezone_text" => "'2026-03-01T12:00:00.250001+00:00'".to_owned(),
                "text" | "varchar(20)" if column == "project_status" => "'active'".to_owned(),
                "text" if column == "outcome" => "'sent'".to_owned(),
                "text" => "'Zoë; \"x\" ''y'' ☂'".to_owned(),
                other => panic!("{table}.{column} is of a new type, {other}: tell copies and this test about it"),
            };
            let values = columns.iter().map(value).collect::<Vec<_>>().join(", ");
            let names = columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            script.push_str(&format!("INSERT INTO {table} ({names}) VALUES ({values});"));
        }
    }
    database::execute(url, &script).await.unwrap();
}

/// Adds rows to the table that is copied last: what is to be killed before it has them isn't complete by then.
pub async fn make_long(url: &DatabaseUrl) {
    let more = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 800)
        INSERT INTO rate_buckets (bucket, tat) SELECT randomblob(16), n FROM n";
    database::execute(url, more).await.unwrap();
}

/// What `tenantry-migrator status` and the doctor of servers without a key ring say of a database.
async fn status_and_doctor(url: &DatabaseUrl) -> (String, Value) {
    let mut status = binaries::without_settings(Command::new(binaries::migrator()));
    let said = String::from_utf8(status.args(["status", "--database-url", url.as_str()]).output().unwrap().stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut doctor = binaries::without_settings(Command::new(binaries::server()));
    doctor.args(["doctor", "--json", "--database-url", url.as_str(), "--data-dir", folder.path().to_str().unwrap()]);
    (said, serde_json::from_slice(&doctor.output().unwrap().stdout).unwrap())
}

/// Runs a copy that writes a row at a time, and kills it where it says that it has a table.
fn kill_behind(table: &str, source: &DatabaseUrl, target: &DatabaseUrl) {
    let mut run = command(source, target, &["--page-rows", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with(table)), "{table}");
    run.kill().unwrap();
    run.wait().unwrap();
}

#[tokio::test]
async fn every_table_and_every_column_goes_over_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (first, last) = (sqlite(&folder, "first.db").await, sqlite(&folder, "last.db").await);
    let postgres =
        [PostgresCluster::shared().await.migrated_database().await, PostgresCluster::shared().await.migrated_database().await];
    fill(&first).await;
    let said = copy(&first, &postgres[0]);
    assert!(said.contains("copied plans: 1 of 1\n") && said.contains("counts and digests of all are equal"), "{said}");
    copy(&postgres[0], &postgres[1]);
    copy(&postgres[1], &last);
    let dumped = dump(&first, &[]).await;
    assert_eq!(dumped.len(), tables(&first).await.len() - 5 + 1, "all tables but the tallies, and two passwords");
    assert_eq!(dump(&last, &[]).await, dumped);
    // The tallies were counted by triggers.
    for url in [&first, &last] {
        assert_eq!(text_rows(url, "SELECT sum(codes) || '' AS text FROM code_tallies").await, ["2"]);
        assert_eq!(text_rows(url, "SELECT sum(tenants + suspended) || '' AS text FROM tenant_tallies").await, ["2"]);
    }
    for url in &postgres {
        assert_eq!(text_rows(url, "SELECT sum(codes)::text AS text FROM code_tallies").await, ["2"]);
        assert_eq!(text_rows(url, "SELECT sum(tenants + suspended)::text AS text FROM tenant_tallies").await, ["2"]);
        assert!(!status(url.as_str()).await.unwrap().unfinished_copy);
    }
}

async fn doctor_is_content(world: &World, url: &DatabaseUrl) {
    let run = world.builder().database_url(url).args(["doctor", "--json"]).run().await;
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.exit_code, &report["status"]), (0, &json!("ok")), "{report:#}");
}

#[tokio::test]
async fn a_portal_moves_to_postgres_and_back_and_goes_on() {
    let world = World::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let mut server = world.server().await;
    let acme = world.tenant(&server, "acme").await;
    let operator = world.operator(&server, "owner", "owner@operator.example").await;
    let (_, key) = operator.api.create_api_key(&["tenants:read"]).await;
    let project = acme.api.create_project("Ärzte Süd").await;
    acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": acme.codes[0] })).await.expect(200);
    world.insert_legacy_project("018bcfe5-6800-7000-8000-00000000000a", "old-1", "From Before").await;
    assert_eq!(server.terminate().await, 0);

    let postgres = PostgresCluster::shared().await.migrated_database().await;
    let back = sqlite(&folder, "back.db").await;
    copy(world.database_url(), &postgres);
    for (place, url) in [(1, &postgres), (2, &back)] {
        if place == 2 {
            copy(&postgres, &back);
        }
        doctor_is_content(&world, url).await;
        let mut server = world.builder().database_url(url).start().await;
        // Sessions and keys are those from before.
        let tenant = acme.api.at(server.url());
        assert_eq!(tenant.get("/api/tenant/auth/session").await.expect(200).body["tenant"]["slug"], "acme");
        operator.api.at(server.url()).get("/api/admin/tenants").await.expect(200);
        key.at(server.url()).get("/api/admin/tenants").await.expect(200);
        let made = tenant.create_project("Made here").await;
        let path = made["id"].as_str().unwrap();
        tenant.activate(path, &json!({ "code": acme.codes[0] })).await.expect_problem(409, "code_exhausted");
        tenant.activate(path, &json!({ "code": acme.codes[place] })).await.expect(200);
        assert_eq!(tenant.get("/api/tenant/usage").await.expect(200).body["used_this_month"], json!(place + 1));
        assert_eq!(server.terminate().await, 0);
        doctor_is_content(&world, url).await;
    }
}

/// A PostgreSQL that sorts texts as English does.
async fn in_english() -> DatabaseUrl {
    let beside = PostgresCluster::shared().await.database().await;
    let create = "CREATE DATABASE in_english TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'";
    database::execute(&beside, create).await.unwrap();
    let url = beside.in_the_same_cluster("in_english");
    up(url.as_str()).await.unwrap();
    url
}

#[tokio::test]
async fn a_copy_that_is_killed_goes_on_and_nobody_serves_half_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite(&folder, "source.db").await;
    fill(&source).await;
    make_long(&source).await;
    // Texts are sorted by their bytes, whatever language PostgreSQL sorts by.
    let texts = "INSERT INTO adopted_rows SELECT 'a', key, key, randomblob(16), '2026-03-01T12:00:00+00:00'
        FROM (SELECT 'b' AS key UNION ALL SELECT 'C' UNION ALL SELECT 'Ä' UNION ALL SELECT '_d' UNION ALL SELECT 'e')";
    database::execute(&source, texts).await.unwrap();
    for target in [in_english().await, sqlite(&folder, "target.db").await] {
        // Each run is killed where it says that it has another table.
        for table in ["copied plans", "copied tenants", "copied redemptions", "copied outbox"] {
            kill_behind(table, &source, &target);
            assert!(status(target.as_str()).await.unwrap().unfinished_copy);
        }
        let refused = tenantry_tests::Server::builder().database_url(&target).try_start().await.err().expect("a refusal");
        assert!(refused.logs.contains("unfinished copy"), "{}", refused.logs);
        // Whoever looks is told, and isn't told that the rows which are missing are wrong.
        let (said, report) = status_and_doctor(&target).await;
        assert!(said.contains("unfinished copy"), "{said}");
        let wrong = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed");
        assert_eq!(
            wrong.map(|check| &check["name"]).collect::<Vec<_>>(),
            ["key_file", "key_ring", "unfinished_copy"],
            "{report:#}"
        );
        let said = copy(&source, &target);
        assert!(said.contains("had been copied before"), "{said}");
        assert!(refusal(&source, &target, &[]).contains("the target is not empty"), "it is complete");
    }
    assert_eq!(dump(&DatabaseUrl::sqlite(&folder.path().join("target.db")), &[]).await, dump(&source, &[]).await);
}

#[tokio::test]
async fn what_would_not_be_a_copy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (sqlite(&folder, "source.db").await, sqlite(&folder, "target.db").await);
    fill(&source).await;
    assert!(refusal(&source, &source, &[]).contains("are the same database"));
    let missing = DatabaseUrl::sqlite(&folder.path().join("missing.db"));
    assert!(refusal(&missing, &target, &[]).contains("missing.db` isn't there"));
    assert!(refusal(&source, &missing, &[]).contains("tenantry-migrator up"));
    let behind = sqlite(&folder, "behind.db").await;
    down(behind.as_str(), 1).await.unwrap();
    assert!(refusal(&behind, &target, &[]).contains("the source lacks 1 step(s)"));
    assert!(refusal(&source, &behind, &[]).contains("the target lacks 1 step(s)"));

    // A row that changes after it was copied.
    make_long(&source).await;
    kill_behind("copied tenants", &source, &target);
    database::execute(&source, "UPDATE plans SET monthly_run_quota = 2").await.unwrap();
    let differs = refusal(&source, &target, &[]);
    assert!(differs.contains("differs from the source in plans:") && differs.contains("--start-over"), "{differs}");
    let other = sqlite(&folder, "other.db").await;
    assert!(refusal(&other, &target, &[]).contains("unfinished copy of sqlite:"));
    assert!(copy_with(&source, &target, &["--start-over"]).status.success());
    assert_eq!(dump(&target, &[]).await, dump(&source, &[]).await);

    database::execute(&source, "UPDATE tenants SET name = x'00'").await.unwrap();
    let unreadable = refusal(&source, &other, &[]);
    assert!(unreadable.contains("`tenants.name` isn't of its column's type"), "{unreadable}");
}

on_both_databases! {
    async fn servers_keep_a_copy_from_beginning(world: World) {
        let folder = tempfile::tempdir().unwrap();
        let other = sqlite(&folder, "other.db").await;
        let mut server = world.server().await;
        for (from, to, side) in [(world.database_url(), &other, "source"), (&other, world.database_url(), "target")] {
            let said = refusal(from, to, &[]);
            assert!(said.contains(&format!("the {side}: stop all servers")), "{said}");
        }
        assert_eq!(server.terminate().await, 0);
        copy(world.database_url(), &other);
    }
}
