//! The database knows its keys: by another ring nothing is made, and nobody has to find out from codes that look unknown.

use std::fs;

use serde_json::{Value, json};
use tenantry_auth::KeyRing;
use tenantry_domain::{KeyId, SystemEntropy};
use tenantry_tests::{DatabaseUrl, Finished, ServerBuilder, World, database, on_both_databases};

const FOREIGN: &str = "isn't the one that this database's codes and tokens were made with";

/// A line of a key ring, with a key that nobody has.
fn line(id: &str) -> String {
    KeyRing::generate_line(&KeyId::parse(id).unwrap(), &SystemEntropy).to_string()
}

fn put(world: &World, ring: &str) {
    fs::write(world.keys_file(), ring).unwrap();
}

async fn run(world: &World, arguments: &str) -> Finished {
    world.builder().args(arguments.split(' ')).run().await
}

async fn refusal(server: ServerBuilder) -> String {
    let refused = server.try_start().await.err().expect("a refusal");
    assert_eq!(refused.exit_code, 1, "{refused:?}");
    refused.logs
}

/// The checks of the doctor that aren't content.
async fn complaints(world: &World) -> Vec<(String, String)> {
    let run = run(world, "doctor --json").await;
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no report: {run:?}"));
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] != "ok");
    checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())).collect()
}

async fn known(world: &World) -> Vec<String> {
    let rows = world.rows("SELECT key_id FROM signing_keys ORDER BY key_id").await;
    rows.iter().map(|row| row["key_id"].as_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn another_key_ring_is_refused_by_all_that_makes_or_looks_for_something(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        drop(server);
        let ours = fs::read_to_string(world.keys_file()).unwrap();

        // The same name before another key, alone and behind a new key; and a ring that has nothing in common with the database's.
        for (ring, why) in [
            (line("k1"), "its key k1 is another key than the k1 that the database has known since 2"),
            (format!("{}{}", line("k2"), line("k1")), "its key k1 is another key"),
            (line("k2"), "it has none of the keys that the database knows, which are k1"),
            (ours.replace("k1:", "main:"), "its key main is the one that the database knows as k1"),
        ] {
            put(&world, &ring);
            let said = refusal(world.builder()).await;
            assert!(said.contains(FOREIGN) && said.contains(why) && said.contains("TENANTRY__KEYS__FILE"), "{said}");
            let found = complaints(&world).await;
            let (name, detail) = found.iter().find(|(name, _)| name == "signing_keys").unwrap_or_else(|| panic!("{found:?}"));
            assert!(detail.contains(FOREIGN) && detail.contains(why), "{name}: {detail}");
            let listed = run(&world, "keys list").await;
            assert!(listed.exit_code == 0 && listed.logs.contains(why), "{listed:?}");
            for verb in ["keys rotate", "keys promote", "bootstrap-link --recover"] {
                let refused = run(&world, verb).await;
                assert!(refused.exit_code == 1 && refused.logs.contains(why), "{verb}: {refused:?}");
            }
            assert_eq!(fs::read_to_string(world.keys_file()).unwrap(), ring, "it is as it was");
            assert_eq!(known(&world).await, ["k1"]);
        }

        put(&world, &ours);
        let server = world.server().await;
        acme.api.at(server.url()).get("/api/tenant/auth/session").await.expect(200);
        assert_eq!(complaints(&world).await, []);
    }

    /// In development a server makes its ring; not beside a database whose codes it wouldn't know.
    async fn no_key_ring_is_made_beside_a_database_that_knows_its_keys(world: World) {
        drop(world.server().await);
        let ours = fs::read_to_string(world.keys_file()).unwrap();
        fs::remove_file(world.keys_file()).unwrap();
        let start = refusal(world.builder()).await;
        let link = run(&world, "bootstrap-link").await;
        for said in [start, link.logs] {
            assert!(said.contains("is missing") && said.contains("it knows k1") && said.contains("TENANTRY__KEYS__FILE"), "{said}");
        }
        assert!(!world.keys_file().exists());
        put(&world, &ours);
        drop(world.server().await);
    }

    /// The way on for whoever has lost the ring for good.
    async fn a_new_key_ring_is_accepted_by_hand_and_the_doctor_says_what_is_lost(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        drop(server);
        put(&world, &line("k1"));
        let refused = run(&world, "keys accept").await;
        assert!(refused.exit_code == 1 && refused.logs.contains(FOREIGN), "a name goes to no other key: {refused:?}");
        put(&world, &line("k2"));
        let accepted = run(&world, "keys accept").await;
        assert!(accepted.exit_code == 0 && accepted.stdout.contains("knows k2 of"), "{accepted:?}");
        let again = run(&world, "keys accept").await;
        assert!(again.exit_code == 0 && again.stdout.contains("every key"), "{again:?}");
        let found: Vec<_> = complaints(&world).await.into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["key_ids"], "codes by k1");

        let server = world.server().await;
        let events = world.admin(&server).get("/api/admin/events?action=keys.accepted").await.expect(200).body;
        assert_eq!((events["items"].as_array().unwrap().len(), &events["items"][0]["details"]["keys"]), (1, &json!("k2")));
        acme.api.at(server.url()).get("/api/tenant/auth/session").await.expect_problem(401, "unauthenticated");
        let api = server.api().sign_in("acme", &acme.email, world.mail()).await;
        let project = api.create_project("Client").await;
        let code = json!({ "code": acme.codes[0] });
        api.activate(project["id"].as_str().unwrap(), &code).await.expect_problem(422, "code_unknown");
    }

    /// A database from before keys were known takes those of the first start; a rotation brings its own, in whichever order it is done.
    async fn a_start_brings_the_keys_that_are_new(world: World) {
        drop(world.server().await);
        database::execute(world.database_url(), "DELETE FROM signing_keys").await.unwrap();
        drop(world.server().await);
        assert_eq!(known(&world).await, ["k1"]);
        assert_eq!(run(&world, "keys rotate").await.exit_code, 0);
        let promoted = run(&world, "keys promote").await;
        assert!(promoted.exit_code == 0 && promoted.logs.contains("No server was started with k2"), "{promoted:?}");
        drop(world.server().await);
        assert_eq!(run(&world, "keys rotate").await.exit_code, 0);
        drop(world.server().await);
        assert_eq!(known(&world).await, ["k1", "k2", "k3"]);
        let promoted = run(&world, "keys promote").await;
        assert!(promoted.exit_code == 0 && !promoted.logs.contains("No server"), "{promoted:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_that_start_at_once_on_a_new_database_with_two_rings_one_is_refused() {
    for ids in [["k1", "k1"], ["k1", "a1"]] {
        let world = World::postgres().await;
        let start = async |id: &str, name: &str| {
            let file = world.keys_file().with_file_name(name);
            fs::write(&file, line(id)).unwrap();
            world.builder().keys_file(&file).try_start().await
        };
        let (one, other) = tokio::join!(start(ids[0], "one"), start(ids[1], "other"));
        let refused = match (one, other) {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
            (Ok(_), Ok(_)) => panic!("both serve, by {ids:?}"),
            (Err(one), Err(other)) => panic!("neither serves: {one:?}, {other:?}"),
        };
        assert!(refused.logs.contains(FOREIGN), "{refused:?}");
        assert_eq!(known(&world).await.len(), 1);
    }
}

#[tokio::test]
async fn a_restore_says_that_the_key_ring_is_not_the_backups() {
    let world = World::sqlite().await;
    drop(world.server().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    let file = file.to_str().unwrap();
    assert_eq!(run(&world, &format!("backup {file}")).await.exit_code, 0);
    let elsewhere = DatabaseUrl::sqlite(&folder.path().join("elsewhere/tenantry.db"));
    let restore = async |more: &str| {
        let arguments = format!("restore {file}{more}");
        let run = world.builder().database_url(&elsewhere).args(arguments.split(' ')).run().await;
        assert_eq!(run.exit_code, 0, "{run:?}");
        run.logs
    };
    assert!(!restore("").await.contains(FOREIGN));
    put(&world, &line("k1"));
    let said = restore(" --yes").await;
    assert!(said.contains("No server starts with this") && said.contains(FOREIGN), "{said}");
    assert!(refusal(world.builder().database_url(&elsewhere)).await.contains(FOREIGN));
}
