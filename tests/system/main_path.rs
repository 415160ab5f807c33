//! From nothing to an activated project.

use serde_json::{Value, json};
use tenantry_tests::on_both_databases;

on_both_databases! {
    async fn a_tenant_signs_in_by_mail_and_activates_a_project_with_a_code(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Starter", 25).await;
        let (tenant, codes) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        assert_eq!(codes.len(), 2, "a tenth of 25, rounded down");
        assert_eq!(tenant["activation_codes"][0]["label"], "Auto-generated on tenant creation");
        assert_eq!(tenant["activation_codes"][0]["max_uses"], 1);
        assert_eq!(tenant["warnings"], json!([]));

        let acme = server.api().sign_in("acme", "ops@acme.example", world.mail()).await;
        assert_eq!(acme.get("/api/tenant/auth/session").await.expect(200).body["tenant"]["slug"], "acme");

        let project = acme.create_project("Wayne Enterprises").await;
        assert_eq!(project["project_status"], "pending");
        assert_eq!(project["activation_code_id"], Value::Null);
        let id = project["id"].as_str().unwrap();
        let active = acme.activate(id, &json!({ "code": codes[0].to_lowercase().replace('-', " ") })).await.expect(200).body;
        assert_eq!(active["project_status"], "active");
        assert_eq!(active["activation_code_id"], tenant["activation_codes"][0]["id"]);
        assert!(active["started_at"].is_string());

        // Asking again answers the same and takes nothing.
        assert_eq!(acme.activate(id, &json!({ "code": codes[0] })).await.expect(200).body, active);
        assert_eq!(acme.get(&format!("/api/tenant/projects/{id}")).await.expect(200).body, active);
        let usage = acme.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!(usage["used_this_month"], 1);
        assert_eq!(usage["codes"], json!({ "active": 1, "exhausted": 1, "expired": 0, "revoked": 0 }));

        // The code is spent: another project can't have it, and stays pending.
        let second = acme.create_project("Stark Industries").await;
        let second_id = second["id"].as_str().unwrap();
        acme.activate(second_id, &json!({ "code": codes[0] })).await.expect_problem(409, "code_exhausted");
        assert_eq!(acme.get(&format!("/api/tenant/projects/{second_id}")).await.body["project_status"], "pending");

        // By id, and by whichever is available.
        let listed = acme.get("/api/tenant/codes?status=active").await.expect(200).body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert!(!listed.to_string().contains(&codes[1]), "a list never shows a code");
        let code_id = listed["items"][0]["id"].clone();
        acme.activate(second_id, &json!({ "activation_code_id": code_id })).await.expect(200);
        let third = acme.create_project("Daily Planet").await;
        acme.activate(third["id"].as_str().unwrap(), &json!({})).await.expect_problem(409, "no_code_available");
        admin.issue_codes(tenant["id"].as_str().unwrap(), &json!({ "count": 1 })).await;
        acme.activate(third["id"].as_str().unwrap(), &json!({})).await.expect(200);

        for (step, status) in [("pause", "paused"), ("resume", "active"), ("complete", "completed")] {
            let moved = acme.post(&format!("/api/tenant/projects/{id}/{step}"), &json!({})).await.expect(200).body;
            assert_eq!(moved["project_status"], status);
        }
        acme.post(&format!("/api/tenant/projects/{id}/resume"), &json!({})).await.expect_problem(409, "invalid_transition");

        acme.post("/api/tenant/auth/logout", &Value::Null).await.expect(204);
        acme.get("/api/tenant/auth/session").await.expect_problem(401, "unauthenticated");
    }

    async fn projects_are_made_listed_changed_and_deleted(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await.api;
        for name in ["Ärzte Süd", "100%_real", "Beta", "Gamma"] {
            acme.create_project(name).await;
        }
        let found = |reply: tenantry_tests::Reply| -> Vec<String> {
            let items = reply.expect(200).body["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["client_name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(found(acme.get("/api/tenant/projects").await), ["Gamma", "Beta", "100%_real", "Ärzte Süd"]);
        assert_eq!(found(acme.get("/api/tenant/projects?search=%C3%A4RZTE").await), ["Ärzte Süd"]);
        assert_eq!(found(acme.get("/api/tenant/projects?search=%25_").await), ["100%_real"]);
        assert_eq!(found(acme.get("/api/tenant/projects?status=active").await), [""; 0]);

        let first = acme.get("/api/tenant/projects?limit=3").await.expect(200);
        let cursor = first.text_at("/next_cursor");
        let rest = acme.get(&format!("/api/tenant/projects?limit=3&cursor={cursor}")).await.expect(200).body;
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
        assert_eq!((first.body.get("total"), rest.get("total")), (None, None), "nobody asked");
        let counted = acme.get(&format!("/api/tenant/projects?limit=3&cursor={cursor}&count=true")).await.expect(200).body;
        assert_eq!((&counted["total"], &counted["items"]), (&json!(4), &rest["items"]));
        let counted = acme.get("/api/tenant/projects?search=gamma&count=true").await.expect(200).body;
        assert_eq!(counted["total"], 1, "what the search finds");

        let made = acme.post("/api/tenant/projects", &json!({
            "client_name": "Delta", "project_id": "delta-1", "description": "two\nlines", "priority": "high"
        })).await.expect(201);
        assert_eq!(made.header("location").unwrap(), format!("/api/tenant/projects/{}", made.text_at("/id")));
        let path = made.header("location").unwrap().to_owned();
        acme.post("/api/tenant/projects", &json!({ "client_name": "Other", "project_id": "delta-1" })).await.expect_problem(409, "conflict");

        let changed = acme.patch(&path, &json!({ "client_name": "Delta II", "priority": null })).await.expect(200).body;
        assert_eq!((&changed["client_name"], &changed["priority"], &changed["description"]), (&json!("Delta II"), &Value::Null, &json!("two\nlines")));
        let replaced = acme.put(&path, &json!({ "client_name": "Delta III" })).await.expect(200).body;
        assert_eq!((&replaced["client_name"], &replaced["description"]), (&json!("Delta III"), &Value::Null));
        acme.delete(&path).await.expect(204);
        acme.get(&path).await.expect_problem(404, "not_found");
        acme.delete(&path).await.expect_problem(404, "not_found");
    }

    async fn racing_changes_of_different_fields_all_take_place(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await.api;
        let project = acme.create_project("Client").await;
        let path = format!("/api/tenant/projects/{}", project["id"].as_str().unwrap());
        for round in 0..10 {
            let (description, priority) = (format!("description {round}"), format!("priority {round}"));
            let (one, two) = (json!({ "description": description }), json!({ "priority": priority }));
            let (first, second) = tokio::join!(acme.patch(&path, &one), acme.patch(&path, &two));
            first.expect(200);
            second.expect(200);
            let both = acme.get(&path).await.expect(200).body;
            assert_eq!((&both["description"], &both["priority"]), (&json!(description), &json!(priority)));
        }
    }

    async fn deleting_a_tenant_ends_its_sessions_and_its_codes(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let path = format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
        let project = acme.api.create_project("Client").await;
        acme.api.activate(project["id"].as_str().unwrap(), &json!({})).await.expect(200);
        admin.get(&path).await.expect(200);
        admin.delete(&path).await.expect(204);
        acme.api.get("/api/tenant/projects").await.expect_problem(401, "unauthenticated");
        admin.get(&path).await.expect_problem(404, "not_found");
        admin.delete(&path).await.expect_problem(404, "not_found");
        assert_eq!(admin.get("/api/admin/projects").await.expect(200).body["items"], json!([]));
    }
}
