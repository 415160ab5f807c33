//! The dry run: each reason, and that an activation then answers the same.

use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, World, database, on_both_databases};

const NOBODY: &str = "ten_018bcfe568007000800000000000000a";
const NOTHING: &str = "prj_018bcfe568007000800000000000000a";

async fn check(admin: &Api, request: &Value) -> Value {
    admin.post("/api/admin/codes/check", request).await.expect(200).body
}

async fn project(api: &Api) -> String {
    api.create_project("Client").await["id"].as_str().unwrap().to_owned()
}

/// Checks a code for a tenant's project, activates it, and holds the two answers against each other. `reason` is `None` where it is usable.
async fn agree(admin: &Api, (tenant, id): (&Api, &Value), project: &str, code: &str, reason: Option<&str>) -> Value {
    let verdict = check(admin, &json!({ "code": code, "tenant_id": id, "project_id": project })).await;
    assert_eq!((&verdict["usable"], &verdict["reason"]), (&json!(reason.is_none()), &json!(reason)), "{verdict}");
    let answer: Reply = tenant.activate(project, &json!({ "code": code })).await;
    match reason {
        None => assert_eq!(answer.status, 200, "{answer:?}"),
        Some(reason) => assert_eq!(answer.body["code"], reason, "{answer:?}"),
    }
    verdict
}

async fn set(world: &World, sql: &str) {
    database::execute(world.database_url(), sql).await.unwrap();
}

on_both_databases! {
    async fn each_reason_is_told_before_it_is_met(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Plan", 40).await;
        let (tenant, codes) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        let acme = server.api().sign_in("acme", "ops@acme.example", world.mail()).await;
        let beta = world.tenant(&server, "beta").await;
        let id = |number: usize| tenant["activation_codes"][number]["id"].as_str().unwrap().to_owned();
        let post = async |path: String| admin.post(&path, &json!({})).await.expect(200);
        let pending = project(&acme).await;
        let own = (&acme, &tenant["id"]);

        let malformed = agree(&admin, own, &pending, "12RY-S55W-4MZR-KP2K", Some("code_malformed")).await;
        assert_eq!(malformed["code"], Value::Null);
        agree(&admin, own, &pending, "12RY-S55W-4MZR-KP2J", Some("code_unknown")).await;
        let foreign = agree(&admin, own, &pending, &beta.codes[0], Some("code_unknown")).await;
        assert_eq!((&foreign["code"]["tenant_id"], &foreign["detail"]), (&beta.tenant["id"], &json!("the code belongs to another tenant")));
        post(format!("/api/admin/codes/{}/revoke", id(0))).await;
        let revoked = agree(&admin, own, &pending, &codes[0], Some("code_revoked")).await;
        assert_eq!((&revoked["code"]["id"], &revoked["code"]["status"]), (&json!(id(0)), &json!("revoked")));
        post(format!("/api/admin/codes/{}/expire", id(1))).await;
        agree(&admin, own, &pending, &codes[1], Some("code_expired")).await;

        let active = project(&acme).await;
        let usable = agree(&admin, own, &active, &codes[2].to_lowercase().replace('-', " "), None).await;
        assert_eq!((&usable["code"]["use_count"], &usable["code"]["max_uses"]), (&json!(0), &json!(1)));
        agree(&admin, own, &pending, &codes[2], Some("code_exhausted")).await;
        agree(&admin, own, &active, &codes[2], None).await;
        agree(&admin, own, &active, &codes[3], Some("project_already_active")).await;
        agree(&admin, own, &project(&beta.api).await, &codes[3], Some("not_found")).await;
        agree(&admin, own, NOTHING, &codes[3], Some("not_found")).await;

        // Of several reasons the first, whatever comes after it.
        set(&world, "UPDATE subscriptions SET state = 'past_due'").await;
        agree(&admin, own, &pending, &codes[0], Some("subscription_inactive")).await;
        agree(&admin, own, &active, &codes[3], Some("project_already_active")).await;
        set(&world, "UPDATE subscriptions SET state = 'active'").await;
        set(&world, "UPDATE usage_months SET activations = 40").await;
        agree(&admin, own, &pending, &codes[3], Some("quota_exceeded")).await;
        agree(&admin, own, &pending, &codes[1], Some("code_expired")).await;
        set(&world, "UPDATE usage_months SET activations = 1").await;
        let suspend = format!("/api/admin/tenants/{}/suspend", tenant["id"].as_str().unwrap());
        admin.post(&suspend, &json!({})).await.expect(204);
        let suspended = check(&admin, &json!({ "code": codes[3], "project_id": pending })).await;
        assert_eq!((&suspended["usable"], &suspended["reason"]), (&json!(false), &json!("tenant_suspended")));
        assert_eq!(suspended["code"]["status"], "active");
    }

    async fn a_check_consumes_and_changes_nothing(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let tables = ["activation_codes", "llm_project_config", "redemptions", "usage_months", "audit_events"];
        let pending = project(&acme.api).await;
        let all = async || {
            let mut rows = Vec::new();
            for table in tables {
                rows.push(world.rows(&format!("SELECT * FROM {table} ORDER BY 1")).await);
            }
            rows
        };
        let before = all().await;
        for _ in 0..3 {
            let verdict = check(&admin, &json!({ "code": acme.codes[0] })).await;
            assert_eq!((&verdict["usable"], &verdict["reason"]), (&json!(true), &Value::Null));
            let named = json!({ "code": acme.codes[0], "tenant_id": acme.tenant["id"], "project_id": pending });
            assert_eq!(check(&admin, &named).await["usable"], true);
            let foreign = check(&admin, &json!({ "code": acme.codes[0], "tenant_id": beta.tenant["id"] })).await;
            assert_eq!(foreign["reason"], "code_unknown");
        }
        assert_eq!(all().await, before);
        assert!(!server.logs().contains(&acme.codes[0]), "no text reaches the log");
    }

    async fn what_can_not_be_asked_is_refused(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let code = &acme.codes[0];
        let refused = async |body: Value| admin.post("/api/admin/codes/check", &body).await.expect_problem(422, "validation_failed").body;
        assert_eq!(refused(json!({ "code": code, "tenant_id": NOBODY })).await["errors"][0]["pointer"], "/tenant_id");
        let both = refused(json!({ "code": code, "tenant_id": "acme", "project_id": "7" })).await;
        assert_eq!(both["errors"].as_array().unwrap().len(), 2);
        let missing = refused(json!({})).await;
        assert!(!missing.to_string().contains(code.as_str()));
        let unsigned = acme.api.post("/api/admin/codes/check", &json!({ "code": code })).await;
        unsigned.expect_problem(401, "unauthenticated");
    }
}
