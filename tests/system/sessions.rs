//! Sessions: what a token is worth, and until when.

use std::time::Duration;

use serde_json::json;
use tenantry_tests::{Api, World, database, on_both_databases, otp_in};

on_both_databases! {
    /// Attack 12.
    async fn hostile_authorization_headers_are_401_and_never_5xx(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let token = acme.api.bearer().unwrap().to_owned();
        let hostile: Vec<Vec<u8>> = [
            String::new(), "Bearer".into(), "Bearer ".into(), format!("Basic {token}"), format!("Bearer {token}x"), token.clone(),
            format!("Bearer {}", token.to_uppercase()), format!("Bearer tnk_{}", &token[4..]), format!("Bearer {}", "A".repeat(7000)),
            "Bearer ' OR 1=1 --".into(), format!("Bearer {token}, Bearer {token}"), format!("Bearer {token}\t{token}"),
        ].into_iter().map(String::into_bytes).chain([b"Bearer \xff\xfe\x80".to_vec()]).collect();
        let refused = async |header: Vec<u8>| {
            for path in ["/api/tenant/projects", "/api/admin/plans"] {
                let request = acme.api.anonymous().request(reqwest::Method::GET, path).header("authorization", header.clone());
                let reply = acme.api.send(request).await.expect_problem(401, "unauthenticated");
                assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
            }
        };
        for header in hostile {
            refused(header).await;
        }
        for place in (0..token.len()).step_by(5) {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            refused([b"Bearer ".as_slice(), &changed].concat()).await;
        }
        let twice = acme.api.request(reqwest::Method::GET, "/api/tenant/projects").header("authorization", format!("Bearer {token}"));
        acme.api.send(twice).await.expect_problem(401, "unauthenticated");
        acme.api.get("/api/tenant/projects").await.expect(200);
        // A session is no operator, an API key no tenant.
        acme.api.get("/api/admin/tenants").await.expect_problem(401, "unauthenticated");
        world.admin(&server).get("/api/tenant/projects").await.expect_problem(401, "unauthenticated");
    }

    async fn a_token_in_the_url_is_refused(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let token = acme.api.bearer().unwrap();
        for query in [format!("access_token={token}"), format!("search={token}"), "token=x".to_owned(), format!("search={}", token.to_uppercase())] {
            acme.api.get(&format!("/api/tenant/projects?{query}")).await.expect_problem(422, "validation_failed");
        }
        assert!(!server.logs().contains(token));
    }

    /// Attack 14, as far as there are no cookies yet: what came before a sign-in is worth nothing after it.
    async fn a_sign_in_makes_a_new_token_and_cookies_count_for_nothing(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let again = server.api().sign_in("acme", &acme.email, world.mail()).await;
        assert_ne!(acme.api.bearer(), again.bearer());
        let token = acme.api.bearer().unwrap();
        let request = server.api().request(reqwest::Method::GET, "/api/tenant/auth/session");
        let request = request.header("cookie", format!("__Host-session={token}; session={token}; session_token={token}"));
        let reply = server.api().send(request).await.expect_problem(401, "unauthenticated");
        assert_eq!(reply.header("set-cookie"), None);
    }

    /// Attack 15.
    async fn what_ends_a_session_on_one_server_ends_it_on_all(world: World) {
        let servers = world.servers().await;
        let (here, there) = (&servers[0], &servers[servers.len() - 1]);
        let acme = world.tenant(here, "acme").await;
        let tenant_path = format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
        let elsewhere = |api: &Api| api.at(there.url());
        let check = async |api: &Api, status: u16| drop(elsewhere(api).get("/api/tenant/auth/session").await.expect(status));

        check(&acme.api, 200).await;
        acme.api.post("/api/tenant/auth/logout", &json!({})).await.expect(204);
        check(&acme.api, 401).await;

        let first = here.api().sign_in("acme", &acme.email, world.mail()).await;
        let second = here.api().sign_in("acme", &acme.email, world.mail()).await;
        check(&first, 200).await;
        let sessions = second.get("/api/tenant/auth/sessions").await.expect(200).body;
        let other = sessions["items"].as_array().unwrap().iter().find(|session| session["current"] == false).unwrap()["id"].clone();
        second.delete(&format!("/api/tenant/auth/sessions/{}", other.as_str().unwrap())).await.expect(204);
        check(&first, 401).await;
        check(&second, 200).await;
        assert_eq!(second.post("/api/tenant/auth/sessions/revoke-all", &json!({})).await.expect(200).body["sessions_ended"], 1);
        check(&second, 401).await;

        let beta = world.tenant(here, "beta").await;
        check(&beta.api, 200).await;
        let beta_path = format!("/api/admin/tenants/{}", beta.tenant["id"].as_str().unwrap());
        world.admin(here).post(&format!("{beta_path}/suspend"), &json!({})).await.expect(204);
        check(&beta.api, 401).await;
        // Going on again brings no session back.
        world.admin(here).post(&format!("{beta_path}/resume"), &json!({})).await.expect(204);
        check(&beta.api, 401).await;
        let back = there.api().sign_in("beta", &beta.email, world.mail()).await;
        back.get("/api/tenant/auth/session").await.expect(200);
        world.admin(here).delete(&tenant_path).await.expect(204);
    }

    async fn refresh_never_passes_the_absolute_limit(world: World) {
        let server = world.builder().env("TENANTRY__SESSION__ABSOLUTE_SECONDS", 1800).start().await;
        let acme = world.tenant(&server, "acme").await;
        let before = acme.api.get("/api/tenant/auth/session").await.expect(200).body;
        let after = acme.api.post("/api/tenant/auth/refresh", &json!({})).await.expect(200).body;
        assert_eq!(after["absolute_expires_at"], before["absolute_expires_at"]);
        assert_eq!(after["expires_at"], before["absolute_expires_at"], "the idle limit would be later than the absolute one");
    }
}

/// A sign-in that is under way when its tenant is suspended doesn't come back with the tenant. On SQLite writers take turns anyway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_ends_a_sign_in_that_is_under_way() {
    let world = World::postgres().await;
    let server = world.server().await;
    let acme = world.tenant(&server, "acme").await;
    // Between a session's insertion and its commit lie two seconds.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON audit_events FOR EACH ROW WHEN (NEW.action = 'sign_in.succeeded') EXECUTE FUNCTION slow()";
    database::execute(world.database_url(), slow).await.unwrap();

    let api = server.api();
    let challenge = api.ask_for_otp("acme").await;
    let mails = world.mail().wait_for(&acme.email, 2, Duration::from_secs(30)).await;
    let otp = otp_in(&mails[1].text).unwrap().to_owned();
    let path = format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
    let signing_in = tokio::spawn(async move { api.verify_otp(&challenge, &otp).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let admin = world.admin(&server);
    admin.post(&format!("{path}/suspend"), &json!({})).await.expect(204);
    admin.post(&format!("{path}/resume"), &json!({})).await.expect(204);
    let session = server.api().with_bearer(&signing_in.await.unwrap().expect(200).text_at("/session_token"));
    session.get("/api/tenant/auth/session").await.expect_problem(401, "unauthenticated");
}
