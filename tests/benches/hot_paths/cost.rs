//! What one request costs PostgreSQL, and whether the driver still does the server's work.

use std::{net::SocketAddr, ops::Range, sync::Arc, time::Duration};

use tenantry_tests::{DatabaseKind, Server, Traffic, Wire, World};

use crate::{
    driver::PostgresCaller,
    load::Caller,
    operation::{HttpCaller, Operation},
    prepare::Prepared,
};

/// Requests of each side. The first few also prepare the statements, and some meet the mailer on the wire: the cheapest counts.
const PROBES: usize = 12;
/// Items of each operation that [`costs`] uses up, from the first on.
pub const ITEMS: usize = 2 * PROBES;
/// Long enough for what follows an answer, such as the ping of a connection that goes back to its pool.
const QUIET: Duration = Duration::from_millis(20);

/// What an operation does on the wire.
pub struct Cost {
    pub operation: Operation,
    pub server: Traffic,
    pub driver: Traffic,
}

impl Cost {
    /// Whether both run the same statements in the same order.
    pub fn is_same_work(&self) -> bool {
        self.server.statements == self.driver.statements
    }

    /// The statements that only one side runs, where the work isn't the same.
    pub fn difference(&self) -> String {
        let only = |side: &str, these: &Traffic, those: &Traffic| -> String {
            let lines = these.statements.iter().filter(|statement| !those.statements.contains(statement));
            lines.map(|statement| format!("\n- only the {side}: {statement}")).collect()
        };
        only("server", &self.server, &self.driver) + only("driver", &self.driver, &self.server).as_str()
    }
}

/// Sends each kind of request a few times, one after the other, through a proxy that reads along.
pub async fn costs(world: &World, rows: &Arc<Prepared>) -> Vec<Cost> {
    let wire = Wire::to(world.database_url()).await;
    let url = wire.url(world.database_url());
    let one_connection = world.builder().env("TENANTRY__DATABASE__MAX_CONNECTIONS", 1);
    let mut server = one_connection.env("TENANTRY__DATABASE__URL", &url).start().await;

    let mut costs = Vec::new();
    for operation in Operation::ALL {
        let requests = Arc::new((0..PROBES).map(|item| operation.request(rows, item)).collect());
        let mut http = HttpCaller::several(address_of(&server), 1, &requests).await.remove(0);
        let mut driver = PostgresCaller::connect(&url, operation.script(DatabaseKind::Postgres, rows)).await;
        costs.push(Cost {
            operation,
            server: least(&wire, &mut http, 0..PROBES).await,
            driver: least(&wire, &mut driver, PROBES..2 * PROBES).await,
        });
    }
    server.terminate().await;
    costs
}

async fn least(wire: &Wire, caller: &mut impl Caller, items: Range<usize>) -> Traffic {
    let mut all = Vec::new();
    for item in items {
        tokio::time::sleep(QUIET).await;
        wire.take();
        caller.call(item).await.unwrap_or_else(|error| panic!("{error}"));
        tokio::time::sleep(QUIET).await;
        all.push(wire.take());
    }
    all.into_iter().min_by_key(|traffic| traffic.round_trips).expect("there are probes")
}

/// Where a server listens.
pub fn address_of(server: &Server) -> SocketAddr {
    let url = server.url();
    url.trim_start_matches("http://").parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}
