//! Whether what is asked for often costs the same however much there is: one caller, and the same requests to databases of several sizes,
//! by turns.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use tenantry_auth::AuthPolicy;
use tenantry_domain::{Clock as _, Retention, Sweep, SystemClock};
use tenantry_persistence::{DatabaseStore, Options as StoreOptions};
use tenantry_tests::{DatabaseKind, PostgresCluster, Server, World};

use crate::{
    fill::{Sizes, fill},
    http,
    load::{Figures, Round, Work, median, round},
    measure::made_keys,
    operation::{HttpCaller, Operation, Requests},
    prepare::prepare,
    probe::address_of,
};

/// Requests of each kind in a round, and rounds that count. In one before them every tenant that asks does so.
const CALLS: usize = 100;
const ROUNDS: usize = 9;
const ITEMS: usize = CALLS * (1 + ROUNDS);
/// Tenants that ask: as many at every size, so that what they own is as much in memory. The other tenants' rows are what grows.
const ASKING: usize = 100;
/// What a pass of the housekeeping finds to delete.
const ENDED: usize = 1_000;
/// Rows of each kind for each tenant.
const EACH: usize = 100;

/// What is looked at.
pub const KINDS: [&str; 5] =
    ["page of projects", "search in projects", "activation", "figures of the dashboard", "housekeeping pass"];

/// What was found at one size.
pub struct Grown {
    pub kind: DatabaseKind,
    pub size: usize,
    /// Half of the requests of each of [`KINDS`] took less; a pass took so long.
    pub took: [Duration; KINDS.len()],
    pub errors: Vec<String>,
    /// How long the rows took to be written.
    pub filled: Duration,
}

/// A filled database with its server.
struct Ground {
    world: World,
    server: Server,
    requests: [Arc<Requests>; 4],
    size: usize,
    filled: Duration,
}

/// Fills a database for each size, and asks them by turns.
pub async fn grow(kind: DatabaseKind, sizes: &[usize]) -> Vec<Grown> {
    // Not the one that all share, which lives until the end: what grew on it goes with it.
    let cluster = match kind {
        DatabaseKind::Postgres => Some(PostgresCluster::start().await),
        DatabaseKind::Sqlite => None,
    };
    let mut grounds = Vec::new();
    for &size in sizes {
        let world = match &cluster {
            Some(cluster) => World::on(cluster).await,
            None => World::sqlite().await,
        };
        grounds.push(Ground::filled(world, size).await);
    }
    // The largest has just been written: what of it isn't on the disk yet would be, while the others are asked.
    let sync = Command::new("sync").status().expect("sync, which every system has");
    assert!(sync.success(), "{sync}");
    eprintln!("{kind:?}: asks");
    let mut found: Vec<Vec<Vec<Figures>>> = vec![Vec::new(); sizes.len()];
    for place in 0..KINDS.len() - 1 {
        found.iter_mut().for_each(|kinds| kinds.push(Vec::new()));
        for number in 0..=ROUNDS {
            for (ground, found) in grounds.iter().zip(&mut found) {
                found[place].push(ground.round(place, number).await);
            }
        }
    }
    let mut grown = Vec::new();
    for (mut ground, found) in grounds.into_iter().zip(found) {
        ground.server.terminate().await;
        let mut took = [sweep(ground.world.database_url().as_str()).await; KINDS.len()];
        let mut errors = Vec::new();
        for (place, rounds) in found.iter().enumerate() {
            took[place] = median(rounds.iter().skip(1).map(|figures| figures.p50));
            let first_error = rounds.iter().find_map(|figures| figures.first_error.as_ref());
            errors.extend(first_error.map(|error| format!("{}: {error}", KINDS[place])));
        }
        grown.push(Grown { kind, size: ground.size, took, errors, filled: ground.filled });
    }
    grown
}

impl Ground {
    async fn filled(world: World, size: usize) -> Self {
        let keys = made_keys(&world).await;
        let url = world.database_url().as_str();
        let tenants = (size / EACH).max(1);
        let sizes = Sizes { tenants, sessions: size, projects: size, codes: size, challenges: 0, ended: ENDED };
        eprintln!("{:?}: fills a database with {size} rows of each kind", world.kind());
        let began = Instant::now();
        fill(world.kind(), url, &keys, sizes).await;
        let filled = began.elapsed();
        let rows = prepare(url, &keys, tenants, ASKING.min(tenants), ITEMS).await;
        let of = |request: &dyn Fn(usize) -> Vec<Vec<u8>>| Arc::new((0..ITEMS).map(request).collect::<Requests>());
        let search = |item: usize| vec![http::get("/api/tenant/projects?search=partners&limit=20", &rows.writer(item).token)];
        let requests = [
            of(&|item| Operation::Page.requests(&rows, item)),
            of(&search),
            of(&|item| Operation::Activation.requests(&rows, item)),
            of(&|_| vec![http::get("/api/admin/stats", world.api_key())]),
        ];
        // The largest takes long to fill; what is to be swept at the end must not be swept meanwhile.
        let server = world.builder().env("TENANTRY__HOUSEKEEPING__INTERVAL_SECONDS", 86_400).start().await;
        Self { world, server, requests, size, filled }
    }

    /// A round of one of [`KINDS`], each with requests of its own.
    async fn round(&self, place: usize, number: usize) -> Figures {
        let callers = HttpCaller::several(address_of(&self.server), 1, &self.requests[place]).await;
        let work = Work::Items(number * CALLS..(number + 1) * CALLS);
        round(callers, Round { work, rate: None }).await.1
    }
}

/// A pass of the housekeeping, without the rests that it takes beside a server.
async fn sweep(url: &str) -> Duration {
    let store = DatabaseStore::connect(&StoreOptions::new(url)).await.expect("the database");
    let month = time::Duration::days(30);
    let window = AuthPolicy::default().otp_budget.window;
    let retention = Retention { sessions: month, messages: month, failures_count_for: window };
    let mut sweep = Sweep::new(SystemClock.now(), retention);
    let began = Instant::now();
    while sweep.next_batch(&store).await.expect("the store works") {}
    let took = began.elapsed();
    assert_eq!(sweep.swept.sessions, ENDED as u64, "what had ended is gone");
    store.close().await;
    took
}
