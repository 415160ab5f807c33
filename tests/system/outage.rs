//! PostgreSQL goes away and comes back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;
use tenantry_tests::{PostgresCluster, Server, World, database, effort, otp_in};
use tokio::task::JoinSet;

/// Attack 12, its second half: a mistyped token never reaches the database. Attack 27, as far as there are verifications: no session without a
/// database, and the server recovers alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_server_says_so_and_recovers_alone() {
    let cluster = PostgresCluster::start().await;
    let world = World::on(&cluster).await;
    let server = world.server().await;
    let acme = world.tenant(&server, "acme").await;
    let challenge = server.api().ask_for_otp("acme").await;
    let mails = world.mail().wait_for(&acme.email, 2, Duration::from_secs(30)).await;
    let otp = otp_in(&mails[1].text).unwrap();
    let link = server.bootstrap_path().await;
    let owner = world.operator(&server, "owner", "ada@portal.example").await;
    let (_, program) = owner.api.create_api_key(&["plans:read"]).await;

    cluster.crash().await;
    for (token, path) in [
        (acme.api.bearer(), "/api/tenant/projects"),
        (owner.api.bearer(), "/api/admin/plans"),
        (program.bearer(), "/api/admin/plans"),
    ] {
        for mistyped in mistyped(token.unwrap(), 4) {
            server.api().with_bearer(&mistyped).get(path).await.expect_problem(401, "unauthenticated");
        }
    }
    for mistyped in mistyped(&link, "/bootstrap/tnb_".len()) {
        server.api().get(&mistyped).await.expect_problem(404, "not_found");
    }
    for api in [&owner.api, &program] {
        api.get("/api/admin/auth/session").await.expect_problem(503, "unavailable");
    }
    // The key of the configuration needs no database.
    world.admin(&server).get("/api/admin/auth/session").await.expect(200);
    for reply in [acme.api.get("/api/tenant/projects").await, server.api().verify_otp(&challenge, otp).await] {
        assert!(reply.expect_problem(503, "unavailable").header("retry-after").is_some());
    }
    server.api().get("/health/live").await.expect(200);
    server.api().get("/.well-known/tenantry-keys.json").await.expect(200);
    readiness(&server, 503).await;
    cluster.start_again().await;
    readiness(&server, 200).await;
    assert_eq!(acme.api.get("/api/tenant/auth/sessions").await.expect(200).body["items"].as_array().unwrap().len(), 1);
    server.api().verify_otp(&challenge, otp).await.expect(200);
    acme.api.post("/api/tenant/projects", &json!({ "client_name": "Client" })).await.expect(201);
    for api in [&owner.api, &program] {
        api.get("/api/admin/plans").await.expect(200);
    }
}

/// Makes the commit of a session take long enough for a crash to come amid it.
const SLOW_COMMITS: [&str; 2] = [
    "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON tenant_sessions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()",
];

/// Attack 27: whatever moment of a verification the database is killed in, the answer is a session that lasts, or 503 and none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_amid_verifications_leaves_whole_sessions_or_none() {
    const TENANTS: usize = 8;
    let cluster = PostgresCluster::start().await;
    let world = World::on(&cluster).await;
    let servers = world.servers().await;
    for statement in SLOW_COMMITS {
        database::execute(world.database_url(), statement).await.unwrap();
    }
    let mut answers = BTreeMap::new();
    for round in 0..effort(3, 40) {
        let verifications = world.asked_passwords(&servers[0], &format!("tenant-{round}"), TENANTS).await;
        let mut racers = JoinSet::new();
        for (number, (challenge, otp)) in verifications.iter().cloned().enumerate() {
            let api = servers[number % servers.len()].api();
            racers.spawn(async move { (number, api.verify_otp(&challenge, &otp).await) });
        }
        // Another moment each round: before the first commit, amid those of sessions, after some.
        tokio::time::sleep(Duration::from_millis(10 + 250 * (round % 4) as u64)).await;
        cluster.crash().await;
        let replies = racers.join_all().await;
        cluster.start_again().await;
        for server in &servers {
            readiness(server, 200).await;
        }
        for (number, reply) in replies {
            *answers.entry(reply.status).or_insert(0) += 1;
            let (challenge, otp) = &verifications[number];
            if reply.status == 200 {
                let api = servers[(number + 1) % servers.len()].api().with_bearer(&reply.text_at("/session_token"));
                api.get("/api/tenant/auth/session").await.expect(200);
                continue;
            }
            assert!(!reply.text.contains("tns_"), "{reply:?}");
            reply.expect_problem(503, "unavailable");
            // Its password signs in now, unless the commit was made and its answer lost: then nobody has the token.
            let again = servers[number % servers.len()].api().verify_otp(challenge, otp).await;
            assert!(matches!(again.status, 200 | 401), "{again:?}");
        }
        let sessions = world.rows("SELECT CAST(count(*) AS bigint) AS sessions FROM tenant_sessions GROUP BY tenant_id").await;
        assert_eq!(sessions.len(), (round + 1) * TENANTS, "each password made a session");
        assert!(sessions.iter().all(|tenant| tenant["sessions"] == 1), "and one alone: {sessions:?}");
    }
    println!("answers of verifications amid crashes: {answers:?}");
}

/// A token with another character here and there, from `start` on.
fn mistyped(token: &str, start: usize) -> Vec<String> {
    let change = |place: usize| {
        let mut mistyped = token.to_owned().into_bytes();
        mistyped[place] = if mistyped[place] == b'A' { b'B' } else { b'A' };
        String::from_utf8(mistyped).unwrap()
    };
    [start, start + 16, token.len() - 1].map(change).to_vec()
}

/// Waits until the server answers so: an answer may be a second old.
async fn readiness(server: &Server, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.api().get("/health/ready").await.status != status {
        assert!(Instant::now() < deadline, "/health/ready does not become {status}:\n{}", server.logs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
