//! What takes minutes or hours, on a clock that the test moves (attacks 2 and 13).

use serde_json::json;
use tenantry_tests::{Clocked, Door, on_both_databases};
use time::Duration;
use tokio::task::JoinSet;

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

    /// Attacks 2 and 13 at the operators' door: a password's end, rest, and the day's end.
    async fn an_operators_password_and_session_end_when_a_tenants_do(world: World) {
        let server = Clocked::start(&world).await;
        let ada = server.operator("owner", "ada@portal.example").await;
        server.clock.advance(Duration::hours(1));
        for (waited, status) in [(Duration::seconds(599), 200), (Duration::seconds(600), 401)] {
            let challenge = server.api().ask_at(Door::Operator, "ada@portal.example").await.expect(202).text_at("/challenge_id");
            let otp = server.otp().await;
            server.clock.advance(waited);
            server.api().answer_at(Door::Operator, &challenge, &otp).await.expect(status);
        }
        ada.get("/api/admin/auth/session").await.expect_problem(401, "unauthenticated");

        let ada = server.operator("viewer", "grace@portal.example").await;
        server.clock.advance(Duration::seconds(30 * 60 - 1));
        ada.get("/api/admin/auth/session").await.expect(200);
        server.clock.advance(Duration::minutes(30));
        ada.get("/api/admin/auth/session").await.expect_problem(401, "unauthenticated");
        ada.post("/api/admin/auth/refresh", &json!({})).await.expect_problem(401, "unauthenticated");

        let ada = server.operator("viewer", "ida@portal.example").await;
        let mut lived = Duration::ZERO;
        while lived + Duration::minutes(29) < Duration::DAY {
            lived += Duration::minutes(29);
            server.clock.advance(Duration::minutes(29));
            ada.post("/api/admin/auth/refresh", &json!({})).await.expect(200);
        }
        server.clock.advance(Duration::DAY - lived - Duration::SECOND);
        ada.get("/api/admin/auth/session").await.expect(200);
        server.clock.advance(Duration::SECOND);
        ada.get("/api/admin/auth/session").await.expect_problem(401, "unauthenticated");
    }

    async fn a_keys_use_is_written_once_a_minute_and_audited_once_an_hour(world: World) {
        let server = Clocked::start(&world).await;
        let admin = server.admin();
        let (made, program) = admin.create_api_key(&["plans:read"]).await;
        let key = format!("/api/admin/api-keys/{}", made["id"].as_str().unwrap());
        let last_used = async || admin.get(&key).await.expect(200).body["last_used_at"].clone();
        let audited = async || world.rows("SELECT id FROM audit_events WHERE action = 'api_key.used'").await.len();
        assert_eq!((last_used().await, audited().await), (json!(null), 0));
        program.get("/api/admin/plans").await.expect(200);
        assert_eq!((last_used().await, audited().await), (json!("2026-03-01T12:00:00Z"), 1));
        server.clock.advance(Duration::seconds(59));
        program.get("/api/admin/plans").await.expect(200);
        assert_eq!(last_used().await, "2026-03-01T12:00:00Z");
        server.clock.advance(Duration::seconds(1));
        // What is refused for want of a scope is a use too.
        program.get("/api/admin/tenants").await.expect_problem(403, "forbidden");
        assert_eq!((last_used().await, audited().await), (json!("2026-03-01T12:01:00Z"), 1));
        server.clock.advance(Duration::minutes(58));
        program.get("/api/admin/plans").await.expect(200);
        assert_eq!((last_used().await, audited().await), (json!("2026-03-01T12:59:00Z"), 1));
        server.clock.advance(Duration::minutes(1));
        program.get("/api/admin/plans").await.expect(200);
        assert_eq!((last_used().await, audited().await), (json!("2026-03-01T13:00:00Z"), 2));
    }

    async fn a_key_expires_at_its_end_and_not_before(world: World) {
        let server = Clocked::start(&world).await;
        for expiry in [json!({ "ttl_seconds": 60 }), json!({ "expires_at": "2026-03-01T12:02:00Z" })] {
            let mut wanted = json!({ "name": "CI", "scopes": ["plans:read"] });
            wanted.as_object_mut().unwrap().extend(expiry.as_object().unwrap().clone());
            let made = server.admin().post("/api/admin/api-keys", &wanted).await.expect(201);
            let program = server.api().with_bearer(&made.text_at("/api_key"));
            server.clock.advance(Duration::seconds(59));
            program.get("/api/admin/plans").await.expect(200);
            server.clock.advance(Duration::seconds(1));
            program.get("/api/admin/plans").await.expect_problem(401, "unauthenticated");
        }
    }

    async fn a_bootstrap_link_is_open_for_an_hour(world: World) {
        let server = Clocked::start(&world).await;
        let owner = json!({ "name": "Ada", "email": "ada@portal.example" });
        let (late, timely) = (server.bootstrap_path().await, server.bootstrap_path().await);
        server.clock.advance(Duration::seconds(3599));
        assert_eq!(server.api().get(&late).await.expect(200).body["expires_at"], "2026-03-01T13:00:00Z");
        server.clock.advance(Duration::SECOND);
        server.api().get(&late).await.expect_problem(404, "not_found");
        server.api().post(&late, &owner).await.expect_problem(404, "not_found");
        server.api().post(&timely, &owner).await.expect_problem(404, "not_found");
        server.api().post(&server.bootstrap_path().await, &owner).await.expect(201);
        assert!(world.rows("SELECT purpose FROM bootstrap_links").await.is_empty(), "the next link swept the old ones out");
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

    /// Quotas are of calendar months in UTC: of parallel activations as many succeed as each month has, and usage and ledger add up.
    async fn each_month_has_its_quota_whoever_races_across_its_end(world: World) {
        const QUOTA: usize = 3;
        let server = Clocked::start(&world).await;
        let admin = server.admin();
        let plan = admin.create_plan("Three", 3).await;
        let (tenant, _) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        admin.issue_codes(tenant["id"].as_str().unwrap(), &json!({ "count": 1, "max_uses": 100 })).await;
        // Noon on the first of March plus 30.5 days, less a microsecond, is March's last.
        server.clock.advance(Duration::hours(24 * 30 + 12) - Duration::MICROSECOND);
        let acme = server.sign_in("acme").await;
        let mut projects = Vec::new();
        for _ in 0..24 {
            projects.push(acme.create_project("Client").await["id"].as_str().unwrap().to_owned());
        }
        let race = async |projects: &[String]| {
            let mut racers = JoinSet::new();
            for project in projects {
                let (acme, project) = (acme.clone(), project.clone());
                racers.spawn(async move { acme.activate(&project, &json!({})).await });
            }
            let replies = racers.join_all().await;
            let refused = replies.iter().filter(|reply| reply.status == 403 && reply.body["code"] == "quota_exceeded").count();
            (replies.iter().filter(|reply| reply.status == 200).count(), refused)
        };
        let months = async || world.rows("SELECT year, month, activations FROM usage_months ORDER BY year, month").await;
        let month = |month: u8| json!({ "year": 2026, "month": month, "activations": QUOTA });
        assert_eq!(race(&projects[..12]).await, (QUOTA, 12 - QUOTA));
        assert_eq!(months().await, [month(3)]);
        server.clock.advance(Duration::MICROSECOND);
        assert_eq!(race(&projects[12..]).await, (QUOTA, 12 - QUOTA));
        assert_eq!(months().await, [month(3), month(4)]);
        let ledger = world.rows("SELECT 1 AS one FROM redemptions WHERE returned_at IS NULL").await;
        assert_eq!(ledger.len(), 2 * QUOTA);
        let usage = acme.get("/api/tenant/usage").await.expect(200).body;
        assert_eq!((&usage["used_this_month"], &usage["month_ends_at"]), (&json!(QUOTA), &json!("2026-05-01T00:00:00Z")));
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
