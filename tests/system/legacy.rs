//! Projects from before there were tenants.

use serde_json::{Value, json};
use tenantry_tests::on_both_databases;
use tokio::task::JoinSet;

on_both_databases! {
    async fn legacy_projects_are_the_operators_until_they_are_assigned(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        world.insert_legacy_project("0b1a6d7e-94c1-4f0e-8f8e-6d1f6f1b2a3c", "legacy-1", "Old Client").await;
        world.insert_legacy_project("7c2b7e8f-05d2-4a1f-9a9f-7e2a7a2c3b4d", "legacy-2", "Older Client").await;

        let listed = admin.get("/api/admin/projects?tenant=none").await.expect(200).body;
        let items = listed["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        for (query, found) in [("status=active", 2), ("status=pending", 0), ("status=active&limit=1", 1)] {
            let page = admin.get(&format!("/api/admin/projects?tenant=none&{query}")).await.expect(200).body;
            assert_eq!(page["items"].as_array().unwrap().len(), found, "{query}");
        }
        for item in items {
            assert_eq!((&item["tenant_id"], &item["project_status"]), (&Value::Null, &json!("active")));
        }
        assert_eq!(acme.api.get("/api/tenant/projects").await.expect(200).body["items"], json!([]));
        let id = items.iter().find(|item| item["project_id"] == "legacy-1").unwrap()["id"].as_str().unwrap();
        acme.api.get(&format!("/api/tenant/projects/{id}")).await.expect_problem(404, "not_found");

        let assign = async |tenant: &Value| {
            admin.post(&format!("/api/admin/projects/{id}/assign"), &json!({ "tenant_id": tenant["id"] })).await
        };
        let read = admin.get(&format!("/api/admin/projects/{id}")).await.expect(200).body;
        assert_eq!((&read["tenant_id"], &read["project_id"]), (&Value::Null, &json!("legacy-1")));
        let mut racers = JoinSet::new();
        for _ in 0..8 {
            let (admin, path, body) = (admin.clone(), format!("/api/admin/projects/{id}/assign"), json!({ "tenant_id": acme.tenant["id"] }));
            racers.spawn(async move { admin.post(&path, &body).await });
        }
        let repeats = racers.join_all().await;
        assert!(repeats.iter().all(|reply| reply.status == 200 && reply.body["tenant_id"] == acme.tenant["id"]), "{repeats:?}");
        let audited = world.rows("SELECT details FROM audit_events WHERE action = 'project.assigned'").await;
        assert_eq!(audited.len(), 1, "repeats are not audited");
        let details: Value = serde_json::from_str(audited[0]["details"].as_str().unwrap()).unwrap();
        assert_eq!((&details["old_tenant_id"], &details["new_tenant_id"]), (&json!("none"), &acme.tenant["id"]));
        assign(&beta.tenant).await.expect_problem(409, "conflict");
        let own = acme.api.get(&format!("/api/tenant/projects/{id}")).await.expect(200).body;
        assert_eq!((&own["client_name"], &own["project_status"]), (&json!("Old Client"), &json!("active")));
        assert_eq!(admin.get("/api/admin/projects?tenant=none").await.expect(200).body["items"].as_array().unwrap().len(), 1);
        acme.api.activate(id, &json!({})).await.expect_problem(409, "project_already_active");

        // A slug that the tenant has already.
        acme.api.post("/api/tenant/projects", &json!({ "client_name": "New", "project_id": "legacy-2" })).await.expect(201);
        let second = items.iter().find(|item| item["project_id"] == "legacy-2").unwrap()["id"].as_str().unwrap();
        let taken = json!({ "tenant_id": acme.tenant["id"] });
        admin.post(&format!("/api/admin/projects/{second}/assign"), &taken).await.expect_problem(409, "conflict");
        admin.post("/api/admin/projects/prj_018bcfe568007000800000000000000a/assign", &taken).await.expect_problem(404, "not_found");
    }
}
