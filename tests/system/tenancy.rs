//! A tenant sees and touches nothing of another (attack 29).

use serde_json::json;
use tenantry_tests::on_both_databases;

on_both_databases! {
    async fn a_foreign_project_is_answered_like_a_missing_one(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let project = beta.api.create_project("Secret").await;
        let foreign = project["id"].as_str().unwrap();
        let missing = "prj_018bcfe568007000800000000000000a";
        let mut answers = Vec::new();
        for id in [foreign, missing, "prj_x", "not-an-id", "..%2F..%2Fetc"] {
            let path = format!("/api/tenant/projects/{id}");
            let mut replies = vec![
                acme.api.get(&path).await,
                acme.api.patch(&path, &json!({ "client_name": "Mine" })).await,
                acme.api.put(&path, &json!({ "client_name": "Mine" })).await,
                acme.api.delete(&path).await,
                acme.api.activate(id, &json!({})).await,
                acme.api.activate(id, &json!({ "code": acme.codes[0] })).await,
            ];
            for step in ["pause", "resume", "complete"] {
                replies.push(acme.api.post(&format!("{path}/{step}"), &json!({})).await);
            }
            let seen: Vec<_> = replies.into_iter().map(|reply| {
                let mut body = reply.expect_problem(404, "not_found").body;
                body["instance"] = json!(null);
                body
            }).collect();
            answers.push(seen);
        }
        assert!(answers.iter().all(|seen| *seen == answers[0]));
        assert_eq!(beta.api.get(&format!("/api/tenant/projects/{foreign}")).await.expect(200).body, project);
        assert_eq!(acme.api.get("/api/tenant/projects").await.expect(200).body["items"], json!([]));
        let usage = acme.api.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!(usage["codes"]["active"], 10);

        let sessions = beta.api.get("/api/tenant/auth/sessions").await.expect(200).body;
        let session = sessions["items"][0]["id"].as_str().unwrap();
        acme.api.delete(&format!("/api/tenant/auth/sessions/{session}")).await.expect_problem(404, "not_found");
        beta.api.get("/api/tenant/auth/session").await.expect(200);
    }

    async fn fields_that_are_not_the_tenants_to_set_are_refused_by_name(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let project = acme.api.create_project("Client").await;
        let path = format!("/api/tenant/projects/{}", project["id"].as_str().unwrap());
        for (field, value) in [
            ("tenant_id", json!("ten_018bcfe568007000800000000000000a")), ("project_status", json!("active")), ("use_count", json!(0)),
            ("activation_code_id", json!(acme.tenant["activation_codes"][0]["id"])), ("role", json!("owner")), ("id", json!("x")),
            ("started_at", json!("2026-01-01T00:00:00Z")), ("subscription", json!({ "state": "active" })),
        ] {
            for reply in [
                acme.api.patch(&path, &json!({ "client_name": "Changed", field: value })).await,
                acme.api.put(&path, &json!({ "client_name": "Changed", field: value })).await,
                acme.api.post("/api/tenant/projects", &json!({ "client_name": "Changed", field: value })).await,
            ] {
                let problem = reply.expect_problem(422, "validation_failed");
                assert!(problem.body["errors"][0]["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{problem:?}");
            }
        }
        assert_eq!(acme.api.get(&path).await.expect(200).body, project, "nothing of it was applied");
    }

    async fn the_same_slug_may_stand_in_two_tenants(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let new = json!({ "client_name": "Client", "project_id": "shared" });
        acme.api.post("/api/tenant/projects", &new).await.expect(201);
        beta.api.post("/api/tenant/projects", &new).await.expect(201);
        acme.api.post("/api/tenant/projects", &new).await.expect_problem(409, "conflict");
    }
}
