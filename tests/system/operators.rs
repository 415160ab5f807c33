//! What operators do, as far as it isn't on the main path.

use serde_json::{Value, json};
use tenantry_auth::ApiKeyToken;
use tenantry_domain::SystemEntropy;
use tenantry_tests::on_both_databases;

on_both_databases! {
    async fn plans_and_tenants_are_made_once_and_listed(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Starter", 10).await;
        admin.post("/api/admin/plans", &json!({ "name": "Starter", "monthly_run_quota": 5 })).await.expect_problem(409, "conflict");
        assert_eq!(admin.get(&format!("/api/admin/plans/{}", plan["id"].as_str().unwrap())).await.expect(200).body, plan);
        assert_eq!(admin.get("/api/admin/plans").await.expect(200).body["items"], json!([plan]));

        let new = |slug: &str| json!({
            "slug": slug, "name": "Äcme Corp", "contact_email": "ops@acme.example", "plan_id": plan["id"],
            "logo_url": "https://acme.example/logo.svg", "primary_color": "#FF8800", "domain": "portal.acme.example",
        });
        let made = admin.post("/api/admin/tenants", &new("acme")).await.expect(201);
        assert_eq!(made.body["primary_color"], "#ff8800");
        assert_eq!(made.body["subscription"]["state"], "active");
        admin.post("/api/admin/tenants", &new(" ACME ")).await.expect_problem(409, "conflict");
        let unknown = json!({ "slug": "b", "name": "B", "contact_email": "b@b.example", "plan_id": "pln_018bcfe568007000800000000000000a" });
        let problem = admin.post("/api/admin/tenants", &unknown).await.expect_problem(422, "validation_failed");
        assert_eq!(problem.body["errors"][0]["pointer"], "/plan_id");

        let read = admin.get(made.header("location").unwrap()).await.expect(200).body;
        assert_eq!((&read["slug"], &read["activation_codes"]), (&json!("acme"), &Value::Null), "codes are shown once");
        let found = admin.get("/api/admin/tenants?search=%C3%84CME%20c").await.expect(200).body;
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        assert_eq!(admin.get("/api/admin/tenants?search=nobody").await.expect(200).body["items"], json!([]));
    }

    async fn a_wrong_api_key_is_nobody(world: World) {
        let server = world.server().await;
        let other = server.api().with_bearer(ApiKeyToken::generate(&SystemEntropy).reveal());
        for path in ["/api/admin/plans", "/api/admin/tenants", "/api/admin/projects"] {
            other.get(path).await.expect_problem(401, "unauthenticated");
        }
        let request = json!({ "name": "Mine", "monthly_run_quota": 1 });
        other.post("/api/admin/plans", &request).await.expect_problem(401, "unauthenticated");
        assert_eq!(world.admin(&server).get("/api/admin/plans").await.expect(200).body["items"], json!([]));
    }
}
