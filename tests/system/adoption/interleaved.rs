//! Adoptions, and activations with what was adopted, on PostgreSQL in an order that the test decides: somebody holds what they come to wait for.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, Database, TransactionTrait as _};
use serde_json::json;
use tenantry_tests::{Api, PostgresCluster, World, database};
use tokio::task::JoinSet;

use super::{Adoption, INTEGERS, PEPPER, counts, refused};

/// Waits until there are so many sessions of the world's database of which this is true.
async fn until(world: &World, wanted: usize, condition: &str) {
    let seen = format!("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {condition}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.rows(&seen).await.len() != wanted {
        assert!(Instant::now() < deadline, "there are never {wanted}: {condition}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const WAITS: &str = "wait_event_type = 'Lock'";

/// The statuses of activating eight new projects with one code, over the servers in turn. All have come to wait for the code before any goes on.
async fn race(world: &World, clients: &[Api], code: &str) -> Vec<u16> {
    let mut projects = Vec::new();
    for racer in 0..8 {
        projects.push(clients[0].create_project(&format!("Racer {racer}")).await["id"].as_str().unwrap().to_owned());
    }
    let holder = Database::connect(world.database_url().as_str()).await.unwrap();
    let held = holder.begin().await.unwrap();
    held.execute_unprepared("SELECT id FROM activation_codes FOR UPDATE").await.unwrap();
    let mut racers = JoinSet::new();
    for (project, client) in projects.into_iter().zip(clients.iter().cycle().cloned()) {
        let request = json!({ "code": code });
        racers.spawn(async move { client.activate(&project, &request).await.status });
    }
    until(world, 8, WAITS).await;
    held.rollback().await.unwrap();
    holder.close().await.unwrap();
    let mut statuses = racers.join_all().await;
    statuses.sort_unstable();
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adopted_codes_that_are_raced_for_over_two_servers_have_one_winner_each() {
    let world = World::postgres().await;
    let adoption = Adoption::of(&world, INTEGERS).await;
    let second = "INSERT INTO activation_codes (id, tenant_id, code_hash, is_used, is_revoked, created_at)
        VALUES (11, 1, older('LULU-2345-ABCD-EFGR'), false, false, '2025-04-01 10:00:00')";
    database::execute(&adoption.older, second).await.unwrap();
    adoption.report(&["--apply"]);
    // By the key that signs a code is used in one step. By a former one it is so in several, and goes over to the one that signs.
    for (code, rotates) in [("LULU-2345-ABCD-EFGH", false), ("LULU-2345-ABCD-EFGR", true)] {
        for verb in ["rotate", "promote"].into_iter().filter(|_| rotates) {
            assert_eq!(world.builder().args(["keys", verb]).run().await.exit_code, 0);
        }
        let servers = world.servers_with(|server| server.env("TENANTRY__KEYS__LEGACY_PEPPER", PEPPER)).await;
        assert_eq!(servers.len(), 2);
        let acme = servers[0].api().sign_in("acme", "it@acme.example", world.mail()).await;
        let clients: Vec<Api> = servers.iter().map(|server| acme.at(server.url())).collect();
        let before = adoption.count("llm_project_config WHERE project_status = 'active'").await;
        assert_eq!(race(&world, &clients, code).await, [&[200][..], &[409; 7]].concat(), "{code}");
        assert_eq!(adoption.count("llm_project_config WHERE project_status = 'active'").await, before + 1, "{code}");
    }
    assert_eq!(adoption.count("activation_codes WHERE key_id = 'legacy.k2' AND use_count = 1").await, 1, "it went over");
    assert_eq!(adoption.doctor(Some(PEPPER)).await, [""; 0]);
}

#[tokio::test]
async fn an_adoption_that_is_killed_goes_on_where_it_was() {
    let world = World::postgres().await;
    let adoption = Adoption::of(&world, INTEGERS).await;
    // Somebody holds the slug of the last tenant: the adoption waits there, plans and the first tenant behind it.
    let mut psql = std::process::Command::new(PostgresCluster::program("psql"));
    let mut holder = psql.arg(world.database_url().as_str()).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let hold = "BEGIN; INSERT INTO tenants (id, slug, name, contact_email, created_at, updated_at)
        VALUES ('018bcfe5-6800-7000-8000-00000000000a', 'globex', 'x', 'x@x.example', now(), now());\n";
    std::io::Write::write_all(holder.stdin.as_mut().unwrap(), hold.as_bytes()).unwrap();
    until(&world, 1, "state = 'idle in transaction' AND application_name = 'psql'").await;
    let mut killed: Child = adoption.command(&["--apply"]).stdout(Stdio::null()).spawn().unwrap();
    until(&world, 1, WAITS).await;
    refused(&adoption.run(&["--apply"]), "another tenantry-migrator is at work");
    assert!(adoption.run(&[]).status.success(), "whoever only looks may");
    killed.kill().unwrap();
    killed.wait().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    until(&world, 0, "pid <> pg_backend_pid()").await;
    let halfway = adoption.count("tenants").await;
    assert_eq!((halfway, adoption.count("redemptions").await), (1, 2), "the first tenant is whole");
    assert_eq!(adoption.doctor(Some(PEPPER)).await, ["unfinished_adoption"]);

    let rest = counts(&adoption.report(&["--apply"]));
    assert_eq!(rest[1][..3], [6, 1, 1], "{rest:?}");
    assert_eq!(rest[3][..3], [10, 5, 1], "{rest:?}");
    assert_eq!(adoption.count("activation_codes").await, 6);
    assert_eq!(adoption.doctor(Some(PEPPER)).await, [""; 0]);
}
