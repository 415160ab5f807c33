//! Sign-in under attack.

use serde_json::{Value, json};
use tenantry_tests::{Api, DatabaseKind, Door, World, database, on_both_databases};
use tokio::task::JoinSet;

use crate::attacks::{self, Account, PATIENCE, otp};

/// Creates a tenant without signing it in, so that its budgets are whole.
async fn unsigned_tenant(world: &World, admin: &Api, slug: &str) -> (Value, String) {
    let Account { made, email, .. } = attacks::account(world, admin, Door::Tenant, slug).await;
    (made, email)
}

on_both_databases! {
    /// Attack 3.
    async fn two_hundred_parallel_guesses_get_five_tries_and_then_the_right_code_fails(world: World) {
        attacks::parallel_guesses(world, Door::Tenant).await;
    }

    /// Attacks 4 and 28.
    async fn the_budget_of_failures_outlives_every_new_code_and_locks_nobody_out(world: World) {
        attacks::spent_budgets(world, Door::Tenant).await;
    }

    /// Attack 5.
    async fn a_hundred_parallel_requests_send_three_mails(world: World) {
        attacks::parallel_requests(world, Door::Tenant).await;
    }

    /// Attack 6.
    async fn another_spelling_is_the_same_account_or_none(world: World) {
        let server = world.server().await;
        let api = server.api();
        let (_, email) = unsigned_tenant(&world, &world.admin(&server), "acme").await;
        for slug in ["acme", "ACME", " aCmE "] {
            api.ask_for_otp(slug).await;
        }
        let again = json!({ "tenant_slug": "Acme" });
        api.post("/api/tenant/auth/otp/generate", &again).await.expect_problem(429, "rate_limited");
        assert_eq!(world.mail().wait_for(&email, 3, PATIENCE).await.len(), 3);
        // Look-alikes and dots are no spelling of it.
        for slug in ["аcme", "acme.", "ac.me", "ａｃｍｅ", "acme\u{200b}", ""] {
            let request = json!({ "tenant_slug": slug });
            api.post("/api/tenant/auth/otp/generate", &request).await.expect_problem(422, "validation_failed");
        }
    }

    /// Attack 8.
    async fn a_password_opens_only_its_own_challenge(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        let (_, acme_email) = unsigned_tenant(&world, &admin, "acme").await;
        let (_, beta_email) = unsigned_tenant(&world, &admin, "beta").await;
        let first = api.ask_for_otp("acme").await;
        let first_otp = otp(world.mail(), &acme_email, 1).await;
        let second = api.ask_for_otp("acme").await;
        let second_otp = otp(world.mail(), &acme_email, 2).await;
        let foreign = api.ask_for_otp("beta").await;
        let foreign_otp = otp(world.mail(), &beta_email, 1).await;
        if first_otp != second_otp {
            api.verify_otp(&second, &first_otp).await.expect_problem(401, "invalid_otp");
            api.verify_otp(&first, &second_otp).await.expect_problem(401, "invalid_otp");
        }
        if first_otp != foreign_otp {
            api.verify_otp(&foreign, &first_otp).await.expect_problem(401, "invalid_otp");
        }
        for challenge in ["otp_00000000000000000000000000000000", "ten_x", "", "'; DROP TABLE tenants; --"] {
            api.verify_otp(challenge, &first_otp).await.expect_problem(401, "invalid_otp");
        }
        assert_eq!(api.verify_otp(&first, &first_otp).await.expect(200).body["tenant"]["slug"], "acme");
        assert_eq!(api.verify_otp(&foreign, &foreign_otp).await.expect(200).body["tenant"]["slug"], "beta");
    }

    /// Attack 9.
    async fn thirty_two_right_verifications_make_one_session(world: World) {
        attacks::parallel_right_answers(world, Door::Tenant).await;
    }

    /// Attack 10.
    async fn known_unknown_and_suspended_look_alike(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        unsigned_tenant(&world, &admin, "known").await;
        let (suspended, _) = unsigned_tenant(&world, &admin, "suspended").await;
        admin.post(&format!("/api/admin/tenants/{}/suspend", suspended["id"].as_str().unwrap()), &json!({})).await.expect(204);
        attacks::names_look_alike(&api, Door::Tenant, &["known", "unknown", "suspended"]).await;
    }

    /// Attack 5 again, from a hundred addresses: nothing but the account's own bucket stands between.
    async fn distinct_addresses_share_the_accounts_bucket(world: World) {
        let mut servers = Vec::new();
        for _ in 0..(if world.kind() == DatabaseKind::Postgres { 2 } else { 1 }) {
            servers.push(world.builder().env("TENANTRY__HTTP__TRUSTED_PROXIES", "127.0.0.0/8").start().await);
        }
        unsigned_tenant(&world, &world.admin(&servers[0]), "acme").await;
        let mut racers = JoinSet::new();
        for number in 0..100 {
            let client = servers[number % servers.len()].api();
            racers.spawn(async move {
                let request = client.request(reqwest::Method::POST, "/api/tenant/auth/otp/generate");
                let request = request.header("x-forwarded-for", format!("198.51.100.{number}")).json(&json!({ "tenant_slug": "acme" }));
                client.send(request).await.status
            });
        }
        let replies = racers.join_all().await;
        assert_eq!(replies.iter().filter(|&&status| status == 202).count(), 3);
    }

    /// Attack 8 against who can write to the database: a password is bound to its challenge.
    async fn a_swapped_digest_opens_no_other_challenge(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        let (_, email) = unsigned_tenant(&world, &admin, "acme").await;
        unsigned_tenant(&world, &admin, "beta").await;
        let own = api.ask_for_otp("acme").await;
        let otp = otp(world.mail(), &email, 1).await;
        let other = api.ask_for_otp("acme").await;
        let swap = format!("UPDATE otp_challenges SET code_mac = (SELECT code_mac FROM otp_challenges WHERE id = {}) WHERE id = {}", world.uuid_literal(&own), world.uuid_literal(&other));
        assert_eq!(database::execute(world.database_url(), &swap).await.unwrap(), 1);
        api.verify_otp(&other, &otp).await.expect_problem(401, "invalid_otp");
    }

    /// The same: and to its tenant.
    async fn a_challenge_that_changes_hands_is_worth_nothing(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        let (_, email) = unsigned_tenant(&world, &admin, "acme").await;
        let (beta, _) = unsigned_tenant(&world, &admin, "beta").await;
        let own = api.ask_for_otp("acme").await;
        let otp = otp(world.mail(), &email, 1).await;
        let moved = format!("UPDATE otp_challenges SET tenant_id = {} WHERE id = {}", world.uuid_literal(beta["id"].as_str().unwrap()), world.uuid_literal(&own));
        assert_eq!(database::execute(world.database_url(), &moved).await.unwrap(), 1);
        api.verify_otp(&own, &otp).await.expect_problem(401, "invalid_otp");
    }

    /// Attack 10, in the database: a decoy is as much work.
    async fn known_unknown_and_suspended_leave_the_same_rows(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        unsigned_tenant(&world, &admin, "known").await;
        let (suspended, _) = unsigned_tenant(&world, &admin, "suspended").await;
        admin.post(&format!("/api/admin/tenants/{}/suspend", suspended["id"].as_str().unwrap()), &json!({})).await.expect(204);
        attacks::names_leave_the_same_rows(&world, &api, Door::Tenant, &["known", "unknown", "suspended"]).await;
    }

    /// Attack 24, as far as there is input that reaches a mail.
    async fn line_breaks_reach_no_mail(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let plan = admin.create_plan("Plan", 10).await;
        let base = json!({ "slug": "acme", "name": "Acme", "contact_email": "ops@acme.example", "plan_id": plan["id"] });
        for (field, value) in [
            ("contact_email", "ops@acme.example\r\nBcc: all@evil.example"),
            ("contact_email", "ops@acme.example, all@evil.example"),
            ("contact_email", "Ops <ops@acme.example>"),
            ("name", "Acme\r\nBcc: all@evil.example"),
            ("name", "Acme\u{2028}x"),
            ("slug", "acme\r\n"),
            ("logo_url", "https://a.example/\r\nx"),
        ] {
            let mut tenant = base.clone();
            tenant[field] = json!(value);
            let problem = admin.post("/api/admin/tenants", &tenant).await.expect_problem(422, "validation_failed");
            assert_eq!(problem.body["errors"][0]["pointer"], format!("/{field}"));
        }
        let (tenant, _) = admin.create_tenant("acme", plan["id"].as_str().unwrap(), "ops@acme.example").await;
        let label = json!({ "count": 1, "label": "a\r\nb" });
        let path = format!("/api/admin/tenants/{}/codes", tenant["id"].as_str().unwrap());
        admin.post(&path, &label).await.expect_problem(422, "validation_failed");
        server.api().ask_for_otp("acme").await;
        let mails = world.mail().wait_for("ops@acme.example", 1, PATIENCE).await;
        assert_eq!(mails[0].recipients, ["ops@acme.example"]);
        assert_eq!(world.mail().all().len(), 1);
    }

    async fn a_request_never_waits_for_the_mail_server(world: World) {
        let server = world.server().await;
        let (_, email) = unsigned_tenant(&world, &world.admin(&server), "acme").await;
        world.mail().stop().await;
        let challenge = server.api().ask_for_otp("acme").await;
        world.mail().start_again().await;
        let right = otp(world.mail(), &email, 1).await;
        server.api().verify_otp(&challenge, &right).await.expect(200);
    }
}
