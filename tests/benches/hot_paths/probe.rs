//! Looks on while the server answers each kind of request a few times, one after the other.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use tenantry_domain::{Clock as _, SystemClock};
use tenantry_tests::{Server, ServerBuilder, Traffic, Wire, World};

use crate::{
    operation::{HttpCaller, Operation},
    prepare::Prepared,
    template::{Probe, Template},
};

/// Requests of each kind, which use up as many items, from the first on.
pub const PROBES: usize = 12;
/// Long enough for what follows an answer, such as the mailer at its outbox.
const QUIET: Duration = Duration::from_millis(30);

/// What each operation runs on PostgreSQL.
pub async fn probe(world: &World, rows: &Arc<Prepared>) -> Vec<(Operation, Template)> {
    let wire = Wire::to(world.database_url()).await;
    let url = wire.url(world.database_url());
    let one_connection = unlimited(world).env("TENANTRY__DATABASE__MAX_CONNECTIONS", 1);
    let mut server = one_connection.env("TENANTRY__DATABASE__URL", &url).start().await;

    let mut templates = Vec::new();
    // What is run while nothing is asked: the mailer's.
    let mut others = HashSet::new();
    for operation in Operation::ALL {
        let requests = Arc::new((0..PROBES).map(|item| operation.requests(rows, item)).collect::<Vec<_>>());
        let mut caller = HttpCaller::several(address_of(&server), 1, &requests).await.remove(0);
        let mut seen = Vec::new();
        for (item, requests) in requests.iter().enumerate() {
            let sent = SystemClock.now().unix_micros();
            let mut traffic = Vec::new();
            for number in 0..requests.len() {
                others.extend(quiet(&wire).await);
                caller.send(item, number).await.unwrap_or_else(|error| panic!("{}: {error}", operation.name()));
                // At once: what comes now is no part of the request.
                traffic.push(wire.take());
            }
            seen.push((item, sent, traffic));
        }
        others.extend(quiet(&wire).await);
        let probes = seen.into_iter().map(|(item, sent, traffic)| {
            let traffic = traffic.iter().map(|traffic| without(traffic, &others)).reduce(and).expect("a request");
            Probe { traffic, own: operation.own(rows, item), sent }
        });
        let probes: Vec<_> = probes.collect();
        templates.push((operation, Template::learn(&probes)));
    }
    server.terminate().await;
    templates
}

/// How a server is started whose tenants may sign in as often as they like.
pub fn unlimited(world: &World) -> ServerBuilder {
    world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 1_000_000)
}

/// Waits, and gives what was run meanwhile.
async fn quiet(wire: &Wire) -> impl Iterator<Item = String> {
    tokio::time::sleep(QUIET).await;
    let statements = wire.take().statements.into_iter();
    statements.filter(|sql| !["BEGIN", "COMMIT", "ROLLBACK"].contains(&sql.as_str()))
}

/// One traffic, and what came after it.
fn and(mut before: Traffic, after: Traffic) -> Traffic {
    before.statements.extend(after.statements);
    before.values.extend(after.values);
    before.rows.extend(after.rows);
    before.round_trips += after.round_trips;
    before
}

/// What is left without the transactions, and the single statements, that others run. With one connection they don't mix.
fn without(traffic: &Traffic, others: &HashSet<String>) -> Traffic {
    let mut left = Traffic { round_trips: traffic.round_trips, ..Traffic::default() };
    let mut transaction = Traffic::default();
    let mut is_open = false;
    for ((sql, values), &rows) in traffic.statements.iter().zip(&traffic.values).zip(&traffic.rows) {
        is_open = (is_open || sql == "BEGIN") && !["COMMIT", "ROLLBACK"].contains(&sql.as_str());
        transaction.statements.push(sql.clone());
        transaction.values.push(values.clone());
        transaction.rows.push(rows);
        if is_open {
            continue;
        }
        let ended = std::mem::take(&mut transaction);
        if ended.statements.iter().any(|sql| others.contains(sql)) {
            left.round_trips -= ended.statements.len();
        } else {
            left = and(left, ended);
        }
    }
    // One that is open still had only begun.
    left.round_trips -= transaction.statements.len();
    left
}

/// Where a server listens.
pub fn address_of(server: &Server) -> SocketAddr {
    let url = server.url();
    url.trim_start_matches("http://").parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}
