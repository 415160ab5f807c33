//! Two transactions on PostgreSQL in an order that the test decides: one has written and not committed, an activation comes to wait for it,
//! then it commits. Races find such an order now and then; these find it each time.

use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, TransactionTrait as _};
use serde_json::{Value, json};
use tenantry_domain::{Clock as _, SystemClock};
use tenantry_tests::{Reply, Server, SignedIn, World};

struct Waiting {
    world: World,
    acme: SignedIn,
    server: Server,
    project: String,
}

impl Waiting {
    async fn new() -> Self {
        let world = World::postgres().await;
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let project = acme.api.create_project("Client").await["id"].as_str().unwrap().to_owned();
        Self { world, acme, server, project }
    }

    fn tenant(&self) -> String {
        self.world.uuid_literal(self.acme.tenant["id"].as_str().unwrap())
    }

    /// What an activation answers that came to wait for a transaction of these statements, which then commits.
    async fn behind(&self, statements: &[String]) -> Reply {
        let other = Database::connect(self.world.database_url().as_str()).await.unwrap();
        let transaction = other.begin().await.unwrap();
        for statement in statements {
            assert_eq!(transaction.execute_unprepared(statement).await.unwrap().rows_affected(), 1, "{statement}");
        }
        let (api, project, code) = (self.acme.api.clone(), self.project.clone(), self.acme.codes[0].clone());
        let activation = tokio::spawn(async move { api.activate(&project, &json!({ "code": code })).await });
        self.until_one_waits().await;
        transaction.commit().await.unwrap();
        let reply = activation.await.unwrap();
        other.close().await.unwrap();
        reply
    }

    async fn until_one_waits(&self) {
        const WAITING: &str = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'";
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.world.rows(WAITING).await.is_empty() {
            assert!(Instant::now() < deadline, "no activation came to wait:\n{}", self.server.logs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn left(&self) -> (Value, Value, usize) {
        let usage = self.acme.api.get("/api/tenant/usage").await.expect(200).body;
        let project = self.acme.api.get(&format!("/api/tenant/projects/{}", self.project)).await.expect(200).body;
        let ledger =
            self.world.rows(&format!("SELECT 1 AS one FROM redemptions WHERE tenant_id = {}", self.tenant())).await.len();
        (usage["used_this_month"].clone(), project["project_status"].clone(), ledger)
    }
}

fn untouched() -> (Value, Value, usize) {
    (json!(0), json!("pending"), 0)
}

/// The activation has read the subscription as it was, and comes to hold it when it is another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_behind_a_change_of_the_subscription_is_refused() {
    let waiting = Waiting::new().await;
    let ended = format!("UPDATE subscriptions SET state = 'past_due', updated_at = now() WHERE tenant_id = {}", waiting.tenant());
    waiting.behind(&[ended]).await.expect_problem(403, "subscription_inactive");
    assert_eq!(waiting.left().await, untouched());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_behind_the_months_last_is_refused() {
    let waiting = Waiting::new().await;
    let month = SystemClock.now().month();
    let used_up = format!(
        "INSERT INTO usage_months (tenant_id, year, month, activations, updated_at) VALUES ({}, {}, {}, 100, now())",
        waiting.tenant(),
        month.year,
        month.month
    );
    waiting.behind(&[used_up]).await.expect_problem(403, "quota_exceeded");
    assert_eq!(waiting.left().await, (json!(100), json!("pending"), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_behind_its_codes_revocation_is_refused() {
    let waiting = Waiting::new().await;
    let code = waiting.acme.tenant["activation_codes"][0]["id"].as_str().unwrap();
    let revoked = format!(
        "UPDATE activation_codes SET revoked_at = now(), updated_at = now() WHERE id = {}",
        waiting.world.uuid_literal(code)
    );
    waiting.behind(&[revoked]).await.expect_problem(409, "code_revoked");
    assert_eq!(waiting.left().await, untouched());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_behind_its_projects_end_is_refused() {
    let waiting = Waiting::new().await;
    let ended = format!(
        "UPDATE llm_project_config SET project_status = 'completed', updated_at = now() WHERE id = {}",
        waiting.world.uuid_literal(&waiting.project)
    );
    waiting.behind(&[ended]).await.expect_problem(409, "project_already_active");
    assert_eq!(waiting.left().await, (json!(0), json!("completed"), 0));
}

/// It holds its project, and comes to wait for its code last: so it is what finds the deadlock, and what PostgreSQL ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_that_postgresql_ends_for_a_deadlock_is_made_again() {
    // Runs once the project is held, before the code is: whoever has the code waits for the project by then.
    const LAST: &str = "CREATE SEQUENCE tries;
        CREATE FUNCTION come_last() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') = 1 THEN
                WHILE NOT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))) LOOP
                    PERFORM pg_sleep(0.005);
                END LOOP;
                PERFORM set_config('deadlock_timeout', '1ms', true);
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER come_last BEFORE UPDATE ON activation_codes FOR EACH STATEMENT EXECUTE FUNCTION come_last()";
    const TRIES: &str = "SELECT last_value AS tries FROM tries WHERE is_called";

    let waiting = Waiting::new().await;
    let code = waiting.acme.tenant["activation_codes"][0]["id"].as_str().unwrap();
    let hold = |table: &str, id: &str| format!("SELECT id FROM {table} WHERE id = {} FOR UPDATE", waiting.world.uuid_literal(id));
    let other = Database::connect(waiting.world.database_url().as_str()).await.unwrap();
    other.execute_unprepared(LAST).await.unwrap();
    let transaction = other.begin().await.unwrap();
    for statement in ["SET LOCAL deadlock_timeout = '1h'", &hold("activation_codes", code)] {
        transaction.execute_unprepared(statement).await.unwrap();
    }
    // With a key it is made step by step.
    let request = waiting.acme.api.request(Method::POST, &format!("/api/tenant/projects/{}/activate", waiting.project));
    let request = request.header("idempotency-key", "one").json(&json!({ "activation_code_id": code }));
    let api = waiting.acme.api.clone();
    let activation = tokio::spawn(async move { api.send(request).await });
    let deadline = Instant::now() + Duration::from_secs(30);
    while waiting.world.rows(TRIES).await.is_empty() {
        assert!(Instant::now() < deadline, "no activation came for its code:\n{}", waiting.server.logs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Answered once the activation was ended.
    transaction.execute_unprepared(&hold("llm_project_config", &waiting.project)).await.unwrap();
    transaction.rollback().await.unwrap();
    activation.await.unwrap().expect(200);
    other.close().await.unwrap();
    assert!(waiting.server.logs().contains("40P01"), "{}", waiting.server.logs());
    assert_eq!(waiting.world.rows(TRIES).await[0]["tries"], 2);
    assert_eq!(waiting.left().await, (json!(1), json!("active"), 1));
}
