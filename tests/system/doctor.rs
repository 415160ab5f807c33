//! `tenantry-server doctor`, and what else the program does besides serving.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use tenantry_tests::{DatabaseKind, SignedIn, World, database, on_both_databases};

/// Runs the doctor; its exit code and its report.
async fn doctor(world: &World) -> (i32, Value) {
    let run = world.builder().args(["doctor", "--json"]).run().await;
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no report: {run:?}"));
    (run.exit_code, report)
}

/// Runs the doctor, who must find exactly one thing wrong; its check.
async fn complaint(world: &World, status: &str) -> Value {
    let (exit_code, report) = doctor(world).await;
    let checks = report["checks"].as_array().unwrap();
    let wrong: Vec<_> = checks.iter().filter(|check| check["status"] != "ok").collect();
    assert_eq!(wrong.len(), 1, "{report:#}");
    assert_eq!((&wrong[0]["status"], exit_code), (&json!(status), i32::from(status == "failed")), "{report:#}");
    assert!(wrong[0]["detail"].is_string() && wrong[0]["advice"].is_string(), "{report:#}");
    wrong[0].clone()
}

async fn assert_content(world: &World) {
    let (exit_code, report) = doctor(world).await;
    assert_eq!((exit_code, &report["status"]), (0, &json!("ok")), "{report:#}");
}

async fn execute(world: &World, statement: &str) {
    database::execute(world.database_url(), statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// A tenant that has activated two projects with its first codes, and two with one code for two, and has one that waits.
struct Acme {
    tenant: String,
    codes: Vec<String>,
    code_for_two: String,
    active: String,
    waiting: String,
}

impl Acme {
    async fn new(world: &World, signed_in: &SignedIn, admin: &tenantry_tests::Api) -> Self {
        let tenant = signed_in.tenant["id"].as_str().unwrap();
        let order = json!({ "count": 1, "max_uses": 2, "ttl_seconds": 86_400 });
        let issued = admin.post(&format!("/api/admin/tenants/{tenant}/codes"), &order).await.expect(201);
        let for_two = issued.text_at("/activation_codes/0/id");
        let codes: Vec<_> = signed_in.tenant["activation_codes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|code| code["id"].as_str().unwrap().to_owned())
            .collect();
        let mut projects = Vec::new();
        for code in [Some(&codes[0]), Some(&codes[1]), Some(&for_two), Some(&for_two), None] {
            let project = signed_in.api.create_project("Client").await["id"].as_str().unwrap().to_owned();
            if let Some(code) = code {
                signed_in.api.activate(&project, &json!({ "activation_code_id": code })).await.expect(200);
            }
            projects.push(project);
        }
        Self {
            tenant: world.uuid_literal(tenant),
            codes: codes.iter().map(|code| world.uuid_literal(code)).collect(),
            code_for_two: world.uuid_literal(&for_two),
            active: world.uuid_literal(&projects[0]),
            waiting: world.uuid_literal(&projects[4]),
        }
    }
}

on_both_databases! {
    async fn a_doctor_is_content_after_all_that_tenants_and_operators_do(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        assert_content(&world).await;
        let acme = world.tenant(&server, "acme").await;
        let rows = Acme::new(&world, &acme, &admin).await;
        let listed = acme.api.get("/api/tenant/projects?status=active").await.expect(200);
        let id = |place: usize| listed.text_at(&format!("/items/{place}/id"));
        acme.api.post(&format!("/api/tenant/projects/{}/pause", id(0)), &json!({})).await.expect(200);
        acme.api.post(&format!("/api/tenant/projects/{}/complete", id(1)), &json!({})).await.expect(200);
        admin.post(&format!("/api/admin/projects/{}/return", id(2)), &json!({})).await.expect(200);
        acme.api.activate(&id(2), &json!({})).await.expect(200);
        acme.api.delete(&format!("/api/tenant/projects/{}", id(3))).await.expect(204);
        let waiting = acme.api.get("/api/tenant/projects?status=pending").await.expect(200).text_at("/items/0/id");
        acme.api.activate(&waiting, &json!({ "code": acme.codes[0] })).await.expect_problem(409, "code_exhausted");
        world.insert_legacy_project("018bcfe5-6800-7000-8000-00000000000a", "old-1", "From Before").await;
        execute(&world, &format!("UPDATE activation_codes SET revoked_at = created_at WHERE tenant_id = {} AND use_count = 0", rows.tenant)).await;
        assert_content(&world).await;

        let globex = world.tenant(&server, "globex").await;
        let project = globex.api.create_project("Client").await;
        globex.api.activate(project["id"].as_str().unwrap(), &json!({})).await.expect(200);
        admin.delete(&format!("/api/admin/tenants/{}", globex.tenant["id"].as_str().unwrap())).await.expect(204);
        assert_content(&world).await;
    }

    /// Each wound is made by hand, found by the check that is for it and by no other, and healed again.
    async fn each_broken_invariant_is_found_by_its_own_check(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let signed_in = world.tenant(&server, "acme").await;
        let acme = Acme::new(&world, &signed_in, &admin).await;
        let globex = world.tenant(&server, "globex").await;
        let foreign_code = world.uuid_literal(globex.tenant["activation_codes"][0]["id"].as_str().unwrap());
        let Acme { tenant, codes, code_for_two, active, waiting } = &acme;
        let (code, unused) = (&codes[0], &codes[5]);
        let redemption = world.uuid_literal("red_018bcfe568007000800000000000000a");
        let (constraint, unchecked) = match world.kind() {
            DatabaseKind::Postgres => ("ALTER TABLE activation_codes DROP CONSTRAINT activation_codes_check;", ""),
            DatabaseKind::Sqlite => ("", "PRAGMA ignore_check_constraints = ON;"),
        };
        let wounds = [
            (
                "uses_equal_redemptions",
                format!("UPDATE activation_codes SET use_count = 0 WHERE id = {code}"),
                format!("UPDATE activation_codes SET use_count = 1 WHERE id = {code}"),
            ),
            (
                "uses_within_bounds",
                format!("{constraint} {unchecked} UPDATE activation_codes SET max_uses = 1 WHERE id = {code_for_two}"),
                format!("UPDATE activation_codes SET max_uses = 2 WHERE id = {code_for_two}"),
            ),
            (
                "one_live_redemption",
                format!(
                    "DROP INDEX redemptions_live;
                    INSERT INTO redemptions (id, tenant_id, activation_code_id, project_id, redeemed_at)
                        SELECT {redemption}, tenant_id, {unused}, project_id, redeemed_at FROM redemptions WHERE project_id = {active};
                    UPDATE activation_codes SET use_count = 1 WHERE id = {unused};
                    UPDATE usage_months SET activations = activations + 1 WHERE tenant_id = {tenant}"
                ),
                format!(
                    "DELETE FROM redemptions WHERE id = {redemption};
                    UPDATE activation_codes SET use_count = 0 WHERE id = {unused};
                    UPDATE usage_months SET activations = activations - 1 WHERE tenant_id = {tenant}"
                ),
            ),
            (
                "active_projects_redeemed",
                format!("UPDATE redemptions SET project_id = NULL WHERE activation_code_id = {code}"),
                format!("UPDATE redemptions SET project_id = {active} WHERE activation_code_id = {code}"),
            ),
            (
                "links_within_tenants",
                format!("UPDATE llm_project_config SET activation_code_id = {foreign_code} WHERE id = {waiting}"),
                format!("UPDATE llm_project_config SET activation_code_id = NULL WHERE id = {waiting}"),
            ),
            (
                "months_equal_ledger",
                format!("UPDATE usage_months SET activations = activations + 1 WHERE tenant_id = {tenant}"),
                format!("UPDATE usage_months SET activations = activations - 1 WHERE tenant_id = {tenant}"),
            ),
            (
                "codes_tallied",
                format!("UPDATE code_tallies SET revoked = revoked + 1 WHERE tenant_id = {tenant}"),
                format!("UPDATE code_tallies SET revoked = revoked - 1 WHERE tenant_id = {tenant}"),
            ),
            (
                "expiries_tallied",
                "UPDATE code_expiry_tallies SET codes = codes + 1".to_owned(),
                "UPDATE code_expiry_tallies SET codes = codes - 1".to_owned(),
            ),
            (
                "usage_tallied",
                "UPDATE usage_days SET refusals = refusals + 1".to_owned(),
                "UPDATE usage_days SET refusals = refusals - 1".to_owned(),
            ),
            (
                "projects_tallied",
                "UPDATE project_tallies SET paused = paused + 1".to_owned(),
                "UPDATE project_tallies SET paused = paused - 1".to_owned(),
            ),
            (
                "tenants_tallied",
                "UPDATE tenant_tallies SET suspended = suspended + 1".to_owned(),
                "UPDATE tenant_tallies SET suspended = suspended - 1".to_owned(),
            ),
            (
                "key_ids",
                format!("UPDATE activation_codes SET key_id = 'gone' WHERE id = {code}"),
                format!("UPDATE activation_codes SET key_id = 'k1' WHERE id = {code}"),
            ),
        ];
        for (name, wound, cure) in wounds {
            execute(&world, &wound).await;
            let found = complaint(&world, "failed").await;
            assert_eq!(found["name"], name);
            let examples = found["examples"].as_array().unwrap();
            assert!(found["found"].as_u64().unwrap() >= 1 && !examples.is_empty() && examples.len() <= 5, "{found:#}");
            execute(&world, &cure).await;
        }
        assert_content(&world).await;
    }

    async fn examples_are_identifiers_and_no_more_than_five(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        execute(&world, "UPDATE activation_codes SET use_count = 1").await;
        let found = complaint(&world, "failed").await;
        let ids: Vec<_> = acme.tenant["activation_codes"].as_array().unwrap().iter().map(|code| &code["id"]).collect();
        assert_eq!((&found["name"], &found["found"]), (&json!("uses_equal_redemptions"), &json!(10)));
        let examples = found["examples"].as_array().unwrap();
        assert!(examples.len() == 5 && examples.iter().all(|example| ids.contains(&example)), "{found:#}");
        execute(&world, "UPDATE activation_codes SET use_count = 0").await;

        execute(&world, "UPDATE code_tallies SET codes = codes + 1").await;
        let found = complaint(&world, "failed").await;
        let tenant = format!("{} never", acme.tenant["id"].as_str().unwrap());
        assert_eq!(found["examples"], json!(["all tenants never", tenant]));
    }

    async fn a_schema_that_lacks_steps_is_not_looked_into_and_a_newer_one_is(world: World) {
        drop(world.server().await);
        let newer = "m29990101_000001_later";
        execute(&world, &format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{newer}', 0)")).await;
        let found = complaint(&world, "warning").await;
        assert_eq!((&found["name"], &found["examples"]), (&json!("schema"), &json!([newer])));
        execute(&world, &format!("DELETE FROM seaql_migrations WHERE version IN ('{newer}', 'm20260301_000004_create_outbox')")).await;
        let found = complaint(&world, "failed").await;
        assert_eq!((&found["name"], &found["examples"]), (&json!("schema"), &json!(["m20260301_000004_create_outbox"])));
        let (_, report) = doctor(&world).await;
        assert_eq!(report["checks"].as_array().unwrap().last().unwrap()["name"], "schema");
    }

    async fn files_that_others_can_read_are_found(world: World) {
        let server = world.server().await;
        let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(&world.keys_file(), 0o644);
        assert_eq!(complaint(&world, "warning").await["name"], "key_file");
        mode(&world.keys_file(), 0o600);
        if let Some(file) = world.database_url().as_str().strip_prefix("sqlite://") {
            mode(file.as_ref(), 0o640);
            assert_eq!(complaint(&world, "failed").await["name"], "database_file");
            mode(file.as_ref(), 0o600);
            let folder = std::path::Path::new(file).parent().unwrap();
            mode(folder, 0o755);
            assert_eq!(complaint(&world, "warning").await["name"], "data_folder");
            mode(folder, 0o777);
            assert_eq!(complaint(&world, "failed").await["name"], "data_folder");
            mode(folder, 0o700);
        }
        assert_content(&world).await;
        drop(server);
        fs::remove_file(world.keys_file()).unwrap();
        let (exit_code, report) = doctor(&world).await;
        let failed: Vec<_> = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed").collect();
        assert_eq!(exit_code, 1);
        assert_eq!(failed.iter().map(|check| check["name"].as_str().unwrap()).collect::<Vec<_>>(), ["key_file", "key_ring"]);
        assert!(!world.keys_file().exists(), "it makes none");
    }

    async fn a_report_for_people_has_a_line_a_check_and_no_control_characters(world: World) {
        drop(world.server().await);
        let run = world.builder().args(["doctor"]).mail_url("console:").run().await;
        assert_eq!(run.exit_code, 0, "{run:?}");
        let lines: Vec<_> = run.stdout.lines().collect();
        assert!(lines.iter().any(|line| line.split_whitespace().eq(["uses_equal_redemptions", "ok"])), "{run:?}");
        let mail = lines.iter().position(|line| line.starts_with("mail ")).unwrap();
        assert!(lines[mail].contains("warning") && lines[mail + 1].contains("what to do: "), "{run:?}");
        assert!(lines.last().unwrap().ends_with("1 warning, 0 failed"), "{run:?}");
        assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\r'));
    }
}

#[tokio::test]
async fn a_postgres_that_may_forget_a_commit_is_found() {
    let world = World::postgres().await;
    let database = world.database_url().as_str().rsplit('/').next().unwrap();
    execute(&world, &format!("ALTER DATABASE {database} SET synchronous_commit = off")).await;
    drop(world.server().await);
    let found = complaint(&world, "failed").await;
    assert_eq!((&found["name"], &found["examples"]), (&json!("durability"), &json!(["synchronous_commit = off"])));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_a_complaint_and_is_not_made() {
    let world = World::sqlite().await;
    let (exit_code, report) = doctor(&world).await;
    assert_eq!(exit_code, 1);
    let last = report["checks"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["name"], &last["status"]), (&json!("database"), &json!("failed")));
    assert!(!std::path::Path::new(world.database_url().as_str().strip_prefix("sqlite://").unwrap()).exists());
    let gone = tenantry_tests::Server::builder().env("TENANTRY__DATABASE__URL", "postgres://me:s3cret@127.0.0.1:9/a");
    let run = gone.args(["doctor", "--json"]).run().await;
    assert_eq!(run.exit_code, 1);
    assert!(run.stdout.contains("no PostgreSQL answers") && !run.logs.contains("s3cret"), "{run:?}");
}

#[tokio::test]
async fn verbs_end_with_0_when_done_1_when_they_failed_and_2_when_called_wrongly() {
    let run = async |line: &str| {
        let run = tenantry_tests::Server::builder().args(line.split(' ')).run().await;
        (run.exit_code, run.stdout)
    };
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (exit_code, script) = run(&format!("completions {shell}")).await;
        assert!(exit_code == 0 && script.contains("doctor") && script.contains("bootstrap-link"), "{shell}: {script}");
    }
    assert_eq!(run("config check").await.0, 0);
    assert_eq!(run("config print").await.0, 0);
    assert_eq!(run("config check --bind nowhere").await.0, 1);
    assert_eq!(run("doctor --config /nowhere.toml").await.0, 1);
    for line in ["doctor --yaml", "doctor twice", "completions", "completions tcsh", "config", "serve", "--demo doctor"] {
        assert_eq!(run(line).await, (2, String::new()), "{line}");
    }
}
