//! API keys: made, used, handed on no further than their maker's own, and revoked.

use serde_json::{Value, json};
use tenantry_domain::Scope;
use tenantry_tests::on_both_databases;

on_both_databases! {
    async fn a_keys_text_is_shown_once(world: World) {
        let server = world.server().await;
        let owner = world.operator(&server, "owner", "ada@portal.example").await;
        let made = owner.api.post("/api/admin/api-keys", &json!({ "name": " CI ", "scopes": ["codes:read", "codes:write", "codes:read"], "ttl_seconds": 3600 })).await.expect(201);
        let text = made.text_at("/api_key");
        assert!(text.starts_with("tnk_") && text.len() == 52);
        assert_eq!((&made.body["name"], &made.body["scopes"]), (&json!("CI"), &json!(["codes:read", "codes:write"])));
        let path = made.header("location").unwrap();
        let mut shown = made.body.clone();
        shown.as_object_mut().unwrap().remove("api_key");
        assert_eq!(owner.api.get(path).await.expect(200).body, shown);
        assert_eq!(owner.api.get("/api/admin/api-keys").await.expect(200).body["items"], json!([shown]));

        owner.api.delete(path).await.expect(204);
        let revoked = owner.api.get(path).await.expect(200).body;
        assert!(revoked["revoked_at"].is_string());
        owner.api.delete(path).await.expect(204);
        assert_eq!(owner.api.get(path).await.expect(200).body, revoked, "doing so again changes nothing");
        let unknown = "/api/admin/api-keys/key_018bcfe568007000800000000000000a";
        owner.api.get(unknown).await.expect_problem(404, "not_found");
        owner.api.delete(unknown).await.expect_problem(404, "not_found");
        let events = world.rows("SELECT action FROM audit_events WHERE action LIKE 'api_key.%' ORDER BY id").await;
        assert_eq!(Value::from(events), json!([{ "action": "api_key.created" }, { "action": "api_key.revoked" }]));
    }

    async fn a_key_that_cannot_be_is_refused_field_by_field(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let refused = async |body: Value, pointers: &[&str]| {
            let problem = admin.post("/api/admin/api-keys", &body).await.expect_problem(422, "validation_failed");
            let errors = problem.body["errors"].as_array().unwrap();
            assert_eq!(errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect::<Vec<_>>(), pointers, "{problem:?}");
        };
        refused(json!({ "name": "", "scopes": ["codes:read", "moon:write", "all"], "ttl_seconds": 0 }), &["/name", "/scopes/1", "/scopes/2", "/ttl_seconds"]).await;
        refused(json!({ "name": "CI", "scopes": [] }), &["/scopes"]).await;
        refused(json!({ "name": "CI", "scopes": ["codes:read"], "expires_at": "2020-01-01T00:00:00Z" }), &["/expires_at"]).await;
        refused(json!({ "name": "CI", "scopes": ["codes:read"], "expires_at": "tomorrow" }), &["/expires_at"]).await;
        refused(json!({ "name": "CI", "scopes": ["codes:read"], "expires_at": "2999-01-01T00:00:00Z", "ttl_seconds": 1 }), &["/ttl_seconds"]).await;
        refused(json!({ "name": "CI", "scopes": ["codes:read"], "created_by": "opr_018bcfe568007000800000000000000a" }), &["/created_by"]).await;
        let dated = json!({ "name": "CI", "scopes": ["codes:read"], "expires_at": "2999-01-01T01:00:00+01:00" });
        assert_eq!(admin.post("/api/admin/api-keys", &dated).await.expect(201).body["expires_at"], "2999-01-01T00:00:00Z");
        assert_eq!(admin.get("/api/admin/api-keys").await.expect(200).body["items"].as_array().unwrap().len(), 1);
    }

    /// Nobody hands on what it doesn't have, not to a key, not to an operator; and a key makes keys.
    async fn nobody_hands_on_what_it_does_not_have(world: World) {
        let server = world.server().await;
        let owner = world.operator(&server, "owner", "ada@portal.example").await;
        let (_, maker) = owner.api.create_api_key(&["api_keys:write", "operators:write", "codes:read", "plans:read", "tenants:read", "projects:read", "audit:read", "stats:read", "messages:read"]).await;
        let refused = async |path: &str, body: Value, lacks: &str| {
            let problem = maker.post(path, &body).await.expect_problem(403, "forbidden");
            assert!(problem.text_at("/detail").contains(lacks), "{problem:?}");
        };
        refused("/api/admin/api-keys", json!({ "name": "More", "scopes": ["codes:read", "codes:write"] }), "codes:write").await;
        refused("/api/admin/operators", json!({ "name": "Eve", "email": "eve@evil.example", "role": "owner" }), "plans:write").await;
        refused("/api/admin/operators", json!({ "name": "Eve", "email": "eve@evil.example", "role": "manager" }), "codes:write").await;
        let (made, narrow) = maker.create_api_key(&["codes:read"]).await;
        assert_eq!(made["created_by"], json!(null), "a key made it");
        narrow.post("/api/admin/api-keys", &json!({ "name": "More", "scopes": ["codes:read"] })).await.expect_problem(403, "forbidden");

        // A viewer is within it: it may make one, and not what is above it, by no way round.
        let viewer = maker.create_operator("eve@evil.example", "viewer").await;
        let viewer = format!("/api/admin/operators/{}", viewer["id"].as_str().unwrap());
        maker.patch(&viewer, &json!({ "role": "owner" })).await.expect_problem(403, "forbidden");
        maker.patch(&owner.path(), &json!({ "name": "Not Ada" })).await.expect_problem(403, "forbidden");
        maker.delete(&owner.path()).await.expect_problem(403, "forbidden");
        maker.patch(&viewer, &json!({ "name": "Eve" })).await.expect(200);
        maker.delete(&viewer).await.expect(204);
        // Its address is none of what can change: whoever could move it could sign in as another.
        owner.api.patch(&owner.path(), &json!({ "email": "eve@evil.example" })).await.expect_problem(422, "validation_failed");
    }

    /// A key outlives its maker, whose number stays beside it, so that who looks for it finds it.
    async fn a_key_outlives_its_maker(world: World) {
        let server = world.server().await;
        let (owner, other) = (world.operator(&server, "owner", "ada@portal.example").await, world.operator(&server, "owner", "eve@portal.example").await);
        let (made, program) = owner.api.create_api_key(&["plans:read"]).await;
        other.api.delete(&owner.path()).await.expect(204);
        owner.api.get("/api/admin/plans").await.expect_problem(401, "unauthenticated");
        program.get("/api/admin/plans").await.expect(200);
        let key = format!("/api/admin/api-keys/{}", made["id"].as_str().unwrap());
        assert_eq!(other.api.get(&key).await.expect(200).body["created_by"], owner.operator["id"]);
        other.api.delete(&key).await.expect(204);
        program.get("/api/admin/plans").await.expect_problem(401, "unauthenticated");
    }

    /// The configured key has every scope, and needs no row.
    async fn the_configured_key_stays(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        assert_eq!(admin.get("/api/admin/auth/session").await.expect(200).body["scopes"].as_array().unwrap().len(), Scope::ALL.len());
        assert!(world.rows("SELECT id FROM api_keys").await.is_empty());
    }
}
