//! Attack 17 at the API: what another site's page can make a browser send has no effect, and reads nothing. `console_sessions` has it with
//! cookies.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tenantry_tests::{Reply, on_both_databases};

/// As a page of another site sends it.
fn cross_site(request: RequestBuilder) -> RequestBuilder {
    request
        .header("origin", "https://evil.example")
        .header("referer", "https://evil.example/")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "cors")
}

#[track_caller]
fn shares_nothing(reply: &Reply) {
    let shared = reply.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(shared, None, "{reply:?}");
}

on_both_databases! {
    async fn what_another_site_can_send_has_no_effect(world: World) {
        let servers = world.servers().await;
        let server = &servers[servers.len() - 1];
        let acme = world.tenant(&servers[0], "acme").await;
        let (tenant, admin, stranger) = (acme.api.at(server.url()), world.admin(server), server.api());
        let project = json!({ "client_name": "Client" });
        let rows = async || {
            let count = "SELECT (SELECT count(*) FROM llm_project_config) AS projects, (SELECT count(*) FROM plans) AS plans,
                (SELECT count(*) FROM otp_challenges) AS challenges, (SELECT count(*) FROM tenant_sessions) AS sessions";
            world.rows(count).await
        };
        let before = rows().await;

        // JSON that says it is something else: the three types that a browser sends without asking first, and none at all.
        for content_type in ["text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
            for (who, path, body) in [
                (&tenant, "/api/tenant/projects", &project),
                (&admin, "/api/admin/plans", &json!({ "name": "Starter", "monthly_run_quota": 10 })),
                (&stranger, "/api/tenant/auth/otp/generate", &json!({ "tenant_slug": "acme" })),
            ] {
                let request = who.request(Method::POST, path).body(body.to_string());
                let request = if content_type.is_empty() { request } else { request.header("content-type", content_type) };
                let plain = request.try_clone().expect("a request");
                who.send(plain).await.expect_problem(415, "unsupported_media_type");
                shares_nothing(&who.send(cross_site(request)).await.expect_problem(403, "forbidden"));
            }
        }
        // A preflight is told of nothing that is allowed.
        for path in ["/api/tenant/projects", "/api/admin/plans", "/api/tenant/auth/otp/verify"] {
            let ask = stranger.request(Method::OPTIONS, path).header("access-control-request-method", "POST");
            let ask = ask.header("access-control-request-headers", "authorization, content-type");
            shares_nothing(&stranger.send(cross_site(ask)).await.expect_problem(405, "method_not_allowed"));
        }
        // Nothing that a browser adds by itself signs anybody in.
        let token = tenant.bearer().unwrap();
        for name in ["session", "session_token", "__Host-session", "__Host-tenantry", "token", "Authorization"] {
            let request = stranger.request(Method::POST, "/api/tenant/projects").header("cookie", format!("{name}={token}"));
            let request = request.json(&project);
            let plain = request.try_clone().expect("a request");
            stranger.send(plain).await.expect_problem(401, "unauthenticated");
            shares_nothing(&stranger.send(cross_site(request)).await.expect_problem(403, "forbidden"));
        }
        assert_eq!(rows().await, before, "nothing took place");

        // Nor does a bearer token help a foreign page: it has no business here, and could not read the answer.
        let ask = tenant.request(Method::POST, "/api/tenant/projects").json(&project);
        shares_nothing(&tenant.send(cross_site(ask)).await.expect_problem(403, "forbidden"));
        let read = tenant.send(cross_site(tenant.request(Method::GET, "/api/tenant/projects"))).await.expect(200);
        shares_nothing(&read);
        assert_eq!(read.body["items"].as_array().map(Vec::len), Some(0));
    }
}
