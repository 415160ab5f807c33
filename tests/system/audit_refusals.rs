//! What the audit trail says of who was refused: a wrong password, a code, what a key or an operator may not do, a suspended tenant.

use serde_json::{Value, json};
use tenantry_tests::{Door, on_both_databases};

use crate::audit_walk::walk::{actor, id};

on_both_databases! {
    /// Refusals that matter: who was refused what, and why. The answers say no more than they did.
    async fn refusals_that_matter_are_in_the_trail(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        let acme = world.tenant(&server, "acme").await;
        let tenant = id(&acme.tenant);
        let failures = async |action: &str| {
            let found = admin.get(&format!("/api/admin/events?outcome=failure&limit=200&action={action}")).await.expect(200).body;
            found["items"].as_array().unwrap().clone()
        };
        let none: [Value; 0] = [];
        assert_eq!(admin.get("/api/admin/events?outcome=failure").await.expect(200).body["items"], json!(none));

        // A wrong password, of a tenant and of nobody.
        for (slug, whose) in [("acme", json!(tenant)), ("nobody", json!(null))] {
            let challenge = api.ask_for_otp(slug).await;
            let refused = api.verify_otp(&challenge, "000000").await.expect_problem(401, "invalid_otp");
            let found = &failures("sign_in.failed").await[0];
            assert_eq!((&found["tenant_id"], &found["actor"]), (&whose, &actor("anonymous", None, None)));
            assert_eq!(found["details"], json!({ "challenge_id": challenge, "purpose": "tenant_sign_in" }));
            assert_eq!((found["request_id"].as_str(), &found["client_ip"]), (refused.header("x-request-id"), &json!("127.0.0.1")));
        }

        // An activation, with the reason.
        let project = id(&acme.api.create_project("Client").await);
        let refused = acme.api.activate(&project, &json!({ "code": "12RY-S55W-4MZR-KP2J" })).await.expect_problem(422, "code_unknown");
        let found = &failures("activation.").await[0];
        assert_eq!((&found["target"], &found["details"]), (&json!(project), &json!({ "reason": "code_unknown" })));
        assert_eq!((&found["actor"]["kind"], found["request_id"].as_str()), (&json!("tenant"), refused.header("x-request-id")));

        // What a key and an operator may not do, and whom they may not make.
        let (key, program) = admin.create_api_key(&["plans:read"]).await;
        let refused = program.post("/api/admin/plans", &json!({ "name": "CANARY", "monthly_run_quota": 1 })).await.expect_problem(403, "forbidden");
        let found = &failures("access.").await[0];
        assert_eq!(found["actor"], actor("api_key", key["id"].as_str(), None));
        assert_eq!(found["details"], json!({ "missing": "plans:write", "operation": "POST /api/admin/plans" }));
        assert_eq!((found["request_id"].as_str(), &found["client_ip"]), (refused.header("x-request-id"), &json!("127.0.0.1")));
        let (key, program) = admin.create_api_key(&["operators:write", "api_keys:write"]).await;
        let path = format!("/api/admin/operators/{}", id(&admin.create_operator("ada@portal.example", "owner").await));
        let beyond = [
            program.post("/api/admin/api-keys", &json!({ "name": "CANARY", "scopes": ["codes:write"] })).await,
            program.post("/api/admin/operators", &json!({ "name": "CANARY", "email": "canary@portal.example", "role": "owner" })).await,
            program.patch(&path, &json!({ "role": "viewer" })).await,
            program.delete(&path).await,
        ];
        let found = failures("access.forbidden").await;
        assert_eq!(found.len(), 1 + beyond.len());
        for (refused, found) in beyond.into_iter().rev().zip(&found) {
            assert_eq!(found["request_id"].as_str(), refused.expect_problem(403, "forbidden").header("x-request-id"));
            assert_eq!(found["actor"], actor("api_key", key["id"].as_str(), None));
            assert!(found["details"]["missing"].as_str().unwrap().contains("codes:write"), "{found}");
        }

        // A suspended tenant, which is told what everybody is told.
        admin.post(&format!("/api/admin/tenants/{tenant}/suspend"), &json!({})).await.expect(204);
        acme.api.get("/api/tenant/events").await.expect_problem(401, "unauthenticated");
        api.ask_at(Door::Tenant, "acme").await.expect(202);
        let found = failures("otp.").await;
        assert_eq!((found.len(), &found[0]["action"], &found[0]["tenant_id"]), (1, &json!("otp.refused"), &json!(tenant)));
        let trail = admin.get("/api/admin/events?limit=200").await.expect(200).text;
        assert!(!trail.contains("CANARY") && !trail.contains("portal.example") && !trail.contains("12RY"), "{trail}");
    }
}
