//! Server and limit at the same work, by turns.

use std::{net::SocketAddr, ops::Range, sync::Arc, time::Duration};

use serde_json::Value;
use tenantry_tests::{DatabaseKind, DatabaseUrl, Server, World};

use crate::{
    bare::{Script, SqliteCaller},
    bulk,
    http::Connection,
    load::{Figures, Round, Work, median, median_of, round},
    measure::{Bulk, Pair},
    operation::{HttpCaller, Operation, Requests},
    options::Options,
    pgbench::{CHECKED, Pgbench},
    prepare::Prepared,
    probe::PROBES,
    template::Template,
    usage::{Processors, Usage},
};

/// Calls, or milliseconds, of the round that warms each side up and isn't counted.
pub const WARM_UP: usize = 300;

/// A filled database with its server, and a copy for the limit.
pub struct Bench<'a> {
    pub world: &'a World,
    pub server: &'a Server,
    pub address: SocketAddr,
    pub copy: DatabaseUrl,
    pub usage: Usage,
    pub rows: Arc<Prepared>,
    pub options: &'a Options,
}

/// What runs the statements alone.
enum Limit {
    Pgbench(Result<Pgbench, String>),
    Bare(Vec<SqliteCaller>),
}

impl Bench<'_> {
    /// Lets server and limit do an operation by turns: server, limit, server, limit.
    pub async fn compare(&self, operation: Operation, template: &Template) -> Pair {
        let options = self.options;
        let mut limit = self.limit(operation, template).await;
        let last = if operation.consumes() { self.rows.sign_ins.len() } else { self.rows.writers.len() };
        let requests = Arc::new((0..last).map(|item| operation.requests(&self.rows, item)).collect::<Requests>());
        let (mut items, mut limit_items) = (Items { next: PROBES }, Items { next: CHECKED + 1 });
        let (mut server_rounds, mut limit_rounds) = (Vec::new(), Vec::new());
        let (mut server_took, mut limit_took) = (Processors::default(), Processors::default());
        self.usage.forget_peak();
        for number in 0..=options.rounds {
            let size = if number == 0 { WARM_UP } else { options.rows };
            let time = if number == 0 { WARM_UP as f64 / 1_000.0 } else { options.seconds };
            let work = |items: &mut Items| match operation.consumes() {
                true => Work::Items(items.take(size)),
                false => Work::For(Duration::from_secs_f64(time)),
            };
            let before = self.usage.processors();
            let found = self.server_round(operation, &requests, Round { work: work(&mut items), rate: None }).await;
            let between = self.usage.processors();
            let limit_found = limit.round(work(&mut limit_items)).await;
            if number > 0 {
                server_took = server_took.plus(between.since(before));
                limit_took = limit_took.plus(self.usage.processors().since(between));
                server_rounds.push(found);
                limit_rounds.push(limit_found);
            }
        }
        if let Err(error) = limit.check(limit_items.take(1).start) {
            limit_rounds.push(Figures { errors: 1, first_error: Some(error), ..Figures::default() });
        }
        let (server, limit) = (median_of(&server_rounds), median_of(&limit_rounds));
        let steady_rate = options.rate.unwrap_or(server.rate / 2.0);
        let work = match operation.consumes() {
            true => Work::Items(items.take(((steady_rate * options.seconds) as usize).clamp(1, options.rows))),
            false => Work::For(Duration::from_secs_f64(options.seconds)),
        };
        let steady = self.server_round(operation, &requests, Round { work, rate: Some(steady_rate) }).await;
        let for_1_000 = |took: Processors, calls: usize| Processors {
            server: took.server * 1_000.0 / calls.max(1) as f64,
            database: took.database * 1_000.0 / calls.max(1) as f64,
        };
        Pair {
            operation,
            processors: for_1_000(server_took, server.calls),
            limit_processors: for_1_000(limit_took, limit.calls),
            server,
            limit,
            steady,
            steady_rate,
            peak: self.usage.peak(),
        }
    }

    async fn limit(&self, operation: Operation, template: &Template) -> Limit {
        let (url, Options { connections, tenants, .. }) = (self.copy.as_str(), self.options);
        match self.world.kind() {
            DatabaseKind::Postgres => Limit::Pgbench(Pgbench::new(operation, template, url, *connections, *tenants)),
            DatabaseKind::Sqlite => {
                let script = Script::new(operation, template, &self.rows);
                Limit::Bare(SqliteCaller::several(url, *connections, &script).await)
            }
        }
    }

    /// New connections each time: the server closes those that were idle while the limit ran.
    async fn server_round(&self, operation: Operation, requests: &Arc<Requests>, work: Round) -> Figures {
        let callers = HttpCaller::several(self.address, self.options.connections, requests).await;
        let (_, found) = round(callers, work).await;
        if operation == Operation::SignIn {
            self.mail_is_out().await;
        }
        found
    }

    /// What a round leaves to the mailer is neither the limit's burden nor the next round's.
    async fn mail_is_out(&self) {
        for _ in 0..300 {
            if self.world.rows("SELECT topic FROM outbox WHERE settled_at IS NULL LIMIT 1").await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        eprintln!("mail still waits after a minute; the rounds that follow share the processors with it");
    }

    /// The same with many codes at once.
    pub async fn compare_bulk(&self) -> Bulk {
        let mut bulk = Bulk { count: self.options.bulk, ..Bulk::default() };
        let (mut server, mut limit) = (Vec::new(), Vec::new());
        self.usage.forget_peak();
        for _ in 0..self.options.rounds {
            let before = self.usage.processors();
            let by_server = bulk::by_server(self.world, self.server, bulk.count).await;
            bulk.processors = bulk.processors.plus(self.usage.processors().since(before));
            let by_limit = bulk::by_limit(self.world.kind(), self.copy.as_str(), bulk.count).await;
            for (found, of) in [(by_server, &mut server), (by_limit, &mut limit)] {
                match found {
                    Ok(took) => of.push(bulk.count as f64 / took.as_secs_f64()),
                    Err(error) => bulk.errors.push(error),
                }
            }
        }
        let for_1_000 = 1_000.0 / (bulk.count * self.options.rounds) as f64;
        bulk.processors.server *= for_1_000;
        bulk.processors.database *= for_1_000;
        Bulk { server: median(server.into_iter()), limit: median(limit.into_iter()), peak: self.usage.peak(), ..bulk }
    }

    /// That a page is what it is taken for.
    pub async fn check_page(&self) {
        let mut connection = Connection::open(self.address).await.expect("the server accepts");
        let reply = connection.send(&Operation::Page.requests(&self.rows, 0)[0]).await.expect("an answer");
        let page: Value = serde_json::from_slice(reply.body).expect("JSON");
        assert_eq!(page["items"].as_array().map(Vec::len), Some(20), "{page}");
    }
}

impl Limit {
    /// Whether it still does what the server does; the bare driver looks at every call.
    fn check(&self, item: usize) -> Result<(), String> {
        match self {
            Self::Pgbench(Ok(pgbench)) => pgbench.check(item),
            _ => Ok(()),
        }
    }

    async fn round(&mut self, work: Work) -> Figures {
        match self {
            Self::Pgbench(pgbench) => match pgbench.as_ref().map_err(Clone::clone).and_then(|pgbench| pgbench.round(&work)) {
                Ok(figures) => figures,
                Err(error) => Figures { errors: 1, first_error: Some(error), ..Figures::default() },
            },
            Self::Bare(callers) => {
                let (back, figures) = round(std::mem::take(callers), Round { work, rate: None }).await;
                *callers = back;
                figures
            }
        }
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
