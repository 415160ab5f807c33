//! What takes minutes or hours, on a clock that the test moves (attacks 2 and 13).

use serde_json::json;
use tenantry_tests::{Clocked, on_both_databases};
use time::Duration;

on_both_databases! {
    /// Attack 2.
    async fn a_password_is_good_until_a_second_before_its_end_and_not_at_it(world: World) {
        let server = Clocked::start(&world).await;
        server.tenant("acme").await;
        for (waited, status) in [(Duration::seconds(599), 200), (Duration::seconds(600), 401), (Duration::hours(2), 401)] {
            let challenge = server.api().ask_for_otp("acme").await;
            let otp = server.otp().await;
            server.clock.advance(waited);
            server.api().verify_otp(&challenge, &otp).await.expect(status);
            server.clock.advance(Duration::hours(1));
        }
    }

    /// Attack 13, idle.
    async fn thirty_minutes_of_rest_end_a_session(world: World) {
        let server = Clocked::start(&world).await;
        let acme = server.tenant("acme").await;
        server.clock.advance(Duration::seconds(30 * 60 - 1));
        acme.get("/api/tenant/auth/session").await.expect(200);
        server.clock.advance(Duration::minutes(30));
        acme.get("/api/tenant/auth/session").await.expect_problem(401, "unauthenticated");
        acme.post("/api/tenant/auth/refresh", &json!({})).await.expect_problem(401, "unauthenticated");
    }

    /// Attack 13, absolute.
    async fn a_session_in_use_ends_after_a_day(world: World) {
        let server = Clocked::start(&world).await;
        let acme = server.tenant("acme").await;
        let mut lived = Duration::ZERO;
        while lived + Duration::minutes(29) < Duration::DAY {
            lived += Duration::minutes(29);
            server.clock.advance(Duration::minutes(29));
            acme.post("/api/tenant/auth/refresh", &json!({})).await.expect(200);
        }
        server.clock.advance(Duration::DAY - lived - Duration::SECOND);
        acme.get("/api/tenant/auth/session").await.expect(200);
        server.clock.advance(Duration::SECOND);
        acme.get("/api/tenant/auth/session").await.expect_problem(401, "unauthenticated");
    }

    async fn activity_is_written_once_a_minute(world: World) {
        let server = Clocked::start(&world).await;
        let acme = server.tenant("acme").await;
        let last_activity = async || acme.get("/api/tenant/auth/sessions").await.expect(200).text_at("/items/0/last_activity");
        let signed_in = last_activity().await;
        server.clock.advance(Duration::seconds(59));
        assert_eq!(last_activity().await, signed_in);
        server.clock.advance(Duration::seconds(1));
        assert_ne!(last_activity().await, signed_in);
    }

    async fn one_more_password_every_ten_minutes(world: World) {
        let server = Clocked::start(&world).await;
        let ask = async || server.api().post("/api/tenant/auth/otp/generate", &json!({ "tenant_slug": "acme" })).await;
        for _ in 0..3 {
            ask().await.expect(202);
        }
        let wait = ask().await.expect_problem(429, "rate_limited");
        assert_eq!(wait.header("retry-after"), Some("600"));
        server.clock.advance(Duration::seconds(599));
        ask().await.expect_problem(429, "rate_limited");
        server.clock.advance(Duration::seconds(1));
        ask().await.expect(202);
        ask().await.expect_problem(429, "rate_limited");
    }

    async fn a_code_expires_at_its_end_and_the_month_turns_in_utc(world: World) {
        let server = Clocked::start(&world).await;
        let admin = server.admin();
        let plan = admin.create_plan("One", 1).await;
        let (tenant, _) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        let codes = admin.issue_codes(tenant["id"].as_str().unwrap(), &json!({ "count": 2, "ttl_seconds": 60 })).await;
        let acme = server.sign_in("acme").await;
        let first = acme.create_project("First").await;
        let second = acme.create_project("Second").await;
        let (first, second) = (first["id"].as_str().unwrap(), second["id"].as_str().unwrap());
        server.clock.advance(Duration::seconds(59));
        acme.activate(first, &json!({ "code": codes[0] })).await.expect(200);
        acme.activate(second, &json!({ "code": codes[1] })).await.expect_problem(403, "quota_exceeded");
        server.clock.advance(Duration::seconds(1));
        acme.activate(second, &json!({ "code": codes[1] })).await.expect_problem(409, "code_expired");
        // Noon on the first of March plus 30.5 days is the first of April.
        server.clock.advance(Duration::hours(24 * 30 + 12));
        let acme = server.sign_in("acme").await;
        acme.activate(second, &json!({})).await.expect(200);
    }
}
