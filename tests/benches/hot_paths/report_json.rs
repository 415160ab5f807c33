//! The same figures for programs.

use serde_json::{Value, json};

use crate::{
    load::Figures,
    measure::Measured,
    report::{Report, apart, name},
};

impl Report {
    /// The report for programs.
    pub fn json(&self) -> Value {
        let head: serde_json::Map<_, _> = self.head.iter().map(|(what, how)| ((*what).to_owned(), how.as_str().into())).collect();
        let requests = self.measured.iter().flat_map(|measured| {
            measured.pairs.iter().map(|pair| {
                let limit_database = apart(measured.kind, pair.limit_processors.database);
                json!({
                    "database": name(measured.kind),
                    "request": pair.operation.name(),
                    "server": figures(&pair.server),
                    "limit": figures(&pair.limit),
                    "ratio": pair.server.rate / pair.limit.rate,
                    "at_a_fixed_rate": figures(&pair.steady),
                    "server_seconds_for_1000": pair.processors.server,
                    "database_seconds_for_1000": apart(measured.kind, pair.processors.database),
                    "limit_database_seconds_for_1000": limit_database,
                    "peak_kib": pair.peak,
                })
            })
        });
        let bulk = self.measured.iter().map(|Measured { kind, bulk, .. }| {
            json!({
                "database": name(*kind),
                "codes": bulk.count,
                "server_per_second": bulk.server,
                "limit_per_second": bulk.limit,
                "ratio": bulk.server / bulk.limit,
                "server_seconds_for_1000": bulk.processors.server,
                "database_seconds_for_1000": apart(*kind, bulk.processors.database),
                "peak_kib": bulk.peak,
            })
        });
        let wire = self.templates.iter().map(|(operation, template)| {
            json!({
                "request": operation.name(),
                "statements": template.statements.iter().map(|statement| &statement.sql).collect::<Vec<_>>(),
                "commits": template.commits,
                "round_trips": template.round_trips,
            })
        });
        let idle = self.measured.iter().map(|measured| {
            json!({ "database": name(measured.kind), "idle_kib": measured.idle, "idle_in_no_file_kib": measured.idle_own })
        });
        json!({
            "head": head,
            "requests": requests.collect::<Vec<_>>(),
            "bulk": bulk.collect::<Vec<_>>(),
            "postgres_wire": wire.collect::<Vec<_>>(),
            "memory": idle.collect::<Vec<_>>(),
            "sqlite_cold_start_ms": self.cold_start.as_secs_f64() * 1_000.0,
            "program_bytes": self.program.0,
            "program_bytes_stripped": self.program.1,
        })
    }
}

fn figures(figures: &Figures) -> Value {
    let Figures { rate, p50, p99, errors, .. } = figures;
    json!({ "per_second": rate, "p50_ms": p50.as_secs_f64() * 1_000.0, "p99_ms": p99.as_secs_f64() * 1_000.0, "errors": errors })
}
