//! An older portal's database is brought over: once, whole, with a report of what isn't, and its codes go on.

mod interleaved;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tenantry_migration::Alone;
use tenantry_tests::{DatabaseUrl, PostgresCluster, World, binaries, database, on_both_databases};

const INTEGERS: &str = include_str!("adoption/integers.sql");
const WORDS: &str = include_str!("adoption/words.sql");
const PEPPER: &str = "pepper-canary-1f9c";

/// A world whose database and key ring are there, and an older portal.
struct Adoption<'a> {
    world: &'a World,
    older: DatabaseUrl,
}

impl<'a> Adoption<'a> {
    async fn of(world: &'a World, portal: &str) -> Self {
        drop(world.server().await);
        let older = PostgresCluster::shared().await.database().await;
        database::execute(&older, portal).await.unwrap();
        Self { world, older }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.keys_file().with_file_name(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binaries::without_settings(Command::new(binaries::migrator()));
        command.args(["adopt", "--from", self.older.as_str(), "--to", self.world.database_url().as_str()]);
        command.arg("--keys-file").arg(self.world.keys_file()).arg("--report").arg(self.file("report.json"));
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it, which must end well; its report.
    fn report(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&fs::read(self.file("report.json")).unwrap()).unwrap()
    }

    async fn count(&self, table: &str) -> i64 {
        let rows = self.world.rows(&format!("SELECT 1 AS there FROM {table}")).await;
        i64::try_from(rows.len()).unwrap()
    }

    /// Runs the doctor of servers that know the pepper, or don't; the names of what isn't well.
    async fn doctor(&self, pepper: Option<&str>) -> Vec<String> {
        let builder = match pepper {
            Some(pepper) => self.world.builder().env("TENANTRY__KEYS__LEGACY_PEPPER", pepper),
            None => self.world.builder(),
        };
        let run = builder.args(["doctor", "--json"]).run().await;
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let wrong = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] != "ok");
        wrong.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// The tables' counts: found, before, taken, changed, refused.
fn counts(report: &Value) -> Vec<[u64; 5]> {
    let count = |table: &Value| ["found", "before", "taken", "changed", "refused"].map(|name| table[name].as_u64().unwrap());
    report["tables"].as_array().unwrap().iter().map(count).collect()
}

/// The keys of a table's rows with an outcome.
fn keys<'r>(report: &'r Value, table: &str, outcome: &str) -> BTreeSet<&'r str> {
    let its = |row: &&Value| row["table"] == table && row["outcome"] == outcome;
    report["rows"].as_array().unwrap().iter().filter(its).map(|row| row["key"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn an_older_portal_is_adopted_once_and_all_that_can_not_be_taken_is_told(world: World) {
        let adoption = Adoption::of(&world, INTEGERS).await;
        let dry = adoption.report(&[]);
        assert_eq!(dry["applied"], false);
        let found = [[4, 0, 2, 0, 2], [6, 0, 2, 1, 4], [6, 0, 2, 1, 4], [10, 0, 6, 1, 4], [8, 0, 5, 2, 3]];
        assert_eq!(counts(&dry), found, "{dry:#}");
        for (table, refused) in [
            ("plans", &["2", "4"][..]),
            ("tenants", &["2", "3", "5", "6"]),
            ("subscriptions", &["1", "3", "5", "6"]),
            ("activation_codes", &["10", "6", "7", "9"]),
            ("llm_project_config", &["6", "7", "8"]),
        ] {
            assert_eq!(keys(&dry, table, "refused"), refused.iter().copied().collect(), "{table}: {dry:#}");
        }
        assert_eq!(keys(&dry, "tenants", "changed"), ["4"].into());
        assert_eq!(keys(&dry, "activation_codes", "changed"), ["3"].into(), "used, and no project says so");
        assert_eq!(keys(&dry, "llm_project_config", "changed"), ["2", "5"].into(), "one code for two projects, one without a tenant");
        for table in ["tenants", "plans", "activation_codes", "llm_project_config", "adopted_rows"] {
            assert_eq!(adoption.count(table).await, 0, "a dry run wrote to {table}");
        }

        let applied = adoption.report(&["--apply"]);
        assert_eq!(applied["rows"], dry["rows"], "it did what it said");
        assert_eq!(counts(&applied), found);
        assert_eq!(adoption.doctor(Some(PEPPER)).await, [""; 0]);
        assert_eq!(adoption.doctor(None).await, ["adopted_codes"]);

        let again = adoption.report(&["--apply"]);
        let before = [[4, 2, 0, 0, 2], [6, 2, 0, 0, 4], [6, 2, 0, 0, 4], [10, 6, 0, 0, 4], [8, 5, 0, 0, 3]];
        assert_eq!(counts(&again), before, "{again:#}");
        for (table, rows) in [("tenants", 2), ("plans", 2), ("activation_codes", 6), ("llm_project_config", 5), ("redemptions", 2)] {
            assert_eq!(adoption.count(table).await, rows, "{table}");
        }

        // Under another name the same codes come again, by another key: each would be good twice.
        for verb in ["rotate", "promote"] {
            assert_eq!(world.builder().args(["keys", verb]).run().await.exit_code, 0);
        }
        let renamed = "UPDATE plans SET name = name || ' 2'; UPDATE tenants SET slug = slug || '-2'";
        database::execute(&adoption.older, renamed).await.unwrap();
        let second = adoption.report(&["--apply", "--source", "second"]);
        assert_eq!(second["tables"][1]["taken"], 2, "{second:#}");
        assert_eq!(second["tables"][3]["taken"], 0, "{second:#}");
        let same = second["rows"].as_array().unwrap().iter().filter(|row| row["reason"] == "hash: a code of Tenantry has the same one");
        assert_eq!(same.count(), 6, "{second:#}");
        assert_eq!(adoption.count("activation_codes").await, 6);
        assert_eq!(adoption.doctor(Some(PEPPER)).await, [""; 0]);

        let stolen = world.stolen_database();
        assert!(!stolen.contains("LULU-2345") && !stolen.contains(PEPPER));
        assert!(!String::from_utf8(fs::read(adoption.file("report.json")).unwrap()).unwrap().contains("LULU"));
    }

    async fn adopted_codes_go_on_by_their_old_texts(world: World) {
        let adoption = Adoption::of(&world, INTEGERS).await;
        adoption.report(&["--apply"]);
        let server = world.builder().env("TENANTRY__KEYS__LEGACY_PEPPER", PEPPER).start().await;
        let admin = world.admin(&server);
        let acme = server.api().sign_in("acme", "it@acme.example", world.mail()).await;

        let own = acme.get("/api/tenant/projects").await.expect(200).body;
        let slugs: BTreeSet<_> = own["items"].as_array().unwrap().iter().map(|it| it["project_id"].as_str().unwrap()).collect();
        assert_eq!(slugs, ["Site_One", "site-two", "site-three"].into());
        let waiting = own["items"].as_array().unwrap().iter().find(|it| it["project_id"] == "site-three").unwrap()["id"].as_str().unwrap();
        let legacy = admin.get("/api/admin/projects?tenant=none").await.expect(200).body;
        assert_eq!(legacy["items"].as_array().unwrap().len(), 2);

        let refused = |text: &str| {
            let body = json!({ "code": text });
            let acme = acme.clone();
            async move { acme.activate(waiting, &body).await }
        };
        refused("lulu 2345 abcd efgj").await.expect_problem(409, "code_exhausted");
        refused("LULU-2345-ABCD-EFGK").await.expect_problem(409, "code_exhausted");
        refused("LULU-2345-ABCD-EFGL").await.expect_problem(409, "code_revoked");
        refused("LULU-2345-ABCD-EFGM").await.expect_problem(409, "code_expired");
        let another = refused("LULU-2345-ABCD-EFGQ").await.expect_problem(422, "code_unknown").body;
        let nobodys = refused("LULU-2345-ABCD-EFG9").await.expect_problem(422, "code_unknown").body;
        let but = |body: &Value| {
            let mut body = body.clone();
            body.as_object_mut().unwrap().remove("instance");
            body
        };
        assert_eq!(but(&another), but(&nobodys), "a stranger's old code is as good as none");
        // What no portal ever issued is malformed as ever: a check symbol that doesn't fit, beside symbols that the older one never used.
        refused("12RY-S55W-4MZR-KP2K").await.expect_problem(422, "code_malformed");

        let active = refused(" lulu2345 abcd-efgh ").await.expect(200).body;
        assert_eq!(active["project_status"], "active");
        assert_eq!(refused("LULU-2345-ABCD-EFGH").await.expect(200).body["id"], active["id"], "asked again");
        let other = acme.create_project("Another").await;
        acme.activate(other["id"].as_str().unwrap(), &json!({ "code": "LULU-2345-ABCD-EFGH" })).await.expect_problem(409, "code_exhausted");
        let used = world.rows("SELECT activations FROM usage_months ORDER BY year DESC, month DESC").await;
        assert_eq!(used[0]["activations"], 2, "one that was adopted, and this one");
        assert_eq!(adoption.doctor(Some(PEPPER)).await, [""; 0]);
        drop(server);

        // New codes, for what follows, and a key that was rotated in.
        let run = world.builder().args(["keys", "rotate"]).run().await;
        assert_eq!(run.exit_code, 0, "{run:?}");
        let run = world.builder().args(["keys", "promote"]).run().await;
        assert_eq!(run.exit_code, 0, "{run:?}");
        let run = world.builder().args(["keys", "list"]).run().await;
        assert!(run.stdout.lines().any(|line| line.starts_with("k1") && line.contains("4 adopted codes")), "{run:?}");

        // Without the pepper the server says so once, and old texts are unknown rather than mistyped.
        let server = world.server().await;
        assert!(server.logs().contains("adopted from an older portal"), "{}", server.logs());
        let acme = server.api().sign_in("acme", "it@acme.example", world.mail()).await;
        let id = other["id"].as_str().unwrap();
        acme.activate(id, &json!({ "code": "LULU-2345-ABCD-EFGH" })).await.expect_problem(422, "code_unknown");
        acme.activate(id, &json!({ "code": "12RY-S55W-4MZR-KP2K" })).await.expect_problem(422, "code_malformed");
    }

    async fn another_portal_with_other_columns_is_adopted_too(world: World) {
        let adoption = Adoption::of(&world, WORDS).await;
        // More than are read, and more than are written, at once.
        let many = "INSERT INTO activation_codes (id, tenant_id, code_hash, status, max_uses, use_count, created_at)
            SELECT 1000 + n, tenant_id, sha256(convert_to('many' || n, 'UTF8')), 'used', 1, 1, created_at
            FROM activation_codes, generate_series(1, 5100) AS n WHERE id = 1";
        database::execute(&adoption.older, many).await.unwrap();
        let pepper = adoption.write("pepper", &format!("{PEPPER}\n"));
        let sample = adoption.write("sample", "wxyz 2345 abcd efgh\n\nWXYZ-2345-ABCD-EFGK\n");
        let tried = adoption.report(&["--apply", "--pepper-file", &pepper, "--sample", &sample]);
        assert!(tried["notes"][0].as_str().unwrap().contains("finds all 2 codes"), "{tried:#}");
        assert_eq!(counts(&tried), [[1, 0, 1, 0, 0], [2, 0, 1, 0, 1], [0, 0, 0, 0, 0], [5105, 0, 5104, 5101, 1], [2, 0, 2, 0, 0]]);
        assert_eq!(keys(&tried, "activation_codes", "refused"), ["5"].into());
        assert_eq!(adoption.doctor(Some(PEPPER)).await, [""; 0]);
        assert_eq!(counts(&adoption.report(&["--apply"]))[3], [5105, 5104, 0, 0, 1]);
        assert_eq!(adoption.count("redemptions").await, 5103, "used as often as there");

        let server = world.builder().env("TENANTRY__KEYS__LEGACY_PEPPER", PEPPER).start().await;
        let initech = server.api().sign_in("initech", "it@initech.example", world.mail()).await;
        let printer = initech.get("/api/tenant/projects").await.expect(200).body["items"][0].clone();
        assert_eq!((&printer["project_status"], &printer["priority"]), (&json!("active"), &json!("3")));
        assert!(printer["activation_code_id"].is_string(), "the code says which project used it: {printer:#}");
        for name in ["One", "Two", "Three"] {
            let project = initech.create_project(name).await;
            let code = json!({ "code": "wxyz2345abcdefgh" });
            initech.activate(project["id"].as_str().unwrap(), &code).await.expect(200);
        }
        assert_eq!(adoption.doctor(Some(PEPPER)).await, [""; 0]);
    }
}

fn refused(output: &Output, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(reason) && !said.contains("postgres-canary"), "{reason}: {output:?}");
}

#[tokio::test]
async fn what_can_not_work_is_refused_before_anything_is_written() {
    let world = World::sqlite().await;
    let adoption = Adoption::of(&world, INTEGERS).await;
    let pepper = adoption.write("pepper", "another");
    let sample = adoption.write("sample", "LULU-2345-ABCD-EFGH\n");
    refused(&adoption.run(&["--apply", "--pepper-file", &pepper, "--sample", &sample]), "1 of the 1 codes of the sample");
    fs::set_permissions(world.keys_file(), fs::Permissions::from_mode(0o644)).unwrap();
    refused(&adoption.run(&["--apply"]), "chmod 600");
    fs::set_permissions(world.keys_file(), fs::Permissions::from_mode(0o600)).unwrap();
    let ours = fs::read_to_string(world.keys_file()).unwrap();
    fs::write(world.keys_file(), "k1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA\n").unwrap();
    refused(&adoption.run(&["--apply"]), "its key k1 is another key");
    refused(&adoption.run(&[]), "its key k1 is another key");
    fs::write(world.keys_file(), ours).unwrap();
    database::execute(&adoption.older, "ALTER TABLE activation_codes RENAME COLUMN code_hash TO secret").await.unwrap();
    refused(&adoption.run(&["--apply"]), "activation_codes: code_hash");
    let own = Adoption { world: &world, older: PostgresCluster::shared().await.migrated_database().await };
    refused(&own.run(&[]), "a database of Tenantry");
    database::execute(&adoption.older, "ALTER TABLE activation_codes RENAME COLUMN secret TO code_hash").await.unwrap();
    let alone = Alone::on(world.database_url().as_str()).await.unwrap();
    refused(&adoption.run(&["--apply"]), "another tenantry-migrator is at work");
    drop(alone);
    database::execute(world.database_url(), "CREATE TABLE tenantry_copy (source)").await.unwrap();
    refused(&adoption.run(&[]), "an unfinished copy");
    database::execute(world.database_url(), "DROP TABLE tenantry_copy").await.unwrap();
    let sqlite = Adoption { world: &world, older: world.database_url().clone() };
    refused(&sqlite.run(&[]), "an older portal is a PostgreSQL database");
    assert_eq!(adoption.count("adopted_rows").await, 0);
}
