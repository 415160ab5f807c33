//! Operators' sessions: what a token is worth, and until when.

use serde_json::json;
use tenantry_auth::{ApiKeyToken, OperatorSessionToken};
use tenantry_domain::{Scope, SystemEntropy};
use tenantry_tests::{Api, on_both_databases};

on_both_databases! {
    /// Attack 12, at the operators' door: whatever is wrong with a header, it is nobody's.
    async fn hostile_headers_of_operators_are_401_and_never_5xx(world: World) {
        let server = world.server().await;
        let owner = world.operator(&server, "owner", "ada@portal.example").await;
        let (_, key) = owner.api.create_api_key(&["plans:read"]).await;
        let refused = async |header: Vec<u8>| {
            for path in ["/api/admin/plans", "/api/admin/auth/session"] {
                let request = server.api().request(reqwest::Method::GET, path).header("authorization", header.clone());
                let reply = server.api().send(request).await.expect_problem(401, "unauthenticated");
                assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
            }
        };
        for api in [&owner.api, &key] {
            let token = api.bearer().unwrap().to_owned();
            let (prefix, rest) = token.split_at(4);
            let other = if prefix == "tno_" { "tnk_" } else { "tno_" };
            let hostile: Vec<Vec<u8>> = [
                prefix.to_owned(), format!("Bearer {prefix}"), format!("Basic {token}"), format!("Bearer {token}x"), token.clone(),
                format!("Bearer {}", token.to_uppercase()), format!("Bearer {other}{rest}"), format!("Bearer tns_{rest}"), format!("Bearer tnb_{rest}"),
                format!("Bearer {prefix}{}", "A".repeat(48)), format!("Bearer {prefix}{}", "A".repeat(7000)), format!("Bearer {prefix}' OR 1=1 --"),
                format!("Bearer {token}, Bearer {token}"), format!("Bearer {token}\t{token}"),
            ].into_iter().map(String::into_bytes).chain([[b"Bearer ".as_slice(), prefix.as_bytes(), b"\xff\xfe\x80"].concat()]).collect();
            for header in hostile {
                refused(header).await;
            }
            for place in (0..token.len()).step_by(5) {
                let mut changed = token.clone().into_bytes();
                changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
                refused([b"Bearer ".as_slice(), &changed].concat()).await;
            }
            api.get("/api/admin/plans").await.expect(200);
            api.get("/api/tenant/projects").await.expect_problem(401, "unauthenticated");
        }
        // Well formed, and of nobody.
        for nobodys in [OperatorSessionToken::generate(&SystemEntropy).reveal(), ApiKeyToken::generate(&SystemEntropy).reveal()] {
            refused(format!("Bearer {nobodys}").into_bytes()).await;
        }
        // Not in an address, where logs would keep them.
        for api in [&owner.api, &key] {
            let query = format!("/api/admin/plans?cursor={}", api.bearer().unwrap());
            api.get(&query).await.expect_problem(422, "validation_failed");
        }
    }

    /// Attack 14: the token changes at sign-in, and cookies count for nothing.
    async fn a_sign_in_makes_an_operator_a_new_token(world: World) {
        let server = world.server().await;
        let owner = world.operator(&server, "owner", "ada@portal.example").await;
        let again = server.api().sign_in_operator(&owner.email, world.mail()).await;
        assert_ne!(owner.api.bearer(), again.bearer());
        let token = again.bearer().unwrap();
        let request = server.api().request(reqwest::Method::GET, "/api/admin/auth/session");
        let reply = server.api().send(request.header("cookie", format!("__Host-session={token}; session={token}"))).await;
        assert_eq!(reply.expect_problem(401, "unauthenticated").header("set-cookie"), None);
    }

    /// Attack 15.
    async fn what_ends_an_operators_session_on_one_server_ends_it_on_all(world: World) {
        let servers = world.servers().await;
        let (here, there) = (&servers[0], &servers[servers.len() - 1]);
        let ada = world.operator(here, "manager", "ada@portal.example").await;
        let check = async |api: &Api, status: u16| drop(api.at(there.url()).get("/api/admin/auth/session").await.expect(status));

        check(&ada.api, 200).await;
        ada.api.post("/api/admin/auth/logout", &json!({})).await.expect(204);
        check(&ada.api, 401).await;

        let first = here.api().sign_in_operator(&ada.email, world.mail()).await;
        let second = here.api().sign_in_operator(&ada.email, world.mail()).await;
        let sessions = second.get("/api/admin/auth/sessions").await.expect(200).body;
        let other = sessions["items"].as_array().unwrap().iter().find(|session| session["current"] == false).unwrap()["id"].clone();
        assert!(!sessions.to_string().contains("tno_"), "{sessions}");
        let other = format!("/api/admin/auth/sessions/{}", other.as_str().unwrap());
        // Another operator's session is as good as missing.
        let eve = world.operator(here, "owner", "eve@portal.example").await;
        eve.api.delete(&other).await.expect_problem(404, "not_found");
        check(&first, 200).await;
        second.delete(&other).await.expect(204);
        check(&first, 401).await;
        check(&second, 200).await;
        assert_eq!(second.post("/api/admin/auth/sessions/revoke-all", &json!({})).await.expect(200).body["sessions_ended"], 1);
        check(&second, 401).await;
        check(&eve.api, 200).await;

        let back = here.api().with_bearer(&eve_signs_in_again(&world, here).await);
        check(&back, 200).await;
        world.admin(here).create_operator("last@portal.example", "owner").await;
        world.admin(here).delete(&eve.path()).await.expect(204);
        check(&back, 401).await;
        check(&eve.api, 401).await;
    }

    /// A new role holds from the next request on, on every server, for the sessions that are there.
    async fn a_new_role_holds_at_once_everywhere(world: World) {
        let servers = world.servers().await;
        let (here, there) = (&servers[0], &servers[servers.len() - 1]);
        let admin = world.admin(here);
        let ada = world.operator(here, "manager", "ada@portal.example").await;
        let elsewhere = ada.api.at(there.url());
        let scopes = async || elsewhere.get("/api/admin/auth/session").await.expect(200).body["scopes"].as_array().unwrap().len();
        assert_eq!(scopes().await, 11);
        for (role, count, operators) in [("viewer", 7, 403), ("owner", Scope::ALL.len(), 200), ("manager", 11, 403)] {
            if role == "manager" {
                admin.create_operator("another@portal.example", "owner").await;
            }
            let changed = admin.patch(&ada.path(), &json!({ "role": role })).await.expect(200).body;
            assert_eq!((&changed["role"], &changed["email"]), (&json!(role), &json!(ada.email)));
            assert_eq!(scopes().await, count, "{role}");
            elsewhere.get("/api/admin/operators").await.expect(operators);
        }
    }

    async fn an_operators_refresh_never_passes_the_absolute_limit(world: World) {
        let server = world.builder().env("TENANTRY__SESSION__ABSOLUTE_SECONDS", 1800).start().await;
        let ada = world.operator(&server, "viewer", "ada@portal.example").await;
        let before = ada.api.get("/api/admin/auth/session").await.expect(200).body;
        let after = ada.api.post("/api/admin/auth/refresh", &json!({})).await.expect(200).body;
        assert_eq!(after["session"]["absolute_expires_at"], before["session"]["absolute_expires_at"]);
        assert_eq!(after["session"]["expires_at"], before["session"]["absolute_expires_at"]);
        // An API key has no session to lengthen, to list or to end.
        let admin = world.admin(&server);
        let current = admin.get("/api/admin/auth/session").await.expect(200).body;
        assert_eq!((&current["api_key"]["name"], &current["api_key"]["id"], &current["session"]), (&json!("bootstrap"), &json!(null), &json!(null)));
        for path in ["refresh", "logout", "sessions/revoke-all"] {
            admin.post(&format!("/api/admin/auth/{path}"), &json!({})).await.expect_problem(403, "forbidden");
        }
        admin.get("/api/admin/auth/sessions").await.expect_problem(403, "forbidden");
        admin.delete("/api/admin/auth/sessions/ops_018bcfe568007000800000000000000a").await.expect_problem(403, "forbidden");
    }
}

async fn eve_signs_in_again(world: &tenantry_tests::World, server: &tenantry_tests::Server) -> String {
    let eve = server.api().sign_in_operator("eve@portal.example", world.mail()).await;
    eve.bearer().unwrap().to_owned()
}
