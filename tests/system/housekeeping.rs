//! Housekeeping: what has ended goes, by whichever server gets to it, and nobody who is at work notices.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tenantry_domain::{
    Clock as _, SystemClock,
    ports::{HousekeepingWrites as _, Leftover, Store as _, Transaction as _},
};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{Api, DatabaseKind, ServerBuilder, World, database, effort, on_both_databases};
use tokio::{task::JoinSet, time::sleep};

const INTERVAL: &str = "TENANTRY__HOUSEKEEPING__INTERVAL_SECONDS";

/// Every table that rows are deleted from: its columns and values, and which of its rows ended `{ago ..}` hours ago.
const TABLES: [(&str, &str, &str); 6] = [
    (
        "tenant_sessions (id, tenant_id, token_digest, last_activity, expires_at, created_at, updated_at)",
        "{uuid}, {tenant}, {digest}, {ago}, {ago}, {ago}, {ago}",
        "tenant_sessions WHERE expires_at <= {now}",
    ),
    (
        "operator_sessions (id, operator_id, token_digest, last_activity, expires_at, created_at, updated_at)",
        "{uuid}, {operator}, {digest}, {ago}, {ago}, {ago}, {ago}",
        "operator_sessions WHERE expires_at <= {now}",
    ),
    (
        "otp_challenges (id, tenant_id, code_mac, key_id, purpose, strength, attempts, expires_at, created_at)",
        "{uuid}, {tenant}, {digest}, 'k1', 'tenant_sign_in', 'wide', 1, {ago}, {ago}",
        "otp_challenges WHERE strength = 'wide'",
    ),
    (
        "idempotency_keys (key_digest, fingerprint, claim_id, locked_until, expires_at, created_at)",
        "{digest}, {digest}, {uuid}, {ago}, {ago}, {ago}",
        "idempotency_keys WHERE expires_at <= {now}",
    ),
    (
        "outbox (id, topic, key_id, available_at, attempts, settled_at, outcome, created_at)",
        "{uuid}, 'mail.old', 'k1', {ago}, 1, {ago}, 'sent', {ago}",
        "outbox WHERE topic = 'mail.old'",
    ),
    ("rate_buckets (bucket, tat)", "{digest}, {micros of ago}", "rate_buckets WHERE tat <= {micros of minutes ago}"),
];

/// For how many hours each is kept: sessions and messages for a month, challenges for two days, the others for an hour.
const KEPT_HOURS: [u32; 6] = [720, 720, 48, 1, 720, 1];

/// SQL in the words of a world's database.
fn dialect(world: &World, sql: &str, hours_ago: f64) -> String {
    let seconds = (hours_ago * 3600.0) as i64;
    let (uuid, digest, ago, now, micros) = match world.kind() {
        DatabaseKind::Postgres => (
            "gen_random_uuid()",
            "sha256(CAST(CAST(gen_random_uuid() AS text) AS bytea))",
            format!("now() - interval '{seconds} seconds'"),
            "now()",
            "CAST(extract(epoch FROM now()) AS bigint)",
        ),
        DatabaseKind::Sqlite => (
            "randomblob(16)",
            "randomblob(32)",
            format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '-{seconds} seconds')"),
            "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')",
            "unixepoch()",
        ),
    };
    sql.replace("{uuid}", uuid)
        .replace("{digest}", digest)
        .replace("{ago}", &ago)
        .replace("{now}", now)
        .replace("{micros of ago}", &format!("({micros} - {seconds}) * 1000000"))
        .replace("{micros of minutes ago}", &format!("({micros} - 900) * 1000000"))
}

/// Rows of a table that ended so many hours ago.
async fn insert(world: &World, table: usize, owners: &Owners, count: u32, hours_ago: f64) {
    let (columns, values, _) = TABLES[table];
    let insert = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
        INSERT INTO {columns} SELECT {values} FROM numbers"
    );
    let insert = insert.replace("{tenant}", &owners.tenant).replace("{operator}", &owners.operator);
    let insert = dialect(world, &insert, hours_ago);
    database::execute(world.database_url(), &insert).await.unwrap_or_else(|error| panic!("{insert}: {error}"));
}

/// How many rows of each table have ended: 99 at the most.
async fn ended(world: &World) -> Vec<usize> {
    let mut counts = Vec::new();
    for (_, _, ended) in TABLES {
        counts.push(world.rows(&dialect(world, &format!("SELECT 1 AS one FROM {ended} LIMIT 99"), 0.0)).await.len());
    }
    counts
}

/// Whose rows they are, as SQL writes it.
struct Owners {
    tenant: String,
    operator: String,
}

async fn owners(world: &World, admin: &Api, tenant_id: &str) -> Owners {
    let operator = admin.create_operator("ada@portal.example", "viewer").await;
    Owners { tenant: world.uuid_literal(tenant_id), operator: world.uuid_literal(operator["id"].as_str().unwrap()) }
}

async fn until_ended(world: &World, expected: &[usize]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = ended(world).await;
        if left == expected {
            return;
        }
        assert!(Instant::now() < deadline, "left: {left:?}, expected: {expected:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Who claims a key that has expired, and who deletes a tenant, holds rows for long enough to be met by a housekeeper.
const SLOW: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(TG_ARGV[0]::float); RETURN coalesce(NEW, OLD); END';
    CREATE TRIGGER slow BEFORE UPDATE ON idempotency_keys FOR EACH ROW WHEN (OLD.claim_id <> NEW.claim_id) EXECUTE FUNCTION slow(0.7);
    CREATE TRIGGER slow BEFORE DELETE ON tenant_sessions FOR EACH ROW WHEN (OLD.created_at < now() - interval '790 hours')
        EXECUTE FUNCTION slow(0.003)";

fn restless(world: &World) -> ServerBuilder {
    world.builder().env(INTERVAL, 1)
}

async fn post(api: &Api, key: &str, name: &str) -> tenantry_tests::Reply {
    let request = api.request(Method::POST, "/api/tenant/projects").header("idempotency-key", key);
    api.send(request.json(&json!({ "client_name": name }))).await
}

on_both_databases! {
    /// Attack 30: rows that have ended by the thousand, a housekeeper on each server, and tenants at work all the while: using keys anew that
    /// had expired, being deleted, signing in.
    async fn two_housekeepers_with_live_traffic_lose_nothing_that_lives(world: World) {
        const KEYS: usize = 12;
        let rounds = effort(4, 60);
        let mut servers = vec![restless(&world).start().await];
        if world.kind() == DatabaseKind::Postgres {
            servers.push(restless(&world).start().await);
            database::execute(world.database_url(), SLOW).await.unwrap();
        }
        let admin = world.admin(&servers[0]);
        let acme = world.tenant(&servers[0], "acme").await;
        let owners = owners(&world, &admin, acme.tenant["id"].as_str().unwrap()).await;
        let guessed = acme.api.ask_for_otp("acme").await;
        acme.api.verify_otp(&guessed, "000000").await;
        for (table, hours) in KEPT_HOURS.into_iter().enumerate() {
            insert(&world, table, &owners, 7, f64::from(hours) - 0.4).await;
            insert(&world, table, &owners, 8_000, f64::from(hours) + 0.4).await;
        }

        let apis: Vec<Api> = servers.iter().map(|server| acme.api.at(server.url())).collect();
        let over = Arc::new(AtomicBool::new(false));
        let mut traffic = JoinSet::new();
        for number in 0..4 {
            let (api, over) = (apis[number % apis.len()].clone(), Arc::clone(&over));
            traffic.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    api.get("/api/tenant/auth/session").await.expect(200);
                    let project = api.create_project("Live").await;
                    api.delete(&format!("/api/tenant/projects/{}", project["id"].as_str().unwrap())).await.expect(204);
                }
            });
        }
        let expire = dialect(&world, "UPDATE idempotency_keys SET expires_at = {ago}, locked_until = {ago} WHERE answer IS NOT NULL", 48.0);
        for round in 0..rounds {
            // A key that has expired is good for one more request, and for one alone.
            let mut keyed = JoinSet::new();
            for key in 0..KEYS {
                let apis = apis.clone();
                keyed.spawn(async move {
                    let (here, there) = (&apis[key % apis.len()], &apis[(key + 1) % apis.len()]);
                    let key = format!("key-{key}");
                    let first = post(here, &key, "Client").await.expect(201);
                    assert_eq!(first.header("idempotency-replayed"), None);
                    let replayed = post(there, &key, "Client").await.expect(201);
                    assert_eq!((replayed.header("idempotency-replayed"), &replayed.text), (Some("true"), &first.text));
                });
            }
            // A tenant with much that has ended goes.
            let plan_id = admin.create_plan(&format!("Plan {round}"), 10).await["id"].as_str().unwrap().to_owned();
            let slug = format!("doomed-{round}");
            let (doomed, _) = admin.create_tenant(&slug, &plan_id, &format!("{slug}@tenant.example")).await;
            let id = doomed["id"].as_str().unwrap();
            let its = Owners { tenant: world.uuid_literal(id), operator: owners.operator.clone() };
            // Deleted with their tenant from here on, and by a housekeeper from there.
            for hours_ago in [800.0, 801.0] {
                insert(&world, 0, &its, 200, hours_ago).await;
            }
            admin.delete(&format!("/api/admin/tenants/{id}")).await.expect(204);
            keyed.join_all().await;
            if round + 1 < rounds {
                assert!(database::execute(world.database_url(), &expire).await.unwrap() >= KEYS as u64);
            }
        }
        let signed_in = acme.api.at(servers[0].url()).sign_in("acme", &acme.email, world.mail()).await;
        until_ended(&world, &[7; 6]).await;
        over.store(true, Ordering::Relaxed);
        traffic.join_all().await;

        signed_in.get("/api/tenant/auth/session").await.expect(200);
        let clients = world.rows("SELECT 1 AS one FROM llm_project_config WHERE client_name = 'Client'").await;
        assert_eq!(clients.len(), KEYS * rounds, "each request was carried out once in the life of its key");
        let failed = "SELECT attempts FROM otp_challenges WHERE strength = 'six_digits' AND attempts > 0 AND consumed_at IS NULL";
        assert_eq!(world.rows(failed).await.len(), 1, "a failure counts");
        let mut logs = String::new();
        for server in &mut servers {
            assert_eq!(server.terminate().await, 0);
            logs += &server.logs();
        }
        assert!(logs.contains("deleted what had ended"), "{logs}");
        assert!(!logs.contains("can't be deleted") && !logs.contains("panicked"), "{logs}");
        if world.kind() == DatabaseKind::Postgres {
            let deadlocks = world.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await;
            assert_eq!(deadlocks[0]["deadlocks"], 0);
        }
    }

    /// What is kept is configured, within bounds; what counts isn't.
    async fn sessions_and_messages_are_kept_for_as_long_as_is_said(world: World) {
        let quiet = world.builder().env(INTERVAL, 86_400).start().await;
        let admin = world.admin(&quiet);
        let acme = world.tenant(&quiet, "acme").await;
        let owners = owners(&world, &admin, acme.tenant["id"].as_str().unwrap()).await;
        for table in 0..TABLES.len() {
            for days in [1.9, 2.1, 9.9, 10.1] {
                insert(&world, table, &owners, 1, days * 24.0).await;
            }
        }
        assert_eq!(ended(&world).await, [4; 6]);
        drop(quiet);
        let server = restless(&world)
            .env("TENANTRY__HOUSEKEEPING__KEEP_SESSIONS_DAYS", 2)
            .env("TENANTRY__HOUSEKEEPING__KEEP_MESSAGES_DAYS", 10)
            .start()
            .await;
        until_ended(&world, &[1, 1, 1, 0, 3, 0]).await;
        drop(server);
        assert!(world.rows("SELECT id FROM audit_events WHERE action LIKE '%delete%'").await.is_empty(), "nobody did it");
    }
}

/// Among many rows that have not ended, those that have are found by an index, on PostgreSQL as it plans by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_have_ended_are_found_by_an_index() {
    let world = World::postgres().await;
    let server = world.builder().env(INTERVAL, 86_400).start().await;
    let acme = world.tenant(&server, "acme").await;
    let owners = owners(&world, &world.admin(&server), acme.tenant["id"].as_str().unwrap()).await;
    for table in 0..TABLES.len() {
        insert(&world, table, &owners, 20_000, -1.0).await;
        insert(&world, table, &owners, 50, 900.0).await;
    }
    drop(server);
    database::execute(world.database_url(), "ANALYZE").await.unwrap();
    let scans = async || {
        // Counts are written down a moment after the transaction that they are of.
        sleep(Duration::from_secs(2)).await;
        let tables = "SELECT relname, CAST(coalesce(seq_scan, 0) AS bigint) AS scans, CAST(n_tup_del AS bigint) AS deleted FROM pg_stat_user_tables
            WHERE relname IN ('tenant_sessions', 'operator_sessions', 'otp_challenges', 'idempotency_keys', 'outbox', 'rate_buckets') ORDER BY 1";
        world.rows(tables).await
    };
    let before = scans().await;
    let store = DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap();
    let until = SystemClock.now() - time::Duration::hours(800);
    for kind in Leftover::ALL {
        let mut tx = store.begin().await.unwrap();
        let expected = if kind == Leftover::BootstrapLinks { 0 } else { 50 };
        assert_eq!(tx.delete_leftovers(kind, until, 500).await.unwrap(), expected, "{kind:?}");
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin().await.unwrap();
    let stretch = tx.delete_full_buckets(until, None, 500).await.unwrap();
    assert!(stretch.deleted < 10 && stretch.next.is_some(), "{stretch:?}");
    tx.commit().await.unwrap();
    store.close().await;
    let after = scans().await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["scans"], after["scans"], "{after} was read from end to end");
    }
    assert!(after.iter().filter(|table| table["deleted"].as_i64() >= Some(50)).count() >= 5, "{after:?}");
}
