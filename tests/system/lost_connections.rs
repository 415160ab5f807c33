//! The line to PostgreSQL breaks, before a statement or before its answer. A request whose effect is certain not to have taken place is carried
//! out again; so is one that does nothing more when it has. A client is told of the rest.

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_domain::{
    Clock as _, Fingerprint, Id, IdempotencyKey, KeyClaim, KeyState, StoreError, SystemClock, SystemEntropy,
    ports::{IdempotencyWrites as _, Store as _, Transaction as _},
};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{Api, Cut, PostgresCluster, Reply, SignedIn, Wire, World, database};

struct Line {
    world: World,
    wire: Wire,
    acme: SignedIn,
    _server: tenantry_tests::Server,
}

impl Line {
    async fn new() -> Self {
        let world = World::postgres().await;
        let wire = Wire::to(world.database_url()).await;
        let server = world.builder().env("TENANTRY__DATABASE__URL", wire.url(world.database_url())).start().await;
        let acme = world.tenant(&server, "acme").await;
        Self { world, wire, acme, _server: server }
    }

    async fn projects(&self, name: &str) -> i64 {
        self.count(&format!("llm_project_config WHERE client_name = '{name}'")).await
    }

    async fn count(&self, what: &str) -> i64 {
        self.world.rows(&format!("SELECT count(*) AS count FROM {what}")).await[0]["count"].as_i64().unwrap()
    }
}

async fn create(api: &Api, name: &str, key: Option<&str>) -> Reply {
    let request = api.request(Method::POST, "/api/tenant/projects").json(&json!({ "client_name": name }));
    api.send(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_line_costs_a_pause_where_nothing_was_done_or_doing_it_again_does_nothing() {
    let line = Line::new().await;
    let api = &line.acme.api;
    // Nothing was committed: a session was looked up, a transaction was under way.
    for at in [Cut::Before, Cut::After] {
        for (number, part) in ["tenant_sessions", "INSERT INTO \"llm_project_config\""].into_iter().enumerate() {
            let name = format!("Client {number} {at:?}");
            line.wire.cut(at, &[part]);
            create(api, &name, None).await.expect(201);
            assert!(line.wire.was_cut(), "{part}");
            assert_eq!(line.projects(&name).await, 1, "{part}");
        }
    }
    // Whether it was committed can't be known, and an activation answers the same again.
    for (number, at) in [Cut::Before, Cut::After].into_iter().enumerate() {
        let project = api.create_project("Client to activate").await["id"].as_str().unwrap().to_owned();
        line.wire.cut(at, &["UPDATE activation_codes"]);
        let answer = api.activate(&project, &json!({ "code": line.acme.codes[number] })).await.expect(200);
        assert!(line.wire.was_cut());
        assert_eq!(answer.body["project_status"], "active");
        assert_eq!(line.count("redemptions").await, number as i64 + 1, "{at:?}");
    }
    // A key knows whether it was.
    for at in [Cut::Before, Cut::After] {
        let name = format!("Client-with-a-key-{at:?}");
        line.wire.cut(at, &["INSERT INTO \"llm_project_config\"", "COMMIT"]);
        let first = create(api, &name, Some(&name)).await.expect(201);
        assert!(line.wire.was_cut());
        assert_eq!(first.header("idempotency-replayed").is_some(), at == Cut::After);
        let again = create(api, &name, Some(&name)).await.expect(201);
        assert_eq!(again.body, first.body);
        assert_eq!(line.projects(&name).await, 1, "{at:?}");
    }
    // Whoever claimed it may claim it again.
    for at in [Cut::Before, Cut::After] {
        let name = format!("Client-whose-key-is-claimed-{at:?}");
        line.wire.cut(at, &["INSERT INTO idempotency_keys", "COMMIT"]);
        let first = create(api, &name, Some(&name)).await.expect(201);
        assert!(line.wire.was_cut());
        assert_eq!(first.header("idempotency-replayed"), None);
        assert_eq!(line.projects(&name).await, 1, "{at:?}");
    }
}

/// What may have been done, and would be done twice, is the client's to look at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_not_made_again() {
    let line = Line::new().await;
    line.wire.cut(Cut::After, &["INSERT INTO \"llm_project_config\"", "COMMIT"]);
    let answer = create(&line.acme.api, "Client", None).await;
    assert!(line.wire.was_cut());
    let answer: Value = answer.expect_problem(503, "unavailable").body;
    assert!(answer["detail"].as_str().unwrap().contains("nothing is known"), "{answer}");
    assert_eq!(line.count("llm_project_config").await, 1);
}

/// A balancer that has nowhere to lead to accepts, and hangs up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_leads_nowhere_is_unavailable_and_is_found_again_by_the_servers_themselves() {
    let line = Line::new().await;
    let there = line.world.database_url();
    line.wire.lead_to(&tenantry_tests::DatabaseUrl::nowhere());
    for _ in 0..10 {
        // Each breaks one of the connections that are open.
        line.wire.cut(Cut::Before, &["tenant_sessions"]);
        let answer = line.acme.api.get("/api/tenant/projects").await.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    line.wire.lead_to(there);
    line.acme.api.get("/api/tenant/projects").await.expect(200);
}

/// Connections to what was the primary, and takes no writes any more: the one that is told so goes, and those that nobody uses go with it.
#[tokio::test]
async fn one_connection_that_is_told_to_write_elsewhere_takes_the_idle_ones_along() {
    const CONNECTIONS: u32 = 3;
    let url = PostgresCluster::shared().await.migrated_database().await;
    let name = url.as_str().rsplit('/').next().unwrap();
    let elsewhere = url.in_the_same_cluster("postgres");
    let set = async |setting: &str| database::execute(&elsewhere, &format!("ALTER DATABASE {name} {setting}")).await.unwrap();

    set("SET default_transaction_read_only = on").await;
    let store = DatabaseStore::connect(&Options::new(url.as_str())).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(store.begin().await.unwrap());
    }
    for unused in idle {
        unused.commit().await.unwrap();
    }
    assert_eq!(store.pools()[0].idle, CONNECTIONS);
    set("RESET default_transaction_read_only").await;

    let write = async || {
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.claim_key(&claim()).await?, KeyState::Claimed);
        tx.commit().await
    };
    assert!(matches!(write().await, Err(StoreError::Interrupted(_))));
    write().await.unwrap();
    store.close().await;
}

/// A write as good as any.
fn claim() -> KeyClaim {
    let now = SystemClock.now();
    KeyClaim {
        id: Id::generate(now, &SystemEntropy),
        key: IdempotencyKey::from_bytes([1; 32]),
        fingerprint: Fingerprint::from_bytes([1; 32]),
        claimed_at: now,
        locked_until: now,
        expires_at: now,
    }
}
