//! One database: its rows, its server, and every operation in rounds of server, driver, server, driver.

use std::{ops::Range, sync::Arc, time::Duration};

use serde_json::Value;
use tenantry_tests::{DatabaseKind, World, database};

use crate::{
    Options,
    cost::{self, Cost, address_of},
    driver::{PostgresCaller, SqliteCaller},
    http::Connection,
    load::{Caller, Figures, Work, median_of, round},
    operation::{HttpCaller, Operation},
    prepare::{Prepared, prepare},
    process::ServerProcess,
};

/// After its start a server is left alone for so long before its memory is called idle.
const SETTLED: Duration = Duration::from_secs(3);
/// Calls, or milliseconds, of the round that warms each side up and isn't counted.
const WARM_UP: usize = 300;

/// What was found on one database.
pub struct Measured {
    pub kind: DatabaseKind,
    pub pairs: Vec<Pair>,
    /// On PostgreSQL: what its wire showed.
    pub costs: Vec<Cost>,
    /// The server's memory before its first request, in KiB.
    pub idle: u64,
    /// The most that it had, in KiB.
    pub peak: u64,
}

/// Server and driver at the same work.
pub struct Pair {
    pub operation: Operation,
    pub server: Figures,
    pub driver: Figures,
}

/// Measures every operation on a world's database.
pub async fn measure(world: &World, options: &Options) -> Measured {
    // The first server makes the key ring, and SQLite's schema.
    world.server().await.terminate().await;
    let items = cost::ITEMS + 2 * (WARM_UP + options.rounds * options.rows);
    let url = world.database_url().as_str();
    let rows = Arc::new(prepare(url, &world.keys_file(), items).await);
    let costs = match world.kind() {
        DatabaseKind::Sqlite => Vec::new(),
        DatabaseKind::Postgres => {
            // As autovacuum would, a minute later.
            database::execute(world.database_url(), "ANALYZE").await.expect("PostgreSQL counts its rows");
            database::execute(world.database_url(), "CHECKPOINT").await.expect("PostgreSQL writes its pages");
            cost::costs(world, &rows).await
        }
    };

    let builder = options.settings.iter().fold(world.builder(), |builder, (name, value)| builder.env(name, value));
    let mut server = builder.start().await;
    tokio::time::sleep(SETTLED).await;
    let process = ServerProcess::of(world);
    let idle = process.resident();
    let bench = Bench { address: address_of(&server), rows, options };
    bench.check_page().await;
    let mut pairs = Vec::new();
    for operation in Operation::ALL {
        eprintln!("{:?}: {}", world.kind(), operation.name());
        let script = operation.script(world.kind(), &bench.rows);
        pairs.push(match world.kind() {
            DatabaseKind::Sqlite => {
                bench.compare(operation, SqliteCaller::several(url, options.connections, &script).await).await
            }
            DatabaseKind::Postgres => {
                bench.compare(operation, PostgresCaller::several(url, options.connections, &script).await).await
            }
        });
    }
    let peak = process.peak();
    server.terminate().await;
    Measured { kind: world.kind(), pairs, costs, idle, peak }
}

struct Bench<'a> {
    address: std::net::SocketAddr,
    rows: Arc<Prepared>,
    options: &'a Options,
}

impl Bench<'_> {
    async fn compare<D: Caller>(&self, operation: Operation, mut driver: Vec<D>) -> Pair {
        let mut items = Items { next: cost::ITEMS };
        let last = if operation.consumes() { self.rows.sign_ins.len() } else { self.rows.readers.len() };
        let requests = Arc::new((0..last).map(|item| operation.request(&self.rows, item)).collect::<Vec<_>>());
        let mut pair = (Vec::new(), Vec::new());
        for number in 0..=self.options.rounds {
            let mut work = || match (operation.consumes(), number) {
                (true, 0) => Work::Items(items.take(WARM_UP)),
                (true, _) => Work::Items(items.take(self.options.rows)),
                (false, 0) => Work::For(Duration::from_millis(WARM_UP as u64)),
                (false, _) => Work::For(Duration::from_secs_f64(self.options.seconds)),
            };
            // New connections each time: the server closes those that were idle while the driver ran.
            let callers = HttpCaller::several(self.address, self.options.connections, &requests).await;
            let (_, server_figures) = round(callers, work()).await;
            let (callers, driver_figures) = round(driver, work()).await;
            driver = callers;
            if number > 0 {
                pair.0.push(server_figures);
                pair.1.push(driver_figures);
            }
        }
        Pair { operation, server: median_of(&pair.0), driver: median_of(&pair.1) }
    }

    /// That a page is what it is taken for.
    async fn check_page(&self) {
        let mut connection = Connection::open(self.address).await.expect("the server accepts");
        let reply = connection.send(&Operation::Page.request(&self.rows, 0)).await.expect("an answer");
        let page: Value = serde_json::from_slice(reply.body).expect("JSON");
        assert_eq!(page["items"].as_array().map(Vec::len), Some(20), "{page}");
    }
}

struct Items {
    next: usize,
}

impl Items {
    fn take(&mut self, count: usize) -> Range<usize> {
        let first = self.next;
        self.next += count;
        first..self.next
    }
}
