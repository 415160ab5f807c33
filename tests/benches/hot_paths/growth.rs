//! Whether what is asked for often costs the same however much there is: one caller, the same requests, databases of several sizes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tenantry_auth::AuthPolicy;
use tenantry_domain::{Clock as _, Retention, Sweep, SystemClock};
use tenantry_persistence::{DatabaseStore, Options as StoreOptions};
use tenantry_tests::{DatabaseKind, World};

use crate::{
    fill::{Sizes, fill},
    http,
    load::{Round, Work, round},
    measure::made_keys,
    operation::{HttpCaller, Operation, Requests},
    prepare::prepare,
    probe::address_of,
};

/// Requests of each kind, after some that aren't counted.
const CALLS: usize = 500;
const WARM_UP: usize = 100;
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

/// Fills a new database, and asks.
pub async fn grow(world: &World, size: usize) -> Grown {
    let keys = made_keys(world).await;
    let url = world.database_url().as_str();
    let tenants = (size / EACH).max(1);
    let sizes = Sizes { tenants, sessions: size, projects: size, codes: size, challenges: 0, ended: ENDED };
    eprintln!("{:?}: fills a database with {size} rows of each kind", world.kind());
    let began = Instant::now();
    fill(world.kind(), url, &keys, sizes).await;
    let filled = began.elapsed();
    let rows = prepare(url, &keys, tenants, WARM_UP + CALLS).await;

    let mut server = world.server().await;
    let key = world.api_key();
    let of = |request: &dyn Fn(usize) -> Vec<Vec<u8>>| (0..WARM_UP + CALLS).map(request).collect::<Requests>();
    let search = |item: usize| vec![http::get("/api/tenant/projects?search=partners&limit=20", &rows.writer(item).token)];
    let asked: [Requests; 4] = [
        of(&|item| Operation::Page.requests(&rows, item)),
        of(&search),
        of(&|item| Operation::Activation.requests(&rows, item)),
        of(&|_| vec![http::get("/api/admin/stats", key)]),
    ];
    let (mut took, mut errors) = ([Duration::ZERO; KINDS.len()], Vec::new());
    for (place, requests) in asked.into_iter().enumerate() {
        let callers = HttpCaller::several(address_of(&server), 1, &Arc::new(requests)).await;
        let work = |items| Round { work: Work::Items(items), rate: None };
        let (callers, warm) = round(callers, work(0..WARM_UP)).await;
        let (_, figures) = round(callers, work(WARM_UP..WARM_UP + CALLS)).await;
        took[place] = figures.p50;
        errors.extend(warm.first_error.or(figures.first_error).map(|error| format!("{}: {error}", KINDS[place])));
    }
    server.terminate().await;
    took[KINDS.len() - 1] = sweep(url).await;
    Grown { kind: world.kind(), size, took, errors, filled }
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
