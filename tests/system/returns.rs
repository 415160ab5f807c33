//! Returned activations: whole, once, and the ledger adds up whatever races.

use serde_json::{Value, json};
use tenantry_tests::{Api, Clocked, Reply, SignedIn, World, on_both_databases};
use time::Duration;
use tokio::task::JoinSet;

const NOTHING: &str = "prj_018bcfe568007000800000000000000a";

async fn project(api: &Api) -> String {
    api.create_project("Client").await["id"].as_str().unwrap().to_owned()
}

async fn give_back(api: &Api, project: &str) -> Reply {
    let side = if api.bearer().is_some_and(|token| token.starts_with("tns_")) { "tenant" } else { "admin" };
    api.post(&format!("/api/{side}/projects/{project}/return"), &json!({})).await
}

async fn usage(api: &Api) -> (Value, Value) {
    let usage = api.get("/api/tenant/usage").await.expect(200).body;
    (usage["used_this_month"].clone(), usage["codes"]["active"].clone())
}

/// Holds codes, ledger, projects and months against each other, past the servers.
async fn the_ledger_adds_up(world: &World) {
    for (rule, breaches) in [
        (
            "a code's uses are its rows of the ledger that weren't returned",
            "SELECT c.id FROM activation_codes c LEFT JOIN redemptions r ON r.activation_code_id = c.id AND r.returned_at IS NULL
             GROUP BY c.id, c.use_count HAVING count(r.id) <> c.use_count",
        ),
        (
            "a live row keeps its project active, paused or completed by its code",
            "SELECT r.id FROM redemptions r JOIN llm_project_config p ON p.id = r.project_id
             WHERE r.returned_at IS NULL AND (p.project_status = 'pending' OR p.activation_code_id IS NULL OR p.activation_code_id <> r.activation_code_id)",
        ),
        (
            "a project with a code has its live row",
            "SELECT p.id FROM llm_project_config p WHERE p.activation_code_id IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM redemptions r WHERE r.project_id = p.id AND r.returned_at IS NULL)",
        ),
        (
            "a pending project has neither code nor start",
            "SELECT id FROM llm_project_config WHERE project_status = 'pending' AND (activation_code_id IS NOT NULL OR started_at IS NOT NULL)",
        ),
        (
            "the months count what wasn't returned",
            "SELECT tenant_id FROM usage_months u WHERE activations <>
             (SELECT count(*) FROM redemptions r WHERE r.tenant_id = u.tenant_id AND r.returned_at IS NULL)",
        ),
    ] {
        let broken = world.rows(breaches).await;
        assert!(broken.is_empty(), "{rule}: {broken:?}");
    }
}

on_both_databases! {
    async fn an_operator_returns_an_activation(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let id = project(&acme.api).await;
        acme.api.activate(&id, &json!({ "code": acme.codes[0] })).await.expect(200);
        acme.api.post(&format!("/api/tenant/projects/{id}/pause"), &json!({})).await.expect(200);
        assert_eq!(usage(&acme.api).await, (json!(1), json!(9)));
        let returned = give_back(&admin, &id).await.expect(200).body;
        assert_eq!((&returned["project_status"], &returned["activation_code_id"], &returned["started_at"]), (&json!("pending"), &Value::Null, &Value::Null));
        assert_eq!(admin.get(&format!("/api/admin/projects/{id}")).await.expect(200).body, returned);
        assert_eq!(usage(&acme.api).await, (json!(0), json!(10)));
        assert_eq!(give_back(&admin, &id).await.expect(200).body, returned, "a repeat changes nothing");
        assert_eq!(usage(&acme.api).await, (json!(0), json!(10)));
        let audited = world.rows("SELECT details FROM audit_events WHERE action = 'activation.returned'").await;
        assert_eq!(audited.len(), 1);

        // The use that was given back: by another project, then, once that is returned too, by the first.
        let other = project(&acme.api).await;
        acme.api.activate(&other, &json!({ "code": acme.codes[0] })).await.expect(200);
        acme.api.activate(&id, &json!({ "code": acme.codes[0] })).await.expect_problem(409, "code_exhausted");
        give_back(&admin, &other).await.expect(200);
        acme.api.activate(&id, &json!({ "code": acme.codes[0] })).await.expect(200);
        acme.api.post(&format!("/api/tenant/projects/{id}/complete"), &json!({})).await.expect(200);
        give_back(&admin, &id).await.expect_problem(409, "invalid_transition");
        the_ledger_adds_up(&world).await;
    }

    async fn what_can_not_be_returned_says_why(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let pending = project(&acme.api).await;
        for api in [&admin, &acme.api] {
            give_back(api, &pending).await.expect_problem(409, "invalid_transition");
            give_back(api, NOTHING).await.expect_problem(404, "not_found");
        }
        acme.api.activate(&pending, &json!({})).await.expect(200);
        let foreign = give_back(&beta.api, &pending).await.expect_problem(404, "not_found");
        assert_eq!(foreign.body["detail"], give_back(&beta.api, NOTHING).await.body["detail"]);
        world.insert_legacy_project("0b1a6d7e-94c1-4f0e-8f8e-6d1f6f1b2a3c", "legacy-1", "Old Client").await;
        let legacy = "prj_0b1a6d7e94c14f0e8f8e6d1f6f1b2a3c";
        let refused = give_back(&admin, legacy).await.expect_problem(409, "invalid_transition");
        assert!(refused.text_at("/detail").contains("without a code"), "{refused:?}");
        admin.post(&format!("/api/admin/projects/{legacy}/assign"), &json!({ "tenant_id": acme.tenant["id"] })).await.expect(200);
        for api in [&admin, &acme.api] {
            give_back(api, legacy).await.expect_problem(409, "invalid_transition");
        }
        the_ledger_adds_up(&world).await;
    }

    async fn racing_returns_of_one_project_give_back_once(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let codes = world.admin(&servers[0]).issue_codes(acme.tenant["id"].as_str().unwrap(), &json!({ "count": 1, "max_uses": 50 })).await;
        for _ in 0..4 {
            acme.api.activate(&project(&acme.api).await, &json!({ "code": codes[0] })).await.expect(200);
        }
        for round in 0..3 {
            let id = project(&acme.api).await;
            acme.api.activate(&id, &json!({ "code": codes[0] })).await.expect(200);
            let mut racers = JoinSet::new();
            for number in 0..16 {
                let server = &servers[number % servers.len()];
                let api = if number % 4 == 3 { acme.api.at(server.url()) } else { world.admin(server) };
                let id = id.clone();
                racers.spawn(async move { give_back(&api, &id).await });
            }
            for reply in racers.join_all().await {
                assert_eq!((reply.status, &reply.body["project_status"]), (200, &json!("pending")), "{reply:?}");
            }
            assert_eq!(usage(&acme.api).await.0, json!(4), "after round {round}");
        }
        let audited = world.rows("SELECT id FROM audit_events WHERE action = 'activation.returned'").await;
        assert_eq!(audited.len(), 3);
        the_ledger_adds_up(&world).await;
    }

    /// Activations, returns and completions of the same projects, in whatever order, by operators and the tenant, on all servers at once.
    async fn the_ledger_adds_up_whatever_races(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let admin = world.admin(&servers[0]);
        let codes = admin.issue_codes(acme.tenant["id"].as_str().unwrap(), &json!({ "count": 1, "max_uses": 3 })).await;
        let mut projects = Vec::new();
        for _ in 0..5 {
            projects.push(project(&acme.api).await);
        }
        for round in 0..4 {
            let mut racers = JoinSet::new();
            for number in 0..30 {
                let server = &servers[number % servers.len()];
                let (tenant, admin) = (acme.api.at(server.url()), world.admin(server));
                let (project, code) = (projects[number % projects.len()].clone(), codes[0].clone());
                racers.spawn(async move {
                    match (number / 5) % 6 {
                        0 | 3 => tenant.activate(&project, &json!({ "code": code })).await,
                        1 | 4 => give_back(&admin, &project).await,
                        2 if round == 3 && number % 5 < 2 => tenant.post(&format!("/api/tenant/projects/{project}/complete"), &json!({})).await,
                        2 => give_back(&tenant, &project).await,
                        _ => tenant.activate(&project, &json!({})).await,
                    }
                });
            }
            for reply in racers.join_all().await {
                assert!(matches!(reply.status, 200 | 409 | 429), "{reply:?}");
            }
            the_ledger_adds_up(&world).await;
        }
        acme.api.delete(&format!("/api/tenant/projects/{}", projects[0])).await.expect(204);
        the_ledger_adds_up(&world).await;
    }

    async fn a_tenant_returns_within_its_time(world: World) {
        let server = Clocked::start(&world).await;
        let acme = server.tenant("acme").await;
        let [first, second] = [project(&acme).await, project(&acme).await];
        acme.activate(&first, &json!({})).await.expect(200);
        server.admin().issue_codes(&tenant_of(&server, &first).await, &json!({ "count": 1 })).await;
        acme.activate(&second, &json!({})).await.expect(200);
        server.clock.advance(Duration::DAY - Duration::SECOND);
        let acme = server.sign_in("acme").await;
        assert_eq!(give_back(&acme, &first).await.expect(200).body["project_status"], "pending");
        server.clock.advance(Duration::SECOND);
        let late = give_back(&acme, &second).await.expect_problem(409, "return_window_closed");
        assert!(late.text_at("/detail").contains("86400 s"), "{late:?}");
        give_back(&acme, &first).await.expect(200);
        give_back(&server.admin(), &second).await.expect(200);
        the_ledger_adds_up(&world).await;
    }

    async fn a_tenant_returns_three_at_once_and_then_one_an_hour(world: World) {
        let server = Clocked::start(&world).await;
        let acme = server.tenant("acme").await;
        let id = project(&acme).await;
        for _ in 0..3 {
            acme.activate(&id, &json!({})).await.expect(200);
            give_back(&acme, &id).await.expect(200);
            give_back(&acme, &id).await.expect(200);
        }
        acme.activate(&id, &json!({})).await.expect(200);
        let limited = give_back(&acme, &id).await.expect_problem(429, "rate_limited");
        assert_eq!(limited.header("retry-after"), Some("3600"));
        server.clock.advance(Duration::seconds(3599));
        let acme = server.sign_in("acme").await;
        give_back(&acme, &id).await.expect_problem(429, "rate_limited");
        give_back(&server.admin(), &id).await.expect(200);
        acme.activate(&id, &json!({})).await.expect(200);
        server.clock.advance(Duration::SECOND);
        give_back(&acme, &id).await.expect(200);
        the_ledger_adds_up(&world).await;
    }

    async fn an_operator_can_keep_returns_to_itself(world: World) {
        let server = world.builder().env("TENANTRY__ACTIVATION__RETURN_GRACE_SECONDS", 0).start().await;
        let acme: SignedIn = world.tenant(&server, "acme").await;
        let id = project(&acme.api).await;
        acme.api.activate(&id, &json!({})).await.expect(200);
        give_back(&acme.api, &id).await.expect_problem(409, "return_window_closed");
        give_back(&world.admin(&server), &id).await.expect(200);
    }
}

async fn tenant_of(server: &Clocked, project: &str) -> String {
    server.admin().get(&format!("/api/admin/projects/{project}")).await.expect(200).text_at("/tenant_id")
}
