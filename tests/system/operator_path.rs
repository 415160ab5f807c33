//! The operators' whole path, by real mail: the first start's link makes the owner, who makes the others.

use serde_json::json;
use tenantry_domain::Scope;
use tenantry_tests::{Door, on_both_databases};

on_both_databases! {
    async fn the_link_makes_the_owner_who_makes_the_others(world: World) {
        // No key is configured: whoever reads the terminal, and nobody else, can come in.
        let key = "TENANTRY__BOOTSTRAP__API_KEY";
        let here = world.builder().without(key).start().await;
        let link = here.bootstrap_path().await;
        let open = here.api().get(&link).await.expect(200);
        assert_eq!(open.body["purpose"], "first_operator");
        assert!(open.text_at("/next").contains("POST"));

        let ada = json!({ "name": "Ada Lovelace", "email": "Ada@Portal.example" });
        let made = here.api().post(&link, &ada).await.expect(201);
        assert_eq!((&made.body["operator"]["role"], &made.body["operator"]["email"]), (&json!("owner"), &json!("Ada@portal.example")));
        let owner = here.api().with_bearer(&made.text_at("/session_token"));
        let who = owner.get("/api/admin/auth/session").await.expect(200).body;
        assert_eq!((&who["operator"], &who["api_key"]), (&made.body["operator"], &json!(null)));
        assert_eq!(who["scopes"].as_array().unwrap().len(), Scope::ALL.len(), "an owner has every scope");
        let location = made.header("location").unwrap();
        assert_eq!(owner.get(location).await.expect(200).body, made.body["operator"]);
        here.api().get(&link).await.expect_problem(404, "not_found");

        // The owner makes a manager, who signs in with the code from its mail.
        let grace = owner.create_operator("grace@portal.example", "manager").await;
        let signed_in = here.api().come_in_at(Door::Operator, "GRACE@portal.EXAMPLE", "grace@portal.example", world.mail()).await;
        assert_eq!(signed_in.body["operator"], grace);
        assert_eq!(signed_in.body["idle_timeout"], 1800);
        let manager = here.api().with_bearer(&signed_in.text_at("/session_token"));
        let subjects: Vec<_> = world.mail().received("grace@portal.example").into_iter().map(|mail| mail.subject).collect();
        assert_eq!(subjects, ["Sign-in code for The manager"]);

        // A manager looks after tenants, and leaves keys, operators and plans to the owner.
        let plan = owner.create_plan("Basic", 10).await;
        manager.create_tenant("acme", plan["id"].as_str().unwrap(), "it@acme.example").await;
        manager.post("/api/admin/plans", &json!({ "name": "Mine", "monthly_run_quota": 1 })).await.expect_problem(403, "forbidden");
        let wanted = json!({ "name": "Mine", "scopes": ["tenants:read"] });
        let refused = manager.post("/api/admin/api-keys", &wanted).await.expect_problem(403, "forbidden");
        assert!(refused.text_at("/detail").contains("`api_keys:write`"), "{refused:?}");
        manager.get("/api/admin/operators").await.expect_problem(403, "forbidden");

        // The owner makes a key; it is good on every server, until it is revoked, and then on none.
        let (made, program) = owner.create_api_key(&["tenants:read"]).await;
        assert_eq!(made["created_by"], who["operator"]["id"]);
        // On SQLite there is one server at a time: the other is the same.
        let there = if world.kind() == tenantry_tests::DatabaseKind::Postgres { Some(world.builder().without(key).start().await) } else { None };
        let there = there.as_ref().unwrap_or(&here);
        let elsewhere = program.at(there.url());
        assert_eq!(elsewhere.get("/api/admin/tenants").await.expect(200).body["items"][0]["slug"], "acme");
        elsewhere.get("/api/admin/plans").await.expect_problem(403, "forbidden");
        let calling = elsewhere.get("/api/admin/auth/session").await.expect(200).body;
        assert_eq!((&calling["api_key"]["id"], &calling["scopes"]), (&made["id"], &json!(["tenants:read"])));
        owner.delete(&format!("/api/admin/api-keys/{}", made["id"].as_str().unwrap())).await.expect(204);
        elsewhere.get("/api/admin/tenants").await.expect_problem(401, "unauthenticated");
        program.get("/api/admin/tenants").await.expect_problem(401, "unauthenticated");

        // What happened, and who did it. No name and no address is in the trail.
        let trail = world.rows("SELECT action, actor_kind, actor_name, target, details FROM audit_events ORDER BY id").await;
        let done: Vec<_> = trail.iter().filter(|event| event["actor_kind"] == "operator").map(|event| event["action"].as_str().unwrap()).collect();
        for action in ["operator.bootstrapped", "operator.created", "sign_in.succeeded", "tenant.created", "api_key.created", "api_key.revoked"] {
            assert!(done.contains(&action) || action == "operator.bootstrapped", "{action}: {done:?}");
        }
        let made_owner = trail.iter().find(|event| event["action"] == "operator.bootstrapped").unwrap();
        assert_eq!(made_owner["target"], who["operator"]["id"]);
        let used = trail.iter().find(|event| event["action"] == "api_key.used").unwrap();
        assert_eq!((&used["actor_kind"], &used["actor_name"]), (&json!("api_key"), &made["id"]));
        let text = serde_json::Value::from(trail).to_string();
        assert!(!text.contains("portal.example") && !text.contains("Lovelace"), "{text}");
    }
}
