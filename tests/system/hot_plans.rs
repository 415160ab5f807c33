//! How the hot paths' statements are planned: none of them walks a table that grows, however the database sees it, and none is planned anew each time.
//!
//! On PostgreSQL the plans are those that ran, as its `auto_explain` writes them into its log; those of triggers and foreign keys among them.
//! Each planning is told there, too.
//! On SQLite the server logs its statements, and each is explained; the plans don't depend on values there, nor on how much there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tenantry_domain::{
    PageLimit, PageRequest, TokenDigest,
    ports::{SessionReads as _, Store as _},
};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{PostgresCluster, Server, World, database, otp_in};

const ROWS: usize = 20_000;

/// What grows with use, and stands in statements of a tenant's.
const GROWING: [&str; 11] = [
    "activation_codes",
    "llm_project_config",
    "tenant_sessions",
    "tenants",
    "subscriptions",
    "redemptions",
    "usage_months",
    "audit_events",
    "otp_challenges",
    "outbox",
    "rate_buckets",
];

/// So often that one of two connections sees more of each than PostgreSQL takes to turn to a plan that knows no values.
const TIMES: usize = 2 * PLANNED + 2;

/// How often it plans a statement on a connection: five times with its values, and then once without.
const PLANNED: usize = 6;

/// Rows of strangers, so that walking a table is more than looking a row up.
async fn fill(world: &World) {
    let many = |insert: &str| insert.replace("{rows}", &format!("generate_series(1, {ROWS}) AS n"));
    let times = "'2026-03-01', '2026-03-01'";
    for insert in [
        format!("INSERT INTO plans (id, name, monthly_run_quota, created_at, updated_at) VALUES (md5('plan')::uuid, 'Old', 10, {times})"),
        format!(
            "INSERT INTO tenants (id, slug, name, contact_email, created_at, updated_at)
            SELECT md5('t' || n)::uuid, 'old-' || n, 'Old ' || n, 'old@tenant.example', {times} FROM {{rows}}"
        ),
        format!(
            "INSERT INTO subscriptions (id, tenant_id, plan_id, state, current_period_start, current_period_end, created_at, updated_at)
            SELECT md5('s' || n)::uuid, md5('t' || n)::uuid, md5('plan')::uuid, 'active', {times}, {times} FROM {{rows}}"
        ),
        format!(
            "INSERT INTO activation_codes (id, tenant_id, code_digest, key_id, hint, batch_id, created_at, updated_at)
            SELECT md5('c' || n)::uuid, md5('t' || n)::uuid, sha256(n::text::bytea), 'k', 'ABCD', md5('b')::uuid, {times} FROM {{rows}}"
        ),
        format!(
            "INSERT INTO llm_project_config (id, project_id, tenant_id, client_name, project_status, created_at, updated_at)
            SELECT md5('p' || n)::uuid, 'old', md5('t' || n)::uuid, 'Client', 'pending', {times} FROM {{rows}}"
        ),
        format!(
            "INSERT INTO tenant_sessions (id, tenant_id, token_digest, last_activity, expires_at, created_at, updated_at)
            SELECT md5('e' || n)::uuid, md5('t' || n)::uuid, sha256(('e' || n)::bytea), {times}, {times} FROM {{rows}}"
        ),
        "INSERT INTO redemptions (id, tenant_id, activation_code_id, project_id, redeemed_at)
            SELECT md5('r' || n)::uuid, md5('t' || n)::uuid, md5('c' || n)::uuid, md5('p' || n)::uuid, '2026-03-01' FROM {rows}"
            .to_owned(),
        "INSERT INTO usage_months (tenant_id, year, month, activations, updated_at)
            SELECT md5('t' || n)::uuid, 2026, 3, 1, '2026-03-01' FROM {rows}"
            .to_owned(),
        "INSERT INTO audit_events (id, tenant_id, actor_kind, action, details, created_at)
            SELECT md5('a' || n)::uuid, md5('t' || n)::uuid, 'system', 'project.activated', '{}', '2026-03-01' FROM {rows}"
            .to_owned(),
        "INSERT INTO otp_challenges (id, tenant_id, code_mac, key_id, purpose, strength, attempts, expires_at, created_at)
            SELECT md5('o' || n)::uuid, md5('t' || n)::uuid, sha256('o'), 'k', 'tenant_sign_in', 'six_digits', 1, '2026-03-01', '2026-03-01'
            FROM {rows}"
            .to_owned(),
        "INSERT INTO outbox (id, topic, key_id, available_at, settled_at, outcome, created_at)
            SELECT md5('m' || n)::uuid, 'mail.otp', 'k', '2026-03-01', '2026-03-01', 'sent', '2026-03-01' FROM {rows}"
            .to_owned(),
        "INSERT INTO rate_buckets (bucket, tat) SELECT sha256(n::text::bytea), 0 FROM {rows}".to_owned(),
        "ANALYZE".to_owned(),
    ] {
        let done = database::execute(world.database_url(), &many(&insert)).await;
        done.unwrap_or_else(|failure| panic!("{insert}: {failure}"));
    }
}

/// A statement on a connection.
#[derive(Default)]
struct Run {
    times: usize,
    /// How much was planned since it ran before: it, and what its triggers run.
    planned: usize,
    /// The same for the last time that it ran.
    planned_last: usize,
}

/// What ran on each connection, by what PostgreSQL logged. Statements are told apart by their whole text: some begin with the same line.
fn runs(log: &str) -> BTreeMap<(&str, String), Run> {
    let mut runs = BTreeMap::<_, Run>::new();
    let (mut process, mut is_planning) = ("", false);
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        // `2026-03-01 12:00:00.000 UTC [123] LOG:  ..`, and what belongs to it in lines of the same kind.
        if let Some((number, said)) = line.split_once(" UTC [").and_then(|(_, rest)| rest.split_once("] ")) {
            process = number;
            is_planning = said == "LOG:  PLANNER STATISTICS" || is_planning && !said.starts_with("LOG:  ");
        }
        let planned = line.split_once("STATEMENT:  ").filter(|_| is_planning);
        let ran = line.split_once("Query Text: ");
        let Some((_, first)) = planned.or(ran) else { continue };
        let mut statement = first.to_owned();
        // Its other lines, up to the next entry or the plan.
        let is_more =
            |line: &&str| line.starts_with('\t') && !line.contains("  (cost=") && !line.starts_with("\tQuery Parameters: ");
        while let Some(more) = lines.next_if(is_more) {
            statement += "\n";
            statement += more;
        }
        let run = runs.entry((process, statement)).or_default();
        if planned.is_some() {
            run.planned += 1;
        } else {
            run.times += 1;
            run.planned_last = mem::take(&mut run.planned);
        }
    }
    runs
}

/// What tenants do all day, often enough.
async fn take_the_hot_paths(world: &World, server: &Server) {
    let acme = world.tenant(server, "acme").await;
    let admin = world.admin(server);
    let codes = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
    admin.post(&codes, &json!({ "count": 2 * TIMES })).await.expect(201);
    let mut projects = Vec::new();
    for number in 0..2 * TIMES {
        projects.push(acme.api.create_project(&format!("Client {number}")).await["id"].as_str().unwrap().to_owned());
    }
    for (code, project) in acme.codes.iter().zip(&projects).take(TIMES) {
        acme.api.activate(project, &json!({ "code": code })).await.expect(200);
    }
    for number in 0..TIMES {
        acme.api.get("/api/tenant/projects").await.expect(200);
        acme.api.get("/api/tenant/projects?status=pending").await.expect(200);
        acme.api.get("/api/tenant/projects?search=client").await.expect(200);
        acme.api.get("/api/tenant/codes").await.expect(200);
        acme.api.get("/api/tenant/usage").await.expect(200);
        acme.api.activate(&projects[TIMES + number], &json!({})).await.expect(200);
        // The one at the tenant's sign-in, and those of the rounds before.
        let before = world.mail().wait_for(&acme.email, 1 + number, Duration::from_secs(30)).await.len();
        let challenge = acme.api.anonymous().ask_for_otp("acme").await;
        let letters = world.mail().wait_for(&acme.email, before + 1, Duration::from_secs(30)).await;
        acme.api.anonymous().verify_otp(&challenge, otp_in(&letters[before].text).unwrap()).await.expect(200);
    }
    // Somebody listens: the steps one by one.
    let hook = json!({ "url": "https://hooks.example.com/", "events": ["tenant.created"] });
    admin.post("/api/admin/webhooks", &hook).await.expect(201);
    for _ in 0..TIMES {
        let project = acme.api.create_project("Client with a listener").await;
        acme.api.activate(project["id"].as_str().unwrap(), &json!({})).await.expect(200);
    }
}

/// First pages that are asked for at the same time, by strangers.
async fn ask_for_pages_together(world: &World) {
    let store = DatabaseStore::connect(&Options::new(world.database_url().as_str())).await.unwrap();
    let page = PageRequest { limit: PageLimit::new(20).unwrap(), after: None, count: false };
    let digests = (1..=TIMES).map(|number| [TokenDigest::from_bytes(Sha256::digest(format!("e{number}")).into())]);
    let digests: Vec<_> = digests.collect();
    for _ in 0..2 * TIMES {
        let asked = digests.iter().map(async |digest| store.reader().session_and_projects(digest, page).await.unwrap().unwrap());
        assert!(join_all(asked).await.iter().all(|(session, tenant, _)| session.tenant_id == tenant.id));
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hot_path_walks_a_table_that_grows_or_is_planned_each_time() {
    let cluster = PostgresCluster::start().await;
    let world = World::on(&cluster).await;
    // Where it looks at a table meanwhile, each statement on it is planned once more.
    for setting in ["ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"] {
        database::execute(world.database_url(), setting).await.unwrap();
    }
    fill(&world).await;
    let name = world.database_url().as_str().rsplit('/').next().unwrap().to_owned();
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
        "log_planner_stats = on",
    ] {
        database::execute(world.database_url(), &format!("ALTER DATABASE {name} SET {setting}")).await.unwrap();
    }
    let builder = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 100);
    let server = builder.env("TENANTRY__DATABASE__MAX_CONNECTIONS", 2).start().await;
    take_the_hot_paths(&world, &server).await;
    ask_for_pages_together(&world).await;
    let log = cluster.logs().await;
    for known in ["Index Scan using activation_codes_digest", "Function Scan on asked"] {
        assert!(
            log.contains(known),
            "the plan with {known} is not in the log:\n{}",
            log.lines().take(40).collect::<Vec<_>>().join("\n")
        );
    }
    let often: Vec<_> = runs(&log).into_iter().filter(|(_, run)| run.times > PLANNED).collect();
    for known in ["WITH asked AS", "WITH entitled AS", "SELECT 0, s.id", "INSERT INTO \"outbox\""] {
        assert!(often.iter().any(|((_, statement), _)| statement.starts_with(known)), "{known} didn't run often on a connection");
    }
    for ((_, statement), Run { times, planned_last, .. }) in often {
        assert_eq!(planned_last, 0, "planned anew the {times}th time:\n{statement}");
    }
    for table in GROWING {
        let walk = format!("Seq Scan on {table}");
        let walks =
            |line: &&str| line.split_once(&walk).is_some_and(|(_, rest)| rest.starts_with([' ', '\n']) || rest.is_empty());
        if let Some((number, _)) = log.lines().enumerate().find(|(_, line)| walks(line)) {
            let around: Vec<_> = log.lines().skip(number.saturating_sub(60)).take(80).collect();
            panic!("a statement walks {table}:\n{}", around.join("\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hot_path_walks_a_table_that_grows_on_sqlite() {
    let world = World::sqlite().await;
    let builder = world.builder().env("TENANTRY__LOG__FILTER", "info,tenantry_persistence=trace");
    let server = builder.env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 100).start().await;
    take_the_hot_paths(&world, &server).await;
    let logged = |line: &str| serde_json::from_str::<Value>(line).ok()?["sql"].as_str().map(str::to_owned);
    let statements: BTreeSet<String> = server.logs().lines().filter_map(logged).collect();
    for known in ["UPDATE activation_codes", "FROM tenant_sessions s JOIN tenants", "search_text", "otp_challenges"] {
        assert!(statements.iter().any(|sql| sql.contains(known)), "no statement with {known}: {statements:#?}");
    }
    for sql in statements {
        for step in database::plans(world.database_url(), &sql).await {
            let walked = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            // A statement calls a table by another name at times.
            let walks =
                |table: &&str| walked.is_some_and(|walked| walked == *table || sql.contains(&format!(" {table} {walked} ")));
            if let Some(table) = GROWING.into_iter().find(walks) {
                panic!("a statement walks {table}, {step}:\n{sql}");
            }
        }
    }
}
