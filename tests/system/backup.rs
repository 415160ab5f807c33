//! `backup` and `restore` beside a server that serves, and what PostgreSQL's own programs do.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use serde_json::{Value, json};
use tenantry_migration::{down, up};
use tenantry_tests::{DatabaseUrl, Finished, PostgresCluster, Server, Signal, World, binaries, database};

use crate::copy::{dump, fill, make_long};

async fn run(world: &World, url: &DatabaseUrl, args: &[&str]) -> Finished {
    world.builder().database_url(url).args(args.iter().copied()).run().await
}

async fn done(world: &World, url: &DatabaseUrl, args: &[&str]) -> String {
    let finished = run(world, url, args).await;
    assert_eq!(finished.exit_code, 0, "{finished:?}");
    finished.stdout
}

async fn refused(world: &World, url: &DatabaseUrl, args: &[&str]) -> String {
    let finished = run(world, url, args).await;
    assert_eq!(finished.exit_code, 1, "{finished:?}");
    finished.logs
}

async fn doctor_is_content(world: &World, url: &DatabaseUrl) {
    let run = run(world, url, &["doctor", "--json"]).await;
    assert_eq!(run.exit_code, 0, "{run:?}");
    assert!(run.stdout.contains(r#""status":"ok""#) || run.stdout.contains(r#""status": "ok""#), "{run:?}");
}

async fn count(url: &DatabaseUrl, query: &str) -> i64 {
    let counted = database::rows(url, &format!("SELECT CAST(count(*) AS text) AS count FROM {query}")).await;
    counted[0]["count"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_while_tenants_activate_has_all_that_was_acknowledged() {
    let world = World::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup 1.db");
    let server = world.server().await;
    let acme = world.tenant(&server, "acme").await;
    let tenant = acme.tenant["id"].as_str().unwrap();
    world.admin(&server).issue_codes(tenant, &json!({ "count": 90 })).await;
    let activate = async || {
        let project = acme.api.create_project("Client").await;
        acme.api.activate(project["id"].as_str().unwrap(), &json!({})).await.expect(200);
    };
    for _ in 0..5 {
        activate().await;
    }
    let saved = AtomicBool::new(false);
    let go_on = async {
        let mut activated = 5;
        while !saved.load(Ordering::Relaxed) && activated < 95 {
            activate().await;
            activated += 1;
        }
        activated
    };
    let save = async {
        let said = done(&world, world.database_url(), &["backup", file.to_str().unwrap()]).await;
        saved.store(true, Ordering::Relaxed);
        said
    };
    let (activated, said) = tokio::join!(go_on, save);
    assert!(said.contains("checked") && said.contains("1 tenants, 100 codes"), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing but the backup and its checksum");
    let mut checked = Command::new("sha256sum");
    assert!(checked.args(["--check", "--status", "backup 1.db.sha256"]).current_dir(folder.path()).status().unwrap().success());

    let restored = DatabaseUrl::sqlite(&folder.path().join("new/tenantry.db"));
    done(&world, &restored, &["restore", file.to_str().unwrap()]).await;
    doctor_is_content(&world, &restored).await;
    let has = count(&restored, "redemptions").await;
    assert!((5..=activated).contains(&has), "{has} of {activated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_under_a_server_brings_back_what_was_and_nobody_who_was_sent_away() {
    let world = World::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    let file = file.to_str().unwrap();
    let server = world.server().await;
    let admin = world.admin(&server);
    let acme = world.tenant(&server, "acme").await;
    let left = server.api().sign_in("acme", &acme.email, world.mail()).await;
    let operator = world.operator(&server, "owner", "owner@operator.example").await;
    let (key, stale) = operator.api.create_api_key(&["tenants:read"]).await;
    let before = acme.api.create_project("Before").await;
    acme.api.activate(before["id"].as_str().unwrap(), &json!({ "code": acme.codes[0] })).await.expect(200);
    done(&world, world.database_url(), &["backup", file]).await;

    let after = acme.api.create_project("After").await;
    acme.api.activate(after["id"].as_str().unwrap(), &json!({ "code": acme.codes[1] })).await.expect(200);
    left.post("/api/tenant/auth/logout", &Value::Null).await.expect(204);
    operator.api.delete(&format!("/api/admin/api-keys/{}", key["id"].as_str().unwrap())).await.expect(204);

    let refusal = refused(&world, world.database_url(), &["restore", file]).await;
    assert!(refusal.contains("--yes") && refusal.contains("1 tenant(s)"), "{refusal}");
    acme.api.get(&format!("/api/tenant/projects/{}", after["id"].as_str().unwrap())).await.expect(200);

    let said = done(&world, world.database_url(), &["restore", file, "--yes", "--keep-sessions"]).await;
    assert!(said.contains("1 activation(s) since the backup are gone"), "{said}");
    let listed = acme.api.get("/api/tenant/projects").await.expect(200).body;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["client_name"]), (1, &json!("Before")));
    left.get("/api/tenant/auth/session").await.expect_problem(401, "unauthenticated");
    stale.get("/api/admin/tenants").await.expect_problem(401, "unauthenticated");
    operator.api.get("/api/admin/tenants").await.expect(200);
    // The first code stays used, the second is good again.
    let again = acme.api.create_project("Again").await;
    let again = again["id"].as_str().unwrap();
    acme.api.activate(again, &json!({ "code": acme.codes[0] })).await.expect_problem(409, "code_exhausted");
    acme.api.activate(again, &json!({ "code": acme.codes[1] })).await.expect(200);
    let trail = admin.get("/api/admin/events?action=database.restored").await.expect(200).body;
    assert_eq!(trail["items"][0]["details"]["activations_gone"], "1");

    // What was replaced is kept, and is a backup like any other. Unless told otherwise, a restore ends sessions.
    let kept = fs::read_dir(Path::new(world.database_url().as_str().strip_prefix("sqlite://").unwrap()).parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("before-restore") && path.extension().is_none_or(|end| end != "sha256"))
        .unwrap();
    done(&world, world.database_url(), &["restore", kept.to_str().unwrap(), "--yes"]).await;
    acme.api.get("/api/tenant/projects").await.expect_problem(401, "unauthenticated");
    operator.api.get("/api/admin/tenants").await.expect_problem(401, "unauthenticated");
    let api = server.api().sign_in("acme", &acme.email, world.mail()).await;
    let listed = api.get("/api/tenant/projects").await.expect(200).body;
    assert_eq!(listed["items"][0]["client_name"], "After");
    doctor_is_content(&world, world.database_url()).await;
}

#[tokio::test]
async fn every_table_and_every_column_is_backed_up_and_restored() {
    let world = World::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| DatabaseUrl::sqlite(&folder.path().join(name));
    let (source, target, file) = (url("source.db"), url("target.db"), folder.path().join("backup.db"));
    up(source.as_str()).await.unwrap();
    fill(&source).await;
    done(&world, &source, &["backup", file.to_str().unwrap()]).await;
    assert_eq!(dump(&url("backup.db"), &[]).await, dump(&source, &[]).await);
    // A copy by `sqlite3 .backup` has the write-ahead log's mark, and nothing beside it, no checksum either.
    fs::remove_file(folder.path().join("backup.db.sha256")).unwrap();
    database::execute(&url("backup.db"), "PRAGMA journal_mode = WAL").await.unwrap();
    done(&world, &target, &["restore", file.to_str().unwrap(), "--keep-sessions"]).await;
    let less = ["bootstrap_links", "audit_events"];
    assert_eq!(dump(&target, &less).await, dump(&source, &less).await);
    assert_eq!((count(&target, "bootstrap_links").await, count(&target, "audit_events").await), (0, 2));
    let triggers = "sqlite_schema WHERE type = 'trigger'";
    assert_eq!(count(&target, triggers).await, count(&source, triggers).await);
    database::execute(&target, "DELETE FROM tenants").await.unwrap();
    assert_eq!(count(&target, "code_tallies WHERE codes <> 0").await, 0, "the triggers work");
    assert_eq!(count(&target, "tenant_tallies WHERE tenants <> 0").await, 0, "the triggers work");
}

#[tokio::test]
async fn what_would_be_no_backup_is_refused_and_changes_nothing() {
    let world = World::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let url = |name: &str| DatabaseUrl::sqlite(&folder.path().join(name));
    let (source, target) = (url("source.db"), url("target.db"));
    up(source.as_str()).await.unwrap();
    up(target.as_str()).await.unwrap();
    fill(&source).await;
    done(&world, &source, &["backup", &path("backup.db")]).await;
    assert!(refused(&world, &source, &["backup", &path("backup.db")]).await.contains("--replace"));
    done(&world, &source, &["backup", &path("backup.db"), "--replace"]).await;
    assert!(refused(&world, &source, &["backup", &path("source.db"), "--replace"]).await.contains("the database itself"));
    assert!(refused(&world, &url("none.db"), &["backup", &path("x.db")]).await.contains("there is no file"));
    assert!(refused(&world, &source, &["backup", &path("none/x.db")]).await.contains("can't write"));
    // What is replaced was a backup: no key ring, no database that is in use, nor what SQLite keeps beside this one.
    fs::write(path("keys"), "k1:of another house").unwrap();
    database::execute(&target, "UPDATE plans SET name = name").await.unwrap();
    fs::write(path("target.db-wal"), "").unwrap();
    for name in ["keys", "target.db"] {
        assert!(refused(&world, &source, &["backup", &path(name), "--replace"]).await.contains("is no backup"), "{name}");
    }
    fs::remove_file(path("target.db-wal")).unwrap();
    assert!(refused(&world, &source, &["backup", &path("source.db-wal"), "--replace"]).await.contains("belongs to it"));
    // The same where a database is known by a link.
    fs::create_dir(path("links")).unwrap();
    symlink(path("source.db"), path("links/source.db")).unwrap();
    symlink(path("target.db"), path("links/target.db")).unwrap();
    let linked = url("links/source.db");
    assert!(refused(&world, &linked, &["backup", &path("source.db-wal"), "--replace"]).await.contains("belongs to it"));
    fs::write(path("target.db-wal"), "").unwrap();
    assert!(refused(&world, &source, &["backup", &path("links/target.db"), "--replace"]).await.contains("is no backup"));
    fs::remove_file(path("target.db-wal")).unwrap();
    assert_eq!(fs::read(path("keys")).unwrap(), b"k1:of another house");

    let restore = async |name: &str| refused(&world, &target, &["restore", &path(name)]).await;
    assert!(restore("target.db").await.contains("the database itself"));
    assert!(restore("none.db").await.contains("there is no file"));
    fs::write(path("text.db"), "no database").unwrap();
    assert!(restore("text.db").await.contains("is not a database of Tenantry"));
    database::execute(&DatabaseUrl::sqlite(&folder.path().join("other.db?mode=rwc")), "CREATE TABLE tenants (id)").await.unwrap();
    assert!(restore("other.db").await.contains("is not a database of Tenantry"));
    let whole = fs::read(path("backup.db")).unwrap();
    fs::write(path("cut.db"), &whole[..whole.len() / 2]).unwrap();
    assert!(restore("cut.db").await.contains("is damaged"));
    // Sound pages, and a value that isn't the backup's.
    fs::copy(path("backup.db"), path("altered.db")).unwrap();
    database::execute(&url("altered.db"), "UPDATE activation_codes SET max_uses = max_uses + 1").await.unwrap();
    fs::copy(path("backup.db.sha256"), path("altered.db.sha256")).unwrap();
    assert!(restore("altered.db").await.contains("isn't what its checksum"));
    fs::copy(path("backup.db"), path("older.db")).unwrap();
    down(url("older.db").as_str(), 1).await.unwrap();
    assert!(restore("older.db").await.contains("from an older version and lacks 1 step(s)"));
    fs::copy(path("backup.db"), path("newer.db")).unwrap();
    database::execute(&url("newer.db"), "INSERT INTO seaql_migrations VALUES ('m2099_of_tomorrow', 1)").await.unwrap();
    assert!(restore("newer.db").await.contains("from a newer version, which has m2099_of_tomorrow"));
    fs::copy(path("backup.db"), path("changed.db")).unwrap();
    database::execute(&url("changed.db"), "ALTER TABLE plans ADD COLUMN own text").await.unwrap();
    assert!(restore("changed.db").await.contains("another table `plans`"));
    database::execute(&url("changed.db"), "ALTER TABLE plans DROP COLUMN own; CREATE TABLE tenantry_copy (source)")
        .await
        .unwrap();
    assert!(restore("changed.db").await.contains("an unfinished copy"));
    let half = refused(&world, &url("changed.db"), &["backup", &path("half.db")]).await;
    assert!(half.contains("an unfinished copy"), "{half}");
    assert_eq!(dump(&target, &["bootstrap_links"]).await, [""; 0], "nothing came in");
    done(&world, &target, &["restore", &path("backup.db")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_killed_leaves_the_one_or_the_other() {
    let world = World::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| DatabaseUrl::sqlite(&folder.path().join(name));
    let (source, target, file) = (url("source.db"), url("target.db"), folder.path().join("backup.db"));
    up(source.as_str()).await.unwrap();
    up(target.as_str()).await.unwrap();
    fill(&source).await;
    done(&world, &source, &["backup", file.to_str().unwrap()]).await;
    make_long(&source).await;
    database::execute(&source, "UPDATE tenants SET name = 'other'; UPDATE activation_codes SET label = 'other'").await.unwrap();
    let other = folder.path().join("other.db");
    done(&world, &source, &["backup", other.to_str().unwrap()]).await;
    let began = Instant::now();
    done(&world, &target, &["restore", other.to_str().unwrap(), "--keep-sessions"]).await;
    let takes = began.elapsed();
    let less = ["bootstrap_links", "audit_events"];
    let (mut is, mut is_to_be) = (dump(&target, &less).await, dump(&url("backup.db"), &less).await);
    let (mut from, mut killed) = (&file, 0);
    for part in 1..=12 {
        let mut command = binaries::without_settings(Command::new(binaries::server()));
        command.args(["restore", from.to_str().unwrap(), "--yes", "--keep-sessions", "--database-url", target.as_str()]);
        let mut restore = command.env("TENANTRY__KEYS__FILE", world.keys_file()).spawn().unwrap();
        // Over the whole of it, wherever it then is.
        tokio::time::sleep(takes * part / 10).await;
        killed += i32::from(restore.try_wait().unwrap().is_none());
        restore.kill().unwrap();
        restore.wait().unwrap();
        let now = dump(&target, &less).await;
        if now == is_to_be {
            (is, is_to_be) = (is_to_be, is);
            from = if from == &file { &other } else { &file };
        }
        assert!(now == is, "killed in part {part}, it holds neither the one nor the other");
    }
    assert!(killed > 0, "each ended before it could be killed");
    doctor_has_no_complaint_about_rows(&world, &target).await;
}

/// The rows of `fill` refer to keys that there are none of; all else must be well.
async fn doctor_has_no_complaint_about_rows(world: &World, url: &DatabaseUrl) {
    let run = run(world, url, &["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    for check in report["checks"].as_array().unwrap().iter().filter(|check| check["name"].as_str().unwrap().ends_with("tallied"))
    {
        assert_eq!(check["status"], "ok", "{check}");
    }
}

#[tokio::test]
async fn a_postgres_is_backed_up_and_restored_as_the_operations_guide_says() {
    let world = World::postgres().await;
    let folder = tempfile::tempdir().unwrap();
    let mut server = world.server().await;
    let acme = world.tenant(&server, "acme").await;
    let project = acme.api.create_project("Client").await;
    acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": acme.codes[0] })).await.expect(200);
    for (verb, program) in [("backup", "pg_dump --format=custom"), ("restore", "pg_restore --clean")] {
        let refusal = refused(&world, world.database_url(), &[verb, "file"]).await;
        assert!(refusal.contains(program) && !refusal.contains("canary"), "{refusal}");
    }
    let guide = include_str!("../../docs/operations.md");
    let restored = PostgresCluster::shared().await.database().await;
    for (program, url) in [("pg_dump", world.database_url()), ("pg_restore", &restored)] {
        let line = guide.lines().find(|line| line.starts_with(&format!("{program} "))).unwrap();
        let line = line.replace(program, PostgresCluster::program(program).to_str().unwrap());
        let mut shell = Command::new("sh");
        let output =
            shell.args(["-c", &line]).current_dir(folder.path()).env("TENANTRY__DATABASE__URL", url.as_str()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        if program == "pg_dump" {
            // What comes later isn't in it.
            acme.api.create_project("After").await;
        }
    }
    server.signal(Signal::Term);
    doctor_is_content(&world, &restored).await;
    let server: Server = world.builder().database_url(&restored).start().await;
    let listed = acme.api.at(server.url()).get("/api/tenant/projects").await.expect(200).body;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["project_status"]), (1, &json!("active")));
}
