//! The tables, as Markdown and as JSON.

use std::time::Duration;

use serde_json::{Value, json};
use tenantry_tests::DatabaseKind;

use crate::{
    cost::Cost,
    load::Figures,
    machine::Head,
    measure::{Measured, Pair},
};

/// Everything that a run found.
pub struct Report {
    pub head: Head,
    pub measured: Vec<Measured>,
    pub cold_start: Duration,
    pub cold_starts: usize,
}

impl Report {
    /// What makes figures invalid: requests that failed, and a driver that does other work than the server.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for measured in &self.measured {
            for Pair { operation, server, driver } in &measured.pairs {
                for (side, Figures { errors, first_error, .. }) in [("server", server), ("driver", driver)] {
                    if let Some(first) = first_error {
                        let (database, operation) = (name(measured.kind), operation.name());
                        complaints.push(format!("{database}, {operation}: {errors} errors of the {side}, the first: {first}"));
                    }
                }
            }
            for cost in measured.costs.iter().filter(|cost| !cost.is_same_work()) {
                complaints.push(format!(
                    "PostgreSQL, {}: the driver's statements, or their order, are not the server's any more; bring benches/hot_paths/sql.rs \
                     and script.rs up to date.{}",
                    cost.operation.name(),
                    cost.difference()
                ));
            }
        }
        complaints
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let mut text: String = self.head.iter().map(|(what, how)| format!("- {what}: {how}\n")).collect();
        text += "\n| database | request | server, requests/s | p50, ms | p99, ms | errors | driver, the same/s | p50, ms | p99, ms \
                 | server / driver |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
        for measured in &self.measured {
            for pair in &measured.pairs {
                let Pair { operation, server, driver } = pair;
                text += &format!(
                    "| {} | {} | {:.0} | {} | {} | {} | {:.0} | {} | {} | {:.2} |\n",
                    name(measured.kind),
                    operation.name(),
                    server.rate,
                    ms(server.p50),
                    ms(server.p99),
                    server.errors + driver.errors,
                    driver.rate,
                    ms(driver.p50),
                    ms(driver.p99),
                    server.rate / driver.rate,
                );
            }
        }
        text += "\n| one request on PostgreSQL | statements, BEGIN and COMMIT among them | commits | round trips | round trips of the \
                 driver | same statements |\n|---|--:|--:|--:|--:|---|\n";
        for cost in self.measured.iter().flat_map(|measured| &measured.costs) {
            let Cost { operation, server, driver } = cost;
            text += &format!(
                "| {} | {} | {} | {} | {} | {} |\n",
                operation.name(),
                server.statements.len(),
                server.commits(),
                server.round_trips,
                driver.round_trips,
                if cost.is_same_work() { "yes" } else { "**no**" },
            );
        }
        text += "\n| server process | idle, MB | most under this load, MB | cold start to ready, ms |\n|---|--:|--:|--:|\n";
        for measured in &self.measured {
            let cold_start = match measured.kind {
                DatabaseKind::Sqlite => format!("{} (median of {})", ms(self.cold_start), self.cold_starts),
                DatabaseKind::Postgres => "not measured".to_owned(),
            };
            text +=
                &format!("| {} | {:.1} | {:.1} | {cold_start} |\n", name(measured.kind), mb(measured.idle), mb(measured.peak));
        }
        text
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        let head: serde_json::Map<_, _> = self.head.iter().map(|(what, how)| ((*what).to_owned(), how.as_str().into())).collect();
        let requests = self.measured.iter().flat_map(|measured| {
            measured.pairs.iter().map(|Pair { operation, server, driver }| {
                json!({
                    "database": name(measured.kind),
                    "request": operation.name(),
                    "server": figures(server),
                    "driver": figures(driver),
                    "ratio": server.rate / driver.rate,
                })
            })
        });
        let costs = self.measured.iter().flat_map(|measured| &measured.costs).map(|cost| {
            json!({
                "request": cost.operation.name(),
                "statements": cost.server.statements,
                "commits": cost.server.commits(),
                "round_trips": cost.server.round_trips,
                "driver_round_trips": cost.driver.round_trips,
                "same_statements": cost.is_same_work(),
            })
        });
        let memory = self
            .measured
            .iter()
            .map(|measured| json!({ "database": name(measured.kind), "idle_kib": measured.idle, "peak_kib": measured.peak }));
        json!({
            "head": head,
            "requests": requests.collect::<Vec<_>>(),
            "postgres_wire": costs.collect::<Vec<_>>(),
            "memory": memory.collect::<Vec<_>>(),
            "sqlite_cold_start_ms": self.cold_start.as_secs_f64() * 1000.0,
        })
    }
}

fn figures(figures: &Figures) -> Value {
    let Figures { rate, p50, p99, errors, .. } = figures;
    json!({ "per_second": rate, "p50_ms": p50.as_secs_f64() * 1000.0, "p99_ms": p99.as_secs_f64() * 1000.0, "errors": errors })
}

fn name(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Sqlite => "SQLite",
        DatabaseKind::Postgres => "PostgreSQL",
    }
}

fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

fn mb(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
