//! PostgreSQL refuses a unit of work, in each way in which it says that another try may do better: amid its statements and at its commit. The
//! client is told of it where trying again could do harm, or has done no good, and else sees a pause. Whichever it is, there is one effect or none.

use std::time::Duration;

use reqwest::Method;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use tenantry_domain::{PlainCode, SystemEntropy};
use tenantry_tests::{Api, Reply, Server, SignedIn, World, otp_in};

/// How often a unit of work is tried at the most.
const TRIES: i64 = 5;

/// Raises the fault that is ordered, as often as it is ordered, where an event of its action is written: at once, or when its transaction commits.
/// A sequence counts, as no rollback takes that back. `killed` is what an administrator's `pg_terminate_backend` does, the rest are SQLSTATEs.
const FAULTS: &str = "
    CREATE TABLE faults (stage text, action text, fault text, times bigint);
    CREATE SEQUENCE tries;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE ordered faults;
    BEGIN
        SELECT * INTO ordered FROM faults WHERE stage = TG_ARGV[0] AND action = NEW.action;
        IF FOUND THEN
            IF nextval('tries') <= ordered.times THEN
                IF ordered.fault = 'killed' THEN
                    PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(60);
                END IF;
                RAISE EXCEPTION 'as the test ordered' USING ERRCODE = ordered.fault;
            END IF;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fail_amid BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION fail('amid');
    CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail('at commit')";

struct Faulty {
    world: World,
    server: Server,
    /// Its webhook hears of everything, so that its activations are made step by step.
    heard: SignedIn,
    /// Nobody hears of it: its activations are one statement.
    unheard: SignedIn,
    database: DatabaseConnection,
}

/// How many there are of projects, events, messages to webhooks, redemptions, uses of codes and counted activations.
type Rows = [i64; 6];

const CREATED: Rows = [1, 1, 1, 0, 0, 0];
const ACTIVATED: Rows = [0, 1, 1, 1, 1, 1];
const ACTIVATED_UNHEARD: Rows = [0, 1, 0, 1, 1, 1];

impl Faulty {
    async fn new() -> Self {
        let world = World::postgres().await;
        let server = world.server().await;
        let (heard, unheard) = (world.tenant(&server, "heard").await, world.tenant(&server, "unheard").await);
        let webhook = json!({ "url": "https://hooks.tenant.example/", "events": ["project.created", "project.activated"] });
        heard.api.post("/api/tenant/webhooks", &webhook).await.expect(201);
        let mut options = ConnectOptions::new(world.database_url().as_str());
        let database = Database::connect(options.max_connections(1).sqlx_logging(false).to_owned()).await.unwrap();
        database.execute_unprepared(FAULTS).await.unwrap();
        Self { world, server, heard, unheard, database }
    }

    /// Orders a fault, and gives what there is.
    async fn order(&self, stage: &str, action: &str, fault: &str, times: i64) -> Rows {
        let order = format!(
            "DELETE FROM faults; INSERT INTO faults VALUES ('{stage}', '{action}', '{fault}', {times}); ALTER SEQUENCE tries RESTART"
        );
        self.database.execute_unprepared(&order).await.unwrap();
        self.seen().await.1
    }

    /// How often what was to fail has been tried, and what there is.
    async fn seen(&self) -> (i64, Rows) {
        const SEEN: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END,
            (SELECT count(*) FROM llm_project_config),
            (SELECT count(*) FROM audit_events),
            (SELECT count(*) FROM outbox WHERE webhook_id IS NOT NULL),
            (SELECT count(*) FROM redemptions),
            (SELECT CAST(sum(use_count) AS bigint) FROM activation_codes),
            (SELECT CAST(coalesce(sum(activations), 0) AS bigint) FROM usage_months)
            FROM tries";
        let row = self.database.query_one_raw(Statement::from_string(DbBackend::Postgres, SEEN)).await.unwrap().unwrap();
        let at = |place| row.try_get_by_index(place).unwrap();
        (at(0), [1, 2, 3, 4, 5, 6].map(at))
    }

    /// Fails unless there were so many tries, and these effects, since the order that gave `before`.
    async fn expect(&self, tries: i64, before: Rows, effects: Rows, what: &str) {
        let (tried, now) = self.seen().await;
        let since: Vec<i64> = now.iter().zip(before).map(|(now, before)| now - before).collect();
        assert_eq!((tried, since), (tries, effects.to_vec()), "{what}");
    }

    /// Another project of a tenant's.
    async fn project(&self, of: &SignedIn) -> String {
        of.api.create_project("Client to activate").await["id"].as_str().unwrap().to_owned()
    }
}

async fn post(api: &Api, path: &str, body: &Value, key: Option<&str>) -> Reply {
    let request = api.request(Method::POST, path).json(body);
    api.send(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key))).await
}

async fn create(of: &SignedIn, key: Option<&str>) -> Reply {
    post(&of.api, "/api/tenant/projects", &json!({ "client_name": "Client" }), key).await
}

async fn activate(of: &SignedIn, project: &str, key: Option<&str>) -> Reply {
    post(&of.api, &format!("/api/tenant/projects/{project}/activate"), &json!({}), key).await
}

#[track_caller]
fn unavailable(answer: Reply) -> Reply {
    let answer = answer.expect_problem(503, "unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_certain_to_have_left_no_trace_is_done_again() {
    let faulty = Faulty::new().await;
    for (stage, fault) in [
        ("amid", "40001"),
        ("amid", "40P01"),
        ("amid", "killed"),
        ("amid", "57P02"),
        ("amid", "57P03"),
        ("amid", "25006"),
        ("amid", "25P03"),
        ("amid", "08006"),
        ("at commit", "40001"),
        ("at commit", "40P01"),
        ("at commit", "57P03"),
        ("at commit", "25006"),
    ] {
        let before = faulty.order(stage, "project.created", fault, 1).await;
        create(&faulty.heard, None).await.expect(201);
        faulty.expect(2, before, CREATED, &format!("{fault} {stage}")).await;
    }
    for (stage, fault) in [
        // A statement or a lock that took too long, and no place for a connection: another try would wait as long.
        ("amid", "57014"),
        ("amid", "55P03"),
        ("amid", "53300"),
        // The answer may have been lost, and not the commit.
        ("at commit", "killed"),
        ("at commit", "57P02"),
        ("at commit", "08006"),
    ] {
        let before = faulty.order(stage, "project.created", fault, 1).await;
        let answer = unavailable(create(&faulty.heard, None).await);
        assert!(answer.text_at("/detail").contains("nothing is known"), "{fault} {stage}: {answer:?}");
        faulty.expect(1, before, [0; 6], &format!("{fault} {stage}")).await;
    }
}

/// A key knows what took place, and an activation that is made again does nothing more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_a_key_and_an_activation_are_done_again_also_where_it_is_not_certain() {
    let faulty = Faulty::new().await;
    for (number, (stage, fault)) in [
        ("amid", "40001"),
        ("amid", "killed"),
        ("amid", "57014"),
        ("at commit", "40001"),
        ("at commit", "25006"),
        ("at commit", "killed"),
    ]
    .into_iter()
    .enumerate()
    {
        let keys = ["created", "activated"].map(|what| format!("{what}-{number}"));
        let before = faulty.order(stage, "project.created", fault, 1).await;
        let first = create(&faulty.heard, Some(&keys[0])).await.expect(201);
        faulty.expect(2, before, CREATED, &format!("{fault} {stage}, with a key")).await;
        assert_eq!(create(&faulty.heard, Some(&keys[0])).await.expect(201).body, first.body);

        for (of, key, effects) in [(&faulty.unheard, None, ACTIVATED_UNHEARD), (&faulty.heard, Some(keys[1].as_str()), ACTIVATED)]
        {
            let project = faulty.project(of).await;
            let before = faulty.order(stage, "project.activated", fault, 1).await;
            activate(of, &project, key).await.expect(200);
            faulty.expect(2, before, effects, &format!("{fault} {stage}, an activation, {key:?}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_postgresql_keeps_refusing_is_told_and_leaves_nothing() {
    let faulty = Faulty::new().await;
    let project = faulty.project(&faulty.unheard).await;
    for fault in ["40001", "killed"] {
        let before = faulty.order("amid", "project.created", fault, 1000).await;
        let (plain, keyed) = tokio::join!(create(&faulty.heard, None), create(&faulty.heard, Some(fault)));
        for answer in [plain, keyed] {
            unavailable(answer);
        }
        // On a machine that is very busy the time is over first.
        let (tries, _) = faulty.seen().await;
        assert!((3..=2 * TRIES).contains(&tries), "{fault}: {tries}");
        faulty.order("amid", "project.activated", fault, 1000).await;
        unavailable(activate(&faulty.unheard, &project, None).await);
        let (tries, now) = faulty.seen().await;
        assert!((2..=TRIES).contains(&tries), "{fault}: {tries}");
        assert_eq!(now, before, "{fault}");

        // Whoever asks again has an effect, and the key was given back.
        faulty.order("amid", "none", fault, 0).await;
        create(&faulty.heard, Some(fault)).await.expect(201);
        faulty.expect(0, before, CREATED, fault).await;
    }
    activate(&faulty.unheard, &project, None).await.expect(200);
}

/// Decision 0035 says of each why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_a_bulk_issue_and_an_import_are_not_done_again() {
    let faulty = Faulty::new().await;
    let admin = faulty.world.admin(&faulty.server);
    let codes = format!("/api/admin/tenants/{}/codes", faulty.heard.tenant["id"].as_str().unwrap());
    let challenge = faulty.server.api().ask_for_otp("unheard").await;
    let mails = faulty.world.mail().wait_for(&faulty.unheard.email, 2, Duration::from_secs(30)).await;
    let otp = otp_in(&mails[1].text).unwrap();
    let import = PlainCode::generate(&SystemEntropy).reveal().to_string();

    let sign_in = async || faulty.server.api().verify_otp(&challenge, otp).await;
    let issue = async || {
        let request = admin.request(Method::POST, &codes).header("accept", "text/csv");
        admin.send(request.json(&json!({ "count": 2 }))).await
    };
    let import = async || {
        let request = admin.request(Method::POST, &format!("{codes}/import")).header("content-type", "text/csv");
        admin.send(request.body(format!("code\n{import}\n"))).await
    };
    for stage in ["amid", "at commit"] {
        let before = faulty.order(stage, "sign_in.succeeded", "40001", 1).await;
        unavailable(sign_in().await);
        faulty.expect(1, before, [0; 6], &format!("a sign-in, {stage}")).await;
        let before = faulty.order(stage, "codes.issue_started", "40001", 1).await;
        unavailable(issue().await);
        faulty.expect(1, before, [0; 6], &format!("a bulk issue, {stage}")).await;
        let before = faulty.order(stage, "codes.imported", "40001", 1).await;
        unavailable(import().await);
        faulty.expect(1, before, [0; 6], &format!("an import, {stage}")).await;
    }
    faulty.order("amid", "none", "40001", 0).await;
    sign_in().await.expect(200);
    issue().await.expect(201);
    import().await.expect(201);
}
