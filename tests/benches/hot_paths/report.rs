//! The tables.

use std::time::Duration;

use tenantry_tests::DatabaseKind;

use crate::{
    load::Figures,
    machine::Head,
    measure::{Bulk, Measured, Pair, Templates},
    options::Options,
};

/// Everything that a run found.
pub struct Report {
    pub head: Head,
    pub load: String,
    pub measured: Vec<Measured>,
    /// What each operation runs on PostgreSQL.
    pub templates: Templates,
    pub cold_start: Duration,
    pub cold_starts: usize,
    /// In bytes, as it was built, and as it is shipped.
    pub program: (u64, Option<u64>),
}

/// How the figures came about.
pub fn load(options: &Options) -> String {
    let Options { connections, seconds, rows, rounds, codes, projects, sessions, tenants, .. } = options;
    format!(
        "There were {codes} codes, {projects} projects and {sessions} sessions of {tenants} tenants before. In a closed loop {connections} \
         callers each send the next request when the last one is answered; generator, server and database share the processors. The limit \
         is the same statements without a server, with as many callers, on a copy of the database, by turns with it: on PostgreSQL by \
         pgbench in its prepared mode, as the wire showed them; on SQLite by the bare driver, {connections} connections that read and one \
         that writes, a transaction each turn. Medians of {rounds} rounds; a round of reads takes {seconds} s, one of writes {rows} \
         requests. Sign-ins are counted with the mail that they send, into a file. Processor time is in seconds for 1,000 requests, or \
         1,000 codes.\n"
    )
}

impl Report {
    /// What makes figures invalid: requests that failed, and statements of the limit that don't come to what the server's do.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for Measured { kind, pairs, bulk, .. } in &self.measured {
            let database = name(*kind);
            for Pair { operation, server, limit, steady, .. } in pairs {
                for (side, figures) in [("server", server), ("limit", limit), ("server at a fixed rate", steady)] {
                    if let Figures { errors, first_error: Some(first), .. } = figures {
                        complaints
                            .push(format!("{database}, {}: {errors} errors of the {side}, the first: {first}", operation.name()));
                    }
                }
            }
            complaints.extend(bulk.errors.iter().map(|error| format!("{database}, {BULK}: {error}")));
        }
        complaints
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let mut text = list(&self.head);
        text += &format!("\n{}", self.load);
        text += "\n| database | request | server, a second | p50, ms | p99, ms | limit, a second | p50, ms | p99, ms | server / limit | \
                 server's processors, s | database's | database's, limit | most memory, MB |\n\
                 |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
        for Measured { kind, pairs, bulk, .. } in &self.measured {
            let (database, apart) = (name(*kind), |seconds: f64| processors(*kind, seconds));
            for pair in pairs {
                let Pair { operation, server, limit, processors: took, limit_processors, peak, .. } = pair;
                text += &format!(
                    "| {database} | {} | {:.0} | {} | {} | {:.0} | {} | {} | {:.2} | {:.3} | {} | {} | {:.1} |\n",
                    operation.name(),
                    server.rate,
                    ms(server.p50),
                    ms(server.p99),
                    limit.rate,
                    ms(limit.p50),
                    ms(limit.p99),
                    server.rate / limit.rate,
                    took.server,
                    apart(took.database),
                    apart(limit_processors.database),
                    mb(*peak),
                );
            }
            let Bulk { count, server, limit, processors: took, peak, .. } = bulk;
            text += &format!(
                "| {database} | {BULK}, {count} | {server:.0} codes | | | {limit:.0} codes | | | {:.2} | {:.4} | {} | | {:.1} |\n",
                server / limit,
                took.server,
                apart(took.database),
                mb(*peak),
            );
        }
        [text, self.steady(), self.wire(), self.start()].concat()
    }

    /// Latencies where requests come at their own time.
    fn steady(&self) -> String {
        let mut text =
            "\nAt a fixed rate a request's time begins when it is due, so that a stall counts for all that would have come \
                        meanwhile:\n\n| database | request | requests a second | p50, ms | p99, ms |\n|---|---|--:|--:|--:|\n"
                .to_owned();
        for Measured { kind, pairs, .. } in &self.measured {
            for Pair { operation, steady, steady_rate, .. } in pairs {
                let (p50, p99) = (ms(steady.p50), ms(steady.p99));
                text += &format!("| {} | {} | {steady_rate:.0} | {p50} | {p99} |\n", name(*kind), operation.name());
            }
        }
        text
    }

    fn wire(&self) -> String {
        let mut text = "\n| one request on PostgreSQL | statements, BEGIN and COMMIT among them | commits | round trips |\n\
                        |---|--:|--:|--:|\n"
            .to_owned();
        for (operation, template) in &self.templates {
            let (statements, commits, round_trips) = (template.statements.len(), template.commits, template.round_trips);
            text += &format!("| {} | {statements} | {commits} | {round_trips} |\n", operation.name());
        }
        text
    }

    fn start(&self) -> String {
        let mut text = "\n| server | idle, MB | of it in no file, MB | most, MB |\n|---|--:|--:|--:|\n".to_owned();
        for measured in &self.measured {
            let [idle, own, most] = [measured.idle, measured.idle_own, most(measured)].map(mb);
            text += &format!("| on {} | {idle:.1} | {own:.1} | {most:.1} |\n", name(measured.kind));
        }
        let (built, stripped) = self.program;
        let stripped = stripped
            .map(|size| format!(", {:.1} MB without what debuggers read, as it is shipped", size as f64 / 1e6))
            .unwrap_or_default();
        text += &format!(
            "\nWhat is in a file is the program, which the system shares among servers, and drops where memory is short.\n\nFrom its start to the first 200 of `/health/ready`, on an existing SQLite file: {} ms, the median of {}. The program has {:.1} \
             MB{stripped}.\n",
            ms(self.cold_start),
            self.cold_starts,
            built as f64 / 1e6,
        );
        text
    }

    /// What README.md says.
    pub fn short(&self) -> String {
        let mut text = "| server / limit |".to_owned();
        for measured in &self.measured {
            text += &format!(" {} |", name(measured.kind));
        }
        text += "\n|---|--:|--:|\n";
        let ratios = |pair: usize| self.measured.iter().map(move |measured| &measured.pairs[pair]);
        for (place, (operation, _)) in self.templates.iter().enumerate() {
            let cells = ratios(place).map(|pair| format!(" {:.2} |", pair.server.rate / pair.limit.rate));
            text += &format!("| {} |{}\n", operation.name(), cells.collect::<String>());
        }
        let cells = self.measured.iter().map(|measured| format!(" {:.2} |", measured.bulk.server / measured.bulk.limit));
        text += &format!("| {BULK} |{}\n", cells.collect::<String>());
        let of = |kind| self.measured.iter().find(|measured| measured.kind == kind).expect("both are measured");
        let sqlite = of(DatabaseKind::Sqlite);
        text += &format!(
            "\nOn SQLite an idle server holds {:.1} MB, and {:.1} MB at the most under this load; it is ready {} ms after its start.\n",
            mb(sqlite.idle),
            mb(most(sqlite)),
            ms(self.cold_start),
        );
        text
    }
}

const BULK: &str = "codes issued at once";

/// The most memory that the server had, whatever it did.
fn most(measured: &Measured) -> u64 {
    measured.pairs.iter().map(|pair| pair.peak).chain([measured.bulk.peak]).max().unwrap_or_default()
}

/// What a database takes by itself; SQLite is a part of the server.
pub fn apart(kind: DatabaseKind, seconds: f64) -> Option<f64> {
    (kind == DatabaseKind::Postgres).then_some(seconds)
}

fn processors(kind: DatabaseKind, seconds: f64) -> String {
    apart(kind, seconds).map(|seconds| format!("{seconds:.3}")).unwrap_or_default()
}

/// The head as a list.
pub fn list(head: &Head) -> String {
    head.iter().map(|(what, how)| format!("- {what}: {how}\n")).collect()
}

pub fn name(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Sqlite => "SQLite",
        DatabaseKind::Postgres => "PostgreSQL",
    }
}

pub fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1_000.0)
}

fn mb(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}
