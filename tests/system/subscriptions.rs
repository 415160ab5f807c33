//! Subscriptions: what each state lets a tenant do, who may set them, and that nobody acts on one that is no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, SignedIn, World, on_both_databases};
use tokio::{sync::Barrier, task::JoinSet};

fn path(tenant: &Value) -> String {
    format!("/api/admin/tenants/{}/subscription", tenant["id"].as_str().unwrap())
}

async fn set_state(admin: &Api, acme: &SignedIn, state: &str) -> Reply {
    let plan_id = &acme.tenant["subscription"]["plan_id"];
    admin.put(&path(&acme.tenant), &json!({ "plan_id": plan_id, "state": state })).await
}

fn id(project: &Value) -> &str {
    project["id"].as_str().unwrap()
}

/// The status of each thing that a tenant may want to do, tried on a project that stands as it must.
async fn tried(acme: &SignedIn, projects: &[Value; 4]) -> [(&'static str, Reply); 9] {
    let [active, paused, pending, spare] = projects.each_ref().map(|project| format!("/api/tenant/projects/{}", id(project)));
    let api = &acme.api;
    [
        ("create", api.post("/api/tenant/projects", &json!({ "client_name": "More" })).await),
        ("activate", api.activate(id(&projects[2]), &json!({})).await),
        ("change", api.patch(&pending, &json!({ "priority": "high" })).await),
        ("replace", api.put(&pending, &json!({ "client_name": "Changed" })).await),
        ("resume", api.post(&format!("{paused}/resume"), &json!({})).await),
        ("pause", api.post(&format!("{active}/pause"), &json!({})).await),
        ("complete", api.post(&format!("{paused}/complete"), &json!({})).await),
        ("delete", api.delete(&spare).await),
        ("profile", api.patch("/api/tenant/profile", &json!({ "name": format!("Renamed {}", acme.email) })).await),
    ]
}

/// A tenant with a project that is active, one that is paused, and two that are pending.
async fn tenant_with_projects(world: &World, server: &tenantry_tests::Server, slug: &str) -> (SignedIn, [Value; 4]) {
    let acme = world.tenant(server, slug).await;
    let mut projects = [Value::Null, Value::Null, Value::Null, Value::Null];
    for project in &mut projects {
        *project = acme.api.create_project("Client").await;
    }
    for project in &projects[..2] {
        acme.api.activate(id(project), &json!({})).await.expect(200);
    }
    acme.api.post(&format!("/api/tenant/projects/{}/pause", id(&projects[1])), &json!({})).await.expect(200);
    (acme, projects)
}

on_both_databases! {
    async fn each_state_lets_a_tenant_do_what_the_table_says(world: World) {
        const OK: [u16; 9] = [201, 200, 200, 200, 200, 200, 200, 204, 200];
        const GO_ON: [u16; 9] = [403, 403, 200, 200, 200, 200, 200, 204, 200];
        const READ_ONLY: [u16; 9] = [403; 9];
        // Trying out is everything, with one project: these tenants have four.
        const TRIAL: [u16; 9] = [403, 200, 200, 200, 200, 200, 200, 204, 200];
        let server = world.server().await;
        let admin = world.admin(&server);
        for (state, expected) in [
            ("active", OK), ("trialing", TRIAL), ("past_due", GO_ON), ("unpaid", READ_ONLY), ("canceled", READ_ONLY), ("suspended", READ_ONLY),
        ] {
            let (acme, projects) = tenant_with_projects(&world, &server, &state.replace('_', "-")).await;
            assert_eq!(set_state(&admin, &acme, state).await.expect(200).body["state"], state);
            let before = acme.api.get("/api/tenant/projects").await.expect(200).body;
            let replies = tried(&acme, &projects).await;
            let statuses = replies.each_ref().map(|(_, reply)| reply.status);
            assert_eq!(statuses, expected, "{state}: {replies:?}");
            for (action, reply) in replies.into_iter().filter(|(_, reply)| reply.status == 403) {
                let code = if (state, action) == ("trialing", "create") { "quota_exceeded" } else { "subscription_inactive" };
                reply.expect_problem(403, code);
            }
            let readable = ["/api/tenant/projects", "/api/tenant/codes", "/api/tenant/usage", "/api/tenant/profile", "/api/tenant/auth/sessions"];
            for path in readable {
                acme.api.get(path).await.expect(200);
            }
            acme.api.get(&format!("/api/tenant/projects/{}", id(&projects[0]))).await.expect(200);
            if expected == READ_ONLY {
                assert_eq!(acme.api.get("/api/tenant/projects").await.expect(200).body, before, "nothing changed");
            }
            // What was refused is possible once the subscription says so.
            set_state(&admin, &acme, "active").await.expect(200);
            acme.api.activate(id(&projects[2]), &json!({})).await.expect(200);
        }
    }

    async fn a_tenant_that_tries_out_has_one_project_at_a_time(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        set_state(&admin, &acme, "trialing").await.expect(200);
        let project = acme.api.create_project("First").await;
        acme.api.post("/api/tenant/projects", &json!({ "client_name": "Second" })).await.expect_problem(403, "quota_exceeded");
        acme.api.activate(id(&project), &json!({})).await.expect(200);
        acme.api.delete(&format!("/api/tenant/projects/{}", id(&project))).await.expect(204);
        acme.api.create_project("Another").await;
    }

    async fn a_subscription_is_replaced_whole_and_audited(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let path = path(&acme.tenant);
        let before = admin.get(&path).await.expect(200).body;
        assert_eq!((&before["state"], &before["plan_id"]), (&json!("active"), &acme.tenant["subscription"]["plan_id"]));
        let plan = admin.create_plan("Larger", 500).await;
        let set = json!({
            "plan_id": plan["id"], "state": "past_due", "current_period_start": "2026-12-01T01:00:00+01:00", "current_period_end": "2027-01-01T00:00:00Z",
        });
        let after = admin.put(&path, &set).await.expect(200).body;
        assert_eq!((&after["plan_id"], &after["state"]), (&plan["id"], &json!("past_due")));
        assert_eq!((&after["current_period_start"], &after["current_period_end"]), (&json!("2026-12-01T00:00:00Z"), &json!("2027-01-01T00:00:00Z")));
        assert_eq!(admin.get(&path).await.expect(200).body, after);
        let tenant = admin.get(path.strip_suffix("/subscription").unwrap()).await.expect(200).body;
        assert_eq!(tenant["subscription"], after);
        assert_eq!(acme.api.get("/api/tenant/usage").await.expect(200).body["monthly_run_quota"], 500);
        let kept = admin.put(&path, &json!({ "plan_id": plan["id"], "state": "active" })).await.expect(200).body;
        assert_eq!(kept["current_period_start"], after["current_period_start"], "the period is what it was");
        assert_eq!(admin.put(&path, &json!({ "plan_id": plan["id"], "state": "active" })).await.expect(200).body, kept, "a change of nothing is none");

        for (field, value, pointer) in [
            ("plan_id", json!("pln_018bcfe568007000800000000000000a"), "/plan_id"), ("plan_id", json!("x"), "/plan_id"), ("state", json!("paid"), "/state"),
            ("current_period_start", json!("yesterday"), "/current_period_start"), ("current_period_end", json!("2026-12-01T00:00:00Z"), "/current_period_end"),
        ] {
            let mut set = json!({ "plan_id": plan["id"], "state": "active" });
            set[field] = value;
            let problem = admin.put(&path, &set).await.expect_problem(422, "validation_failed");
            assert_eq!(problem.body["errors"][0]["pointer"], pointer);
        }
        for field in ["id", "tenant_id", "monthly_run_quota", "suspended_at", "created_at"] {
            let mut set = json!({ "plan_id": plan["id"], "state": "active" });
            set[field] = json!(null);
            let problem = admin.put(&path, &set).await.expect_problem(422, "validation_failed");
            assert!(problem.body["errors"][0]["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{problem:?}");
        }
        admin.put(&path, &json!({ "state": "active" })).await.expect_problem(422, "validation_failed");
        assert_eq!(admin.get(&path).await.expect(200).body, kept);

        let audit = world.rows("SELECT details FROM audit_events WHERE action = 'subscription.changed' ORDER BY id").await;
        assert_eq!(audit.len(), 2);
        let first = audit[0]["details"].to_string().replace('\\', "");
        for detail in [
            format!("\"old_plan_id\":{}", before["plan_id"]), format!("\"new_plan_id\":{}", plan["id"]),
            "\"old_state\":\"active\"".to_owned(), "\"new_state\":\"past_due\"".to_owned(),
        ] {
            assert!(first.contains(&detail), "{detail} in {first}");
        }
    }

    async fn nobody_is_moved_to_an_archived_plan(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let own = acme.tenant["subscription"]["plan_id"].as_str().unwrap();
        let other = admin.create_plan("Old", 5).await;
        for plan in [own, id(&other)] {
            admin.post(&format!("/api/admin/plans/{plan}/archive"), &json!({})).await.expect(200);
        }
        let move_to = async |plan: &str| admin.put(&path(&acme.tenant), &json!({ "plan_id": plan, "state": "unpaid" })).await;
        let problem = move_to(id(&other)).await.expect_problem(422, "validation_failed");
        assert_eq!((&problem.body["errors"][0]["pointer"], &problem.body["errors"][0]["code"]), (&json!("/plan_id"), &json!("plan_archived")));
        assert_eq!(move_to(own).await.expect(200).body["state"], "unpaid", "who is on it stays, and changes otherwise");
    }

    async fn a_suspended_tenant_is_gone_at_once_whatever_it_pays(world: World) {
        let servers = world.servers().await;
        let admin = world.admin(&servers[0]);
        let acme = world.tenant(&servers[0], "acme").await;
        let elsewhere = acme.api.at(servers[servers.len() - 1].url());
        let tenant = format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
        admin.post(&format!("{tenant}/suspend"), &json!({})).await.expect(204);
        for path in ["/api/tenant/auth/session", "/api/tenant/profile", "/api/tenant/projects"] {
            elsewhere.get(path).await.expect_problem(401, "unauthenticated");
        }
        assert_eq!(admin.get(&path(&acme.tenant)).await.expect(200).body["state"], "active", "its subscription is another matter");
        admin.post(&format!("{tenant}/resume"), &json!({})).await.expect(204);
        elsewhere.get("/api/tenant/profile").await.expect_problem(401, "unauthenticated");
    }

    /// Nobody who keeps activating, on however many connections, keeps the operator from ending that.
    async fn a_change_gets_through_while_the_tenant_keeps_activating(world: World) {
        const CLIENTS: usize = 12;
        let patience = Duration::from_secs(12);
        let servers = world.servers().await;
        let admin = world.admin(&servers[0]);
        let acme = world.tenant(&servers[0], "acme").await;
        let codes = admin.issue_codes(acme.tenant["id"].as_str().unwrap(), &json!({ "count": 1, "max_uses": 1000 })).await;
        let ended = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let api = acme.api.at(servers[client % servers.len()].url());
            let mut projects = Vec::new();
            for _ in 0..8 {
                projects.push(acme.api.create_project("Client").await);
            }
            let (request, ended) = (json!({ "code": codes[0] }), Arc::clone(&ended));
            clients.spawn(async move {
                let began = Instant::now();
                while !ended.load(Ordering::Relaxed) && began.elapsed() < 2 * patience {
                    for project in &projects {
                        api.activate(id(project), &request).await;
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        let changed = set_state(&admin, &acme, "canceled").await;
        let waited = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        clients.join_all().await;
        changed.expect(200);
        assert!(waited < patience, "{waited:?}");
    }

    /// What is in the ledger when the change is answered is all that ever will be: an activation that began before and hasn't seen it doesn't
    /// come after.
    async fn no_activation_comes_behind_a_change_that_forbids_it(world: World) {
        let servers = world.servers().await;
        for (round, change) in ["past_due", "unpaid", "suspend"].into_iter().enumerate() {
            let acme = world.tenant(&servers[0], &format!("acme-{round}")).await;
            let tenant = acme.tenant["id"].as_str().unwrap();
            let admins: Vec<Api> = servers.iter().map(|server| world.admin(server)).collect();
            admins[0].issue_codes(tenant, &json!({ "count": 1, "max_uses": 100 })).await;
            let mut racers = JoinSet::new();
            let barrier = Arc::new(Barrier::new(25));
            for racer in 0..24 {
                let api = acme.api.at(servers[racer % servers.len()].url());
                let (project, barrier) = (acme.api.create_project("Client").await, Arc::clone(&barrier));
                racers.spawn(async move {
                    barrier.wait().await;
                    api.activate(id(&project), &json!({})).await
                });
            }
            let live = async || {
                let query = format!("SELECT 1 AS one FROM redemptions WHERE returned_at IS NULL AND tenant_id = {}", world.uuid_literal(tenant));
                world.rows(&query).await.len()
            };
            barrier.wait().await;
            tokio::time::sleep(Duration::from_millis(15)).await;
            if change == "suspend" {
                admins[admins.len() - 1].post(&format!("/api/admin/tenants/{tenant}/suspend"), &json!({})).await.expect(204);
            } else {
                set_state(&admins[admins.len() - 1], &acme, change).await.expect(200);
            }
            let when_it_was_answered = live().await;
            let replies = racers.join_all().await;
            let activated = replies.iter().filter(|reply| reply.status == 200).count();
            assert!(replies.iter().all(|reply| [200, 401, 403].contains(&reply.status)), "{replies:?}");
            assert_eq!((live().await, activated), (when_it_was_answered, when_it_was_answered), "{change}");
        }
    }
}
