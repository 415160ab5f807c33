//! Sign-in under attack.

use std::time::Duration;

use serde_json::{Value, json};
use tenantry_tests::{Api, DatabaseKind, MailServer, Reply, World, database, on_both_databases, otp_in};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);

/// Creates a tenant without signing it in, so that its budgets are whole.
async fn unsigned_tenant(world: &World, admin: &Api, slug: &str) -> (Value, String) {
    let plan = admin.create_plan(&format!("Plan of {slug}"), 10).await;
    let email = format!("{slug}@tenant.example");
    let (tenant, _) = admin.create_tenant(slug, plan["id"].as_str().unwrap(), &email).await;
    assert!(world.mail().received(&email).is_empty());
    (tenant, email)
}

/// The password of the `number`-th mail to an address, counted from 1.
async fn otp(mail: &MailServer, email: &str, number: usize) -> String {
    let mails = mail.wait_for(email, number, PATIENCE).await;
    otp_in(&mails[number - 1].text).unwrap_or_else(|| panic!("no password in {:?}", mails[number - 1])).to_owned()
}

/// A password that the right one is not.
fn other_than(otp: &str) -> String {
    format!("{:06}", (otp.parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn verify_at_once(clients: &[Api], challenge: &str, guesses: Vec<String>) -> Vec<Reply> {
    let mut racers = JoinSet::new();
    for (number, guess) in guesses.into_iter().enumerate() {
        let (client, challenge) = (clients[number % clients.len()].clone(), challenge.to_owned());
        racers.spawn(async move { client.verify_otp(&challenge, &guess).await });
    }
    racers.join_all().await
}

on_both_databases! {
    /// Attack 3.
    async fn two_hundred_parallel_guesses_get_five_tries_and_then_the_right_code_fails(world: World) {
        let servers = world.servers().await;
        let (_, email) = unsigned_tenant(&world, &world.admin(&servers[0]), "acme").await;
        let clients: Vec<Api> = servers.iter().map(tenantry_tests::Server::api).collect();
        let challenge = clients[0].ask_for_otp("acme").await;
        let right = otp(world.mail(), &email, 1).await;
        let wrong = other_than(&right);
        let replies = verify_at_once(&clients, &challenge, vec![wrong; 200]).await;
        assert!(replies.iter().all(|reply| reply.status == 401 && reply.body["code"] == "invalid_otp"), "{replies:?}");
        assert_eq!(world.attempts_of_the_only_challenge().await, 5, "tries that were compared");
        clients[0].verify_otp(&challenge, &right).await.expect_problem(401, "invalid_otp");
    }

    /// Attacks 4 and 28: the account's budget of ten failures is never reset by a new code; when it is spent the mail carries a wide code, so
    /// the tenant still signs in.
    async fn the_budget_of_failures_outlives_every_new_code_and_locks_nobody_out(world: World) {
        let server = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 10).start().await;
        let api = server.api();
        let (_, email) = unsigned_tenant(&world, &world.admin(&server), "acme").await;
        for (number, wrong_tries) in [(1, 4), (2, 4)] {
            let challenge = api.ask_for_otp("acme").await;
            let right = otp(world.mail(), &email, number).await;
            for _ in 0..wrong_tries {
                api.verify_otp(&challenge, &other_than(&right)).await.expect_problem(401, "invalid_otp");
            }
        }
        // Eight failures stand. A success resets nothing.
        let challenge = api.ask_for_otp("acme").await;
        let right = otp(world.mail(), &email, 3).await;
        api.verify_otp(&challenge, &right).await.expect(200);
        let challenge = api.ask_for_otp("acme").await;
        let right = otp(world.mail(), &email, 4).await;
        for _ in 0..2 {
            api.verify_otp(&challenge, &other_than(&right)).await.expect_problem(401, "invalid_otp");
        }
        // Ten: six digits are worth nothing any more, not even the right ones, though this challenge had two tries only.
        api.verify_otp(&challenge, &right).await.expect_problem(401, "invalid_otp");
        let challenge = api.ask_for_otp("acme").await;
        let mails = world.mail().wait_for(&email, 5, PATIENCE).await;
        assert_eq!(otp_in(&mails[4].text), None, "no six digits any more: {}", mails[4].text);
        let wide = mails[4].text.split_whitespace().find(|word| word.len() == 15 && word.matches('-').count() == 2).expect("a wide code");
        api.verify_otp(&challenge, "00000-0000-0000").await.expect_problem(401, "invalid_otp");
        api.verify_otp(&challenge, &wide.to_lowercase()).await.expect(200);
    }

    /// Attack 5.
    async fn a_hundred_parallel_requests_send_three_mails(world: World) {
        let servers = world.servers().await;
        let (_, email) = unsigned_tenant(&world, &world.admin(&servers[0]), "acme").await;
        let mut racers = JoinSet::new();
        for number in 0..100 {
            let client = servers[number % servers.len()].api();
            racers.spawn(async move { client.post("/api/tenant/auth/otp/generate", &json!({ "tenant_slug": "acme" })).await });
        }
        let replies = racers.join_all().await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 202).count(), 3);
        for reply in replies.into_iter().filter(|reply| reply.status != 202) {
            let reply = reply.expect_problem(429, "rate_limited");
            let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            // The moment that a request is told from may be a second behind that of another, which was first.
            assert!((1..=602).contains(&wait), "one each ten minutes: {wait}");
        }
        world.mail().wait_for(&email, 3, PATIENCE).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.mail().received(&email).len(), 3);
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
        let servers = world.servers().await;
        let (_, email) = unsigned_tenant(&world, &world.admin(&servers[0]), "acme").await;
        let clients: Vec<Api> = servers.iter().map(tenantry_tests::Server::api).collect();
        let challenge = clients[0].ask_for_otp("acme").await;
        let right = otp(world.mail(), &email, 1).await;
        let replies = verify_at_once(&clients, &challenge, vec![right; 32]).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 31));
        assert!(lost.iter().all(|reply| reply.body["code"] == "invalid_otp"));
        let api = clients[0].with_bearer(&won[0].text_at("/session_token"));
        assert_eq!(api.get("/api/tenant/auth/sessions").await.expect(200).body["items"].as_array().unwrap().len(), 1);
    }

    /// Attack 10.
    async fn known_unknown_and_suspended_look_alike(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        unsigned_tenant(&world, &admin, "known").await;
        let (suspended, _) = unsigned_tenant(&world, &admin, "suspended").await;
        admin.post(&format!("/api/admin/tenants/{}/suspend", suspended["id"].as_str().unwrap()), &json!({})).await.expect(204);
        let mut shapes = Vec::new();
        for slug in ["known", "unknown", "suspended"] {
            let mut answers = Vec::new();
            for _ in 0..4 {
                let reply = api.post("/api/tenant/auth/otp/generate", &json!({ "tenant_slug": slug })).await;
                let challenge = reply.body["challenge_id"].as_str().unwrap_or("none").to_owned();
                answers.push(without_random(&reply));
                answers.push(without_random(&api.verify_otp(&challenge, "271828").await));
            }
            shapes.push(answers);
        }
        assert_eq!(shapes[0], shapes[1]);
        assert_eq!(shapes[0], shapes[2]);
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
        let count = async || {
            let mut counts = Vec::new();
            for table in ["otp_challenges", "outbox", "audit_events"] {
                counts.push(world.rows(&format!("SELECT created_at FROM {table}")).await.len());
            }
            counts
        };
        let mut grown = Vec::new();
        for slug in ["known", "unknown", "suspended"] {
            let before = count().await;
            api.ask_for_otp(slug).await;
            grown.push(count().await.iter().zip(before).map(|(after, before)| after - before).collect::<Vec<_>>());
        }
        assert!(grown.iter().all(|rows| *rows == grown[0]), "{grown:?}");
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

/// All that a stranger sees of an answer, but for what is random by design.
fn without_random(reply: &Reply) -> String {
    let mut headers: Vec<String> = reply
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let mut body = reply.body.clone();
    for random in ["challenge_id", "instance"] {
        if let Some(value) = body.get_mut(random) {
            *value = json!(value.as_str().unwrap().len());
        }
    }
    // The seconds to wait run down between the calls.
    headers.retain(|header| !header.starts_with("retry-after"));
    format!("{} {headers:?} {body}", reply.status)
}
