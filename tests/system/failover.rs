//! The loss of a machine: its PostgreSQL is killed, the standby takes its place, and servers find it. What was acknowledged is there, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tenantry_domain::StoreError;
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{Api, DatabaseUrl, PostgresCluster, Server, Wire, World, database, effort};
use tokio::task::JoinSet;

const CODES: usize = 30;

/// So many are acknowledged before the primary dies.
const BEFORE: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_and_doubles_no_acknowledged_activation() {
    for round in 0..effort(1, 10) {
        // In a house it takes a while until somebody notices.
        fail_over(Duration::from_secs(round % 4)).await;
    }
}

async fn fail_over(unnoticed: Duration) {
    let primary = PostgresCluster::start().await;
    let world = World::on(&primary).await;
    let wire = Wire::to(world.database_url()).await;
    let url = wire.url(world.database_url());
    let servers = world.servers_with(|builder| builder.env("TENANTRY__DATABASE__URL", &url)).await;
    let acme = world.tenant(&servers[0], "acme").await;
    let mut codes = acme.codes.clone();
    let order = json!({ "count": CODES - codes.len() });
    codes.extend(world.admin(&servers[0]).issue_codes(acme.tenant["id"].as_str().unwrap(), &order).await);
    // Two projects for each code: one of them gets it.
    let mut projects = Vec::new();
    for number in 0..2 * CODES {
        projects.push(acme.api.create_project(&format!("Client {number}")).await["id"].as_str().unwrap().to_owned());
    }
    let standby = primary.synchronous_standby().await;
    is_of_no_use(&standby.same_database(world.database_url())).await;

    let race = Arc::new(Race::default());
    let mut racers = JoinSet::new();
    // Each project is activated at both servers at once.
    for (number, server) in servers.iter().enumerate() {
        for lane in 0..4 {
            let (api, race) = (acme.api.at(server.url()), Arc::clone(&race));
            let pairs = projects.iter().cloned().zip(codes.iter().flat_map(|code| [code.clone(), code.clone()]));
            let own: Vec<_> = pairs.enumerate().filter(|(place, _)| place % 4 == lane).map(|(_, pair)| pair).collect();
            racers.spawn(async move { race.run(number, &api, own).await });
        }
    }
    race.until(BEFORE).await;
    primary.kill9().await;
    let killed = Instant::now();
    // A balancer that is too quick: what leads to a standby is no use yet.
    wire.lead_to(&standby.same_database(world.database_url()));
    tokio::time::sleep(unnoticed).await;
    standby.promote().await;
    let promoted = killed.elapsed();
    racers.join_all().await;

    let race = Arc::into_inner(race).unwrap();
    println!(
        "failover: promoted {promoted:.2?} after the loss; no activation was acknowledged for {:.2?}; {} answers of 503",
        race.longest_pause(),
        race.unavailable.load(Ordering::Relaxed)
    );
    let now = standby.same_database(world.database_url());
    verify(&now, &race.acknowledged()).await;
    still_works(&servers, &acme.api, &projects).await;
}

/// A standby answers, but perhaps of yesterday: nobody asks it.
async fn is_of_no_use(standby: &DatabaseUrl) {
    assert_eq!(database::rows(standby, "SELECT 1 AS one").await.len(), 1);
    let store = DatabaseStore::connect(&Options::new(standby.as_str())).await.unwrap();
    let refused = store.ping().await;
    assert!(matches!(refused, Err(StoreError::Interrupted(_))), "{refused:?}");
}

/// What racing clients were told.
#[derive(Default)]
struct Race {
    /// Project, code and moment of each activation that was acknowledged.
    told: Mutex<Vec<(String, String, Instant)>>,
    unavailable: AtomicUsize,
}

impl Race {
    /// Activates one project after the other, as clients do: who is told 503 asks again.
    async fn run(&self, server: usize, api: &Api, pairs: Vec<(String, String)>) {
        for (project, code) in pairs {
            loop {
                let reply = api.activate(&project, &json!({ "code": code })).await;
                match reply.status {
                    200 => {
                        let used = reply.text_at("/activation_code_id");
                        let mut told = self.told.lock().unwrap();
                        told.push((project, used, Instant::now()));
                        break;
                    }
                    409 => break,
                    503 => {
                        assert!(reply.expect_problem(503, "unavailable").header("retry-after").is_some());
                        self.unavailable.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    _ => panic!("server {server}: {reply:?}"),
                }
            }
        }
    }

    async fn until(&self, acknowledged: usize) {
        while self.told.lock().unwrap().len() < acknowledged {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The longest time between two acknowledgements.
    fn longest_pause(&self) -> Duration {
        let told = self.told.lock().unwrap();
        // In the order of their moments, as each was noted under the lock.
        let pauses = told.windows(2).map(|pair| pair[1].2.saturating_duration_since(pair[0].2));
        pauses.max().unwrap_or_default()
    }

    /// The code of each project; however often it was told, it was the same.
    fn acknowledged(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (project, code, _) in self.told.lock().unwrap().iter() {
            let before = all.insert(project.clone(), code.clone());
            assert!(before.is_none_or(|before| before == *code), "an activation changed its code");
        }
        all
    }
}

async fn verify(now: &DatabaseUrl, acknowledged: &BTreeMap<String, String>) {
    let active =
        "SELECT 'prj_' || replace(id::text, '-', '') AS project, 'code_' || replace(activation_code_id::text, '-', '') AS code
        FROM llm_project_config WHERE project_status = 'active'";
    let active: BTreeMap<String, String> = database::rows(now, active)
        .await
        .iter()
        .map(|row| (row["project"].as_str().unwrap().to_owned(), row["code"].as_str().unwrap().to_owned()))
        .collect();
    for (project, code) in acknowledged {
        assert_eq!(active.get(project), Some(code), "an acknowledged activation was lost");
    }
    assert_eq!(&active, acknowledged, "in the end each was acknowledged");
    let used: BTreeSet<&String> = active.values().collect();
    assert_eq!((active.len(), used.len()), (CODES, CODES), "exactly one project a code");
    let differ = "SELECT c.id FROM activation_codes c
        LEFT JOIN redemptions r ON r.activation_code_id = c.id AND r.returned_at IS NULL
        GROUP BY c.id HAVING c.use_count <> 1 OR count(r.id) <> 1";
    assert_eq!(database::rows(now, differ).await, Vec::<serde_json::Value>::new(), "uses and ledger agree");
    let counted = database::rows(now, "SELECT CAST(sum(activations) AS bigint) AS counted FROM usage_months").await;
    assert_eq!(counted[0]["counted"], CODES);
}

/// Whatever was refused in the race is answered as before, by either server.
async fn still_works(servers: &[Server], api: &Api, projects: &[String]) {
    for server in servers {
        server.api().get("/health/ready").await.expect(200);
        api.at(server.url()).get(&format!("/api/tenant/projects/{}", projects[0])).await.expect(200);
        api.at(server.url()).create_project("Client of the new primary").await;
    }
}
