//! Limits that hold across servers, restarts and spellings of an address.

use serde_json::json;
use tenantry_tests::{Reply, Server, on_both_databases};

async fn ask(server: &Server, slug: &str, forwarded_for: Option<&str>) -> Reply {
    let api = server.api();
    let mut request = api.request(reqwest::Method::POST, "/api/tenant/auth/otp/generate").json(&json!({ "tenant_slug": slug }));
    if let Some(address) = forwarded_for {
        for header in ["x-forwarded-for", "x-real-ip"] {
            request = request.header(header, address);
        }
        request = request.header("forwarded", format!("for={address}"));
    }
    api.send(request).await
}

on_both_databases! {
    async fn an_address_has_five_requests_whatever_it_claims_to_be(world: World) {
        let servers = world.builder_with_strict_limits().start().await;
        for number in 0..5 {
            ask(&servers, &format!("slug-{number}"), Some(&format!("198.51.100.{number}"))).await.expect(202);
        }
        let refused = ask(&servers, "another", Some("203.0.113.9")).await.expect_problem(429, "rate_limited");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }

    async fn behind_a_listed_proxy_addresses_count_and_an_ipv6_network_is_one(world: World) {
        let server = world.builder_with_strict_limits().env("TENANTRY__HTTP__TRUSTED_PROXIES", "127.0.0.0/8").start().await;
        for number in 0..5 {
            ask(&server, &format!("slug-{number}"), Some(&format!("2001:db8:1:2::{number}"))).await.expect(202);
        }
        ask(&server, "more", Some("2001:db8:1:2:ffff:ffff:ffff:ffff")).await.expect_problem(429, "rate_limited");
        ask(&server, "more", Some("2001:db8:1:3::1")).await.expect(202);
        ask(&server, "more", Some("evil, 198.51.100.7")).await.expect(202);
        // What a client writes itself stands on the left, and moves nothing.
        for number in 0..5 {
            ask(&server, &format!("left-{number}"), Some(&format!("203.0.113.{number}, 198.51.100.8"))).await.expect(202);
        }
        ask(&server, "left", Some("203.0.113.99, 198.51.100.8")).await.expect_problem(429, "rate_limited");
    }

    async fn a_restart_forgets_no_limit(world: World) {
        let mut server = world.server().await;
        for _ in 0..3 {
            ask(&server, "acme", None).await.expect(202);
        }
        ask(&server, "acme", None).await.expect_problem(429, "rate_limited");
        server.kill9().await;
        server.restart().await;
        ask(&server, "acme", None).await.expect_problem(429, "rate_limited");
    }
}
