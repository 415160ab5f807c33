//! One code activates one project, whoever races (attack 31, without the killing: that is in `crash`).

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_tests::{Api, on_both_databases};
use tokio::task::JoinSet;

/// The statuses of activating each project with the code that goes with it, all at once, over all servers in turn.
async fn race(clients: &[Api], projects: &[String], request: impl Fn(usize) -> Value) -> Vec<(String, tenantry_tests::Reply)> {
    let barrier = Arc::new(tokio::sync::Barrier::new(projects.len()));
    let mut racers = JoinSet::new();
    for (number, project) in projects.iter().cloned().enumerate() {
        let (client, barrier, request) = (clients[number % clients.len()].clone(), Arc::clone(&barrier), request(number));
        racers.spawn(async move {
            barrier.wait().await;
            let reply = client.activate(&project, &request).await;
            (project, reply)
        });
    }
    racers.join_all().await
}

fn count(replies: &[(String, tenantry_tests::Reply)], status: u16) -> usize {
    replies.iter().filter(|(_, reply)| reply.status == status).count()
}

async fn projects(api: &Api, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(api.create_project(&format!("Client {number}")).await["id"].as_str().unwrap().to_owned());
    }
    ids
}

on_both_databases! {
    async fn racing_activations_with_one_code_have_one_winner(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let clients: Vec<Api> = servers.iter().map(|server| acme.api.at(server.url())).collect();
        let ids = projects(&acme.api, 32).await;
        for code in &acme.codes[..3] {
            let replies = race(&clients, &ids, |_| json!({ "code": code })).await;
            let refused: Vec<_> = replies.iter().filter(|(_, reply)| reply.status == 409).collect();
            assert_eq!((count(&replies, 200), refused.len()), (1, 31), "{replies:?}");
        }
        let usage = acme.api.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!((&usage["used_this_month"], &usage["codes"]["exhausted"]), (&json!(3), &json!(3)));
    }

    async fn a_code_for_three_projects_has_three_winners(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let tenant_id = acme.tenant["id"].as_str().unwrap();
        let codes = world.admin(&servers[0]).issue_codes(tenant_id, &json!({ "count": 1, "max_uses": 3 })).await;
        let clients: Vec<Api> = servers.iter().map(|server| acme.api.at(server.url())).collect();
        let replies = race(&clients, &projects(&acme.api, 24).await, |_| json!({ "code": codes[0] })).await;
        assert_eq!((count(&replies, 200), count(&replies, 409)), (3, 21), "{replies:?}");
    }

    async fn racing_repeats_of_one_activation_all_succeed_and_take_one_code(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let clients: Vec<Api> = servers.iter().map(|server| acme.api.at(server.url())).collect();
        for request in [json!({ "code": acme.codes[0] }), json!({})] {
            let id = projects(&acme.api, 1).await.remove(0);
            let replies = race(&clients, &vec![id; 16], |_| request.clone()).await;
            assert_eq!(count(&replies, 200), 16, "{replies:?}");
            assert!(replies.iter().all(|(_, reply)| reply.body == replies[0].1.body));
        }
        let usage = acme.api.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!((&usage["used_this_month"], &usage["codes"]["exhausted"]), (&json!(2), &json!(2)));
    }

    async fn racing_calls_for_the_next_code_each_get_their_own(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let clients: Vec<Api> = servers.iter().map(|server| acme.api.at(server.url())).collect();
        let replies = race(&clients, &projects(&acme.api, 10).await, |_| json!({})).await;
        assert_eq!(count(&replies, 200), 10, "{replies:?}");
        let used: std::collections::HashSet<_> = replies.iter().map(|(_, reply)| reply.text_at("/activation_code_id")).collect();
        assert_eq!(used.len(), 10);
    }

    async fn racing_calls_share_the_uses_of_one_code(world: World) {
        let servers = world.servers().await;
        let admin = world.admin(&servers[0]);
        let plan = admin.create_plan("Plan", 130).await;
        let (tenant, _) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        let acme = servers[0].api().sign_in("acme", "ops@acme.example", world.mail()).await;
        // All but one code with many uses are taken.
        for project in projects(&acme, 13).await {
            acme.activate(&project, &json!({})).await.expect(200);
        }
        admin.issue_codes(tenant["id"].as_str().unwrap(), &json!({ "count": 1, "max_uses": 10 })).await;
        let clients: Vec<Api> = servers.iter().map(|server| acme.at(server.url())).collect();
        let replies = race(&clients, &projects(&acme, 12).await, |_| json!({})).await;
        assert_eq!((count(&replies, 200), count(&replies, 409)), (10, 2), "{replies:?}");
    }

    async fn the_month_ends_at_the_quota_whoever_races(world: World) {
        let servers = world.servers().await;
        let admin = world.admin(&servers[0]);
        let plan = admin.create_plan("Three", 3).await;
        let (tenant, _) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        admin.issue_codes(tenant["id"].as_str().unwrap(), &json!({ "count": 20 })).await;
        let acme = servers[0].api().sign_in("acme", "ops@acme.example", world.mail()).await;
        let clients: Vec<Api> = servers.iter().map(|server| acme.at(server.url())).collect();
        let replies = race(&clients, &projects(&acme, 12).await, |_| json!({})).await;
        assert_eq!((count(&replies, 200), count(&replies, 403)), (3, 9), "{replies:?}");
        let usage = acme.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!((&usage["used_this_month"], &usage["codes"]["exhausted"]), (&json!(3), &json!(3)), "a refused activation takes no code");
        let ledger = world.rows("SELECT 1 AS one FROM redemptions WHERE returned_at IS NULL").await;
        let usage = world.rows("SELECT activations FROM usage_months").await;
        assert_eq!((ledger.len(), &usage), (3, &vec![json!({ "activations": 3 })]), "usage and ledger add up");
    }

    async fn a_foreign_code_is_unknown_however_it_stands(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let short = admin.issue_codes(beta.tenant["id"].as_str().unwrap(), &json!({ "count": 1, "ttl_seconds": 1 })).await;
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let project = acme.api.create_project("Client").await;
        acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": short[0] })).await.expect_problem(422, "code_unknown");
    }

    async fn a_refused_activation_says_why_and_leaves_the_code_unused(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let id = &projects(&acme.api, 1).await[0];
        let try_code = async |code: &str| acme.api.activate(id, &json!({ "code": code })).await;
        try_code("12RY-S55W-4MZR-KP2K").await.expect_problem(422, "code_malformed");
        try_code("12RY-S55W-4MZR-KP2J").await.expect_problem(422, "code_unknown");
        try_code(&beta.codes[0]).await.expect_problem(422, "code_unknown");
        let short = admin.issue_codes(acme.tenant["id"].as_str().unwrap(), &json!({ "count": 1, "ttl_seconds": 1 })).await;
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        try_code(&short[0]).await.expect_problem(409, "code_expired");
        let both = json!({ "code": acme.codes[0], "activation_code_id": beta.tenant["activation_codes"][0]["id"] });
        acme.api.activate(id, &both).await.expect_problem(422, "validation_failed");
        let foreign = json!({ "activation_code_id": beta.tenant["activation_codes"][0]["id"] });
        acme.api.activate(id, &foreign).await.expect_problem(422, "code_unknown");
        acme.api.activate("prj_00000000000000000000000000000000", &json!({})).await.expect_problem(404, "not_found");
        for tenant in [&acme, &beta] {
            let usage = tenant.api.get("/api/tenant/usage").await.expect(200).body;
            assert_eq!((&usage["codes"]["active"], &usage["codes"]["exhausted"]), (&json!(10), &json!(0)));
        }
        try_code(&acme.codes[0]).await.expect(200);
        try_code(&acme.codes[1]).await.expect_problem(409, "project_already_active");
    }
}
