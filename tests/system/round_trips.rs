//! What the hot paths cost: statements, commits and round trips, counted on the wire to PostgreSQL. No clock is asked, so that a busy
//! machine changes nothing.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry_domain::{
    PageLimit, PageRequest, TokenDigest,
    ports::{SessionReads as _, Store as _},
};
use tenantry_persistence::{DatabaseStore, Options};
use tenantry_tests::{Api, DatabaseKind, SignedIn, Traffic, Wire, World, otp_in};

/// The first few also prepare their statements, and some meet the mailer on the wire: the cheapest counts.
const PROBES: usize = 6;

/// Longer than what follows an answer would take, were there anything.
const QUIET: Duration = Duration::from_millis(20);

struct Bench {
    world: World,
    wire: Wire,
    acme: SignedIn,
    admin: Api,
    _server: tenantry_tests::Server,
}

impl Bench {
    async fn new() -> Self {
        let world = World::postgres().await;
        assert_eq!(world.kind(), DatabaseKind::Postgres);
        let wire = Wire::to(world.database_url()).await;
        let url = wire.url(world.database_url());
        let settings = [("URL", url), ("MAX_CONNECTIONS", "2".to_owned())];
        let builder = settings
            .iter()
            .fold(world.builder(), |builder, (name, value)| builder.env(&format!("TENANTRY__DATABASE__{name}"), value));
        let server = builder.env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 100).start().await;
        let acme = world.tenant(&server, "acme").await;
        let admin = world.admin(&server);
        let codes = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
        admin.post(&codes, &json!({ "count": 2 * PROBES })).await.expect(201);
        Self { world, wire, acme, admin, _server: server }
    }

    /// The least of what a request was seen to cost.
    async fn least(&self, mut request: impl AsyncFnMut()) -> Traffic {
        let mut seen = Vec::new();
        for _ in 0..PROBES {
            tokio::time::sleep(QUIET).await;
            self.wire.take();
            request().await;
            tokio::time::sleep(QUIET).await;
            seen.push(self.wire.take());
        }
        seen.into_iter().min_by_key(|traffic| traffic.round_trips).unwrap()
    }

    async fn projects(&self) -> Vec<Value> {
        let mut projects = Vec::new();
        for number in 0..PROBES {
            projects.push(self.acme.api.create_project(&format!("Client {number} of {}", projects.len())).await);
        }
        projects
    }

    async fn activations(&self, with: impl Fn(usize) -> Value) -> Traffic {
        let projects = self.projects().await;
        let mut number = 0;
        self.least(async || {
            let project = projects[number]["id"].as_str().unwrap();
            self.acme.api.activate(project, &with(number)).await.expect(200);
            number += 1;
        })
        .await
    }
}

/// What came before the first commit, and it: what follows is the mailer, who was woken. Each of its statements was a round trip.
fn until_commit(mut traffic: Traffic) -> Traffic {
    let own = traffic.statements.iter().position(|statement| statement == "COMMIT").unwrap() + 1;
    traffic.round_trips -= traffic.statements.len() - own;
    traffic.statements.truncate(own);
    traffic
}

fn costs(what: &str, traffic: &Traffic, statements: usize, commits: usize, round_trips: usize) {
    let seen = (traffic.statements.len(), traffic.commits(), traffic.round_trips);
    assert_eq!(seen, (statements, commits, round_trips), "{what}: {:#?}", traffic.statements);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_path_makes_as_many_round_trips_as_it_is_said_to() {
    let bench = Bench::new().await;
    bench.projects().await;
    let page = bench.least(async || drop(bench.acme.api.get("/api/tenant/projects").await.expect(200))).await;
    costs("a page of projects", &page, 1, 0, 1);
    let page = bench.least(async || drop(bench.acme.api.get("/api/tenant/projects?search=client").await.expect(200))).await;
    costs("a search", &page, 2, 0, 2);

    let codes = bench.acme.codes.clone();
    let by_text = bench.activations(|number| json!({ "code": codes[number] })).await;
    costs("an activation by a code's text", &by_text, 2, 0, 2);
    let next = bench.activations(|_| json!({})).await;
    costs("an activation with the next available code", &next, 2, 0, 2);

    // Somebody listens: the steps, one by one.
    let hook = json!({ "url": "https://hooks.example.com/", "events": ["tenant.created"] });
    bench.admin.post("/api/admin/webhooks", &hook).await.expect(201);
    let stepwise = bench.activations(|_| json!({})).await;
    costs("an activation that webhooks could hear of", &stepwise, 13, 1, 13);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_makes_as_many_round_trips_as_it_is_said_to() {
    let bench = Bench::new().await;
    let (api, mail) = (bench.acme.api.anonymous(), bench.world.mail());
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for number in 0..PROBES {
        let email = &bench.acme.email;
        // The one at the tenant's sign-in, and those of the rounds before.
        let before = mail.wait_for(email, 1 + number, Duration::from_secs(30)).await.len();
        tokio::time::sleep(QUIET).await;
        bench.wire.take();
        let challenge = api.ask_for_otp("acme").await;
        asked.push(until_commit(bench.wire.take()));
        let letters = mail.wait_for(email, before + 1, Duration::from_secs(30)).await;
        tokio::time::sleep(QUIET).await;
        bench.wire.take();
        api.verify_otp(&challenge, otp_in(&letters[before].text).unwrap()).await.expect(200);
        tokio::time::sleep(QUIET).await;
        answered.push(bench.wire.take());
    }
    let least = |seen: Vec<Traffic>| seen.into_iter().min_by_key(|traffic| traffic.round_trips).unwrap();
    costs("a password that is asked for", &least(asked), 10, 1, 10);
    // The claim and its commit, before anything is compared; then one statement that is committed by itself.
    costs("a password that is right", &least(answered), 7, 1, 7);
}

#[tokio::test]
async fn first_pages_that_are_asked_for_together_share_a_round_trip() {
    let world = World::postgres().await;
    let wire = Wire::to(world.database_url()).await;
    let store = DatabaseStore::connect(&Options::new(wire.url(world.database_url()))).await.unwrap();
    let page = PageRequest { limit: PageLimit::new(20).unwrap(), after: None, count: false };
    let ask = || {
        join_all((0..17).map(async |number| {
            let digest = [TokenDigest::from_bytes([number; 32])];
            assert_eq!(store.reader().session_and_projects(&digest, page).await.unwrap(), None);
        }))
    };
    let mut seen = Vec::new();
    // At first statements are prepared, too, and on a machine that stands still for a while some ask alone.
    for _ in 0..PROBES {
        wire.take();
        ask().await;
        tokio::time::sleep(QUIET).await;
        seen.push(wire.take());
    }
    let least = seen.iter().min_by_key(|traffic| traffic.round_trips).unwrap();
    assert_eq!((least.statements.len(), least.round_trips), (2, 2), "sixteen, and the one that is left: {seen:?}");
}
