//! The rotation of keys, while servers are at work.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, DatabaseKind, Door, Finished, Reply, Server, World, database, on_both_databases, otp_in};

/// Runs `keys <verb>`, which must succeed.
async fn keys(world: &World, verb: &str) -> Finished {
    let run = world.builder().args(["keys", verb]).run().await;
    assert_eq!(run.exit_code, 0, "{run:?}");
    run
}

/// What `keys list` says that a key does, and what needs it; and the name that its certificates know it by.
async fn listed_with_kid(world: &World, id: &str) -> (String, String) {
    let run = keys(world, "list").await;
    let line = run.stdout.lines().find(|line| line.split_whitespace().next() == Some(id));
    let words: Vec<_> = line.unwrap_or_else(|| panic!("no {id}: {run:?}")).split_whitespace().collect();
    let [id, does, "kid", kid, needed @ ..] = words.as_slice() else { panic!("{words:?}") };
    (format!("{id} {does} {}", needed.join(" ")), (*kid).to_owned())
}

async fn listed(world: &World, id: &str) -> String {
    listed_with_kid(world, id).await.0
}

async fn execute(world: &World, statement: &str) {
    database::execute(world.database_url(), statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn digests(world: &World, table: &str) -> Vec<Value> {
    world
        .rows(&format!("SELECT CAST(hex AS text) AS hex FROM (SELECT {} AS hex FROM {table}) AS digests ORDER BY 1", hex(world)))
        .await
}

fn hex(world: &World) -> &'static str {
    match world.kind() {
        DatabaseKind::Postgres => "encode(token_digest, 'hex')",
        DatabaseKind::Sqlite => "hex(token_digest)",
    }
}

async fn keyed_plan(api: &Api, key: &str) -> Reply {
    let request = api.request(Method::POST, "/api/admin/plans").header("idempotency-key", key);
    api.send(request.json(&json!({ "name": key, "monthly_run_quota": 5 }))).await.expect(201)
}

/// Asks at one server for a password and gives it to another.
async fn signs_in_across(world: &World, here: &Server, there: &Server, email: &str) -> Api {
    let before = world.mail().received(email).len();
    let challenge = here.api().ask_for_otp("acme").await;
    let mails = world.mail().wait_for(email, before + 1, Duration::from_secs(30)).await;
    let session = there.api().verify_otp(&challenge, otp_in(&mails[before].text).unwrap()).await.expect(200);
    there.api().with_bearer(&session.text_at("/session_token"))
}

on_both_databases! {
    /// Attack 22: a key is added and promoted while servers are restarted one after another. At each step, what any of them made holds on all.
    async fn a_rotation_under_way_spoils_nothing_and_an_unknown_key_opens_nothing(world: World) {
        let last = if world.kind() == DatabaseKind::Postgres { 1 } else { 0 };
        let mut servers = Vec::new();
        for _ in 0..=last {
            servers.push(world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 100).start().await);
        }
        let admin = world.admin(&servers[0]);
        let acme = world.tenant(&servers[0], "acme").await;
        let tenant_id = acme.tenant["id"].as_str().unwrap().to_owned();
        let (key, _) = admin.create_api_key(&["plans:read"]).await;
        let program = servers[0].api().with_bearer(key["api_key"].as_str().unwrap());
        let for_many = admin.issue_codes(&tenant_id, &json!({ "count": 1, "max_uses": 20 })).await.remove(0);
        let challenge = servers[0].api().ask_for_otp("acme").await;
        let mails = world.mail().wait_for(&acme.email, 2, Duration::from_secs(30)).await;
        let old_password = otp_in(&mails[1].text).unwrap().to_owned();
        let first = keyed_plan(&admin, "answered-under-k1").await;

        let holds = async |servers: &[Server]| {
            for server in servers {
                acme.api.at(server.url()).get("/api/tenant/auth/session").await.expect(200);
                program.at(server.url()).get("/api/admin/plans").await.expect(200);
                let again = keyed_plan(&admin.at(server.url()), "answered-under-k1").await;
                assert_eq!((again.header("idempotency-replayed"), &again.text), (Some("true"), &first.text));
                let api = acme.api.at(server.url());
                let project = api.create_project("Client").await;
                api.activate(project["id"].as_str().unwrap(), &json!({ "code": for_many })).await.expect(200);
            }
            // What one makes the other finds, in both directions.
            for (here, there) in [(0, servers.len() - 1), (servers.len() - 1, 0)] {
                let (here, there) = (&servers[here], &servers[there]);
                let session = signs_in_across(&world, here, there, &acme.email).await;
                session.at(here.url()).get("/api/tenant/auth/session").await.expect(200);
                let code = world.admin(here).issue_codes(&tenant_id, &json!({ "count": 1 })).await.remove(0);
                let api = acme.api.at(there.url());
                let project = api.create_project("Client").await;
                api.activate(project["id"].as_str().unwrap(), &json!({ "code": code })).await.expect(200);
                let named = world.rows("SELECT id FROM plans").await.len();
                let key = format!("plan-{named}");
                let made = keyed_plan(&world.admin(here), &key).await;
                assert_eq!(keyed_plan(&world.admin(there), &key).await.text, made.text);
            }
        };
        holds(&servers).await;
        assert!(listed(&world, "k1").await.starts_with("k1 signs needed by"));

        let added = keys(&world, "rotate").await;
        assert!(added.stdout.starts_with("The key k2 is in "), "{added:?}");
        assert_eq!(fs::metadata(world.keys_file()).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(listed(&world, "k2").await.starts_with("k2 waits needed by nothing"));
        let twice = world.builder().args(["keys", "rotate"]).run().await;
        assert!(twice.exit_code == 1 && twice.logs.contains("k2 waits already"), "{twice:?}");
        for place in 0..=last {
            servers[place].restart().await;
            holds(&servers).await;
        }
        keys(&world, "promote").await;
        for place in 0..=last {
            servers[place].restart().await;
            holds(&servers).await;
        }
        assert!(listed(&world, "k2").await.starts_with("k2 signs needed by"));
        let published = servers[last].api().get("/.well-known/tenantry-keys.json").await.expect(200).body;
        for (place, id) in ["k2", "k1"].into_iter().enumerate() {
            assert_eq!(published["keys"][place]["kid"], listed_with_kid(&world, id).await.1, "{id}");
        }
        servers[last].api().verify_otp(&challenge, &old_password).await.expect(200);

        // What is used goes over to the key that signs, in a write that takes place anyway.
        let old = digests(&world, "api_keys").await;
        execute(&world, "UPDATE api_keys SET last_used_at = NULL").await;
        let long_ago = match world.kind() {
            DatabaseKind::Postgres => "now() - interval '2 minutes'",
            DatabaseKind::Sqlite => "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '-2 minutes')",
        };
        execute(&world, &format!("UPDATE tenant_sessions SET last_activity = {long_ago}")).await;
        holds(&servers).await;
        assert_ne!(digests(&world, "api_keys").await, old);

        // Without the former key, what went over holds. What didn't is unknown, and nothing fails for it.
        let unused = &acme.codes[9];
        let before = world.mail().received(&acme.email).len();
        let challenge = servers[0].api().ask_for_otp("acme").await;
        let mails = world.mail().wait_for(&acme.email, before + 1, Duration::from_secs(30)).await;
        let password = otp_in(&mails[before].text).unwrap();
        execute(&world, "UPDATE otp_challenges SET key_id = 'k9' WHERE consumed_at IS NULL").await;
        let ring = fs::read_to_string(world.keys_file()).unwrap();
        let alone: String = ring.lines().filter(|line| line.starts_with("k2:")).map(|line| format!("{line}\n")).collect();
        fs::write(world.keys_file(), alone).unwrap();
        for server in &mut servers {
            server.restart().await;
        }
        for server in &servers {
            acme.api.at(server.url()).get("/api/tenant/auth/session").await.expect(200);
            program.at(server.url()).get("/api/admin/plans").await.expect(200);
        }
        let api = acme.api.at(servers[last].url());
        let project = api.create_project("Client").await;
        let path = project["id"].as_str().unwrap();
        api.activate(path, &json!({ "code": unused })).await.expect_problem(422, "code_unknown");
        api.activate(path, &json!({ "code": for_many })).await.expect(200);
        servers[0].api().answer_at(Door::Tenant, &challenge, password).await.expect_problem(401, "invalid_otp");
        assert!(listed(&world, "k1").await.starts_with("k1 missing needed by"));
        for server in &servers {
            assert!(!server.logs().contains("panicked"));
        }
    }
}

/// Attack 22, its other half: a server in production starts with no ring that isn't there, hidden and random.
#[tokio::test]
async fn production_refuses_a_ring_that_is_missing_or_open_or_short() {
    let world = World::sqlite().await;
    let start = async || {
        let production = world.builder().env("TENANTRY__ENVIRONMENT", "production");
        let production =
            production.env("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example.com").mail_url("smtps://mail.example.com");
        let refused = production.try_start().await.err().expect("a refusal");
        assert_eq!(refused.exit_code, 1, "{refused:?}");
        refused.logs
    };
    assert!(start().await.contains("is missing"));
    fs::write(world.keys_file(), "k1:c2hvcnQ\n").unwrap();
    fs::set_permissions(world.keys_file(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(start().await.contains("chmod 600"));
    fs::set_permissions(world.keys_file(), fs::Permissions::from_mode(0o600)).unwrap();
    let short = start().await;
    assert!(short.contains("must have 32 bytes") && !short.contains("c2hvcnQ"), "{short}");
}
