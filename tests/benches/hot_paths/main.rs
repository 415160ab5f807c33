//! The hot paths of the server, beside what the database gives to the same statements.
//!
//! `scripts/bench` runs it, or `cargo bench -p tenantry-tests`. It starts the release build of `tenantry-server` on SQLite and on a
//! PostgreSQL of its own, fills both, and lets callers send what the server is asked most: a session check with a page of projects, a
//! sign-in, an activation, a console's page, and an issue of many codes. By turns with it, in the same run, pgbench runs the same statements
//! on PostgreSQL, as they were seen on the wire, and the bare driver on SQLite. Compare the ratios: absolute figures are the machine's.

mod bare;
mod bulk;
mod compare;
mod fill;
mod growth;
mod http;
mod load;
mod machine;
mod measure;
mod operation;
mod options;
mod page;
mod pgbench;
mod prepare;
mod probe;
mod report;
mod report_growth;
mod report_json;
mod sql;
mod start;
mod template;
mod usage;
mod value;

use std::{fs, process::ExitCode};

use tenantry_tests::{DatabaseKind, World};

use crate::{load::median, options::Options, report::Report, report_growth::GrowthReport};

/// Cold starts, of which the median is told.
const COLD_STARTS: usize = 10;

// One thread has no others to wake, so that more of the processors is left to what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::asked();
    if !options.bench {
        // `cargo test --all-targets` runs benchmarks, too.
        eprintln!("hot_paths measures under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let (markdown, json, complaints) = if options.growth.is_empty() {
        let report = run(&options).await;
        if let Some(file) = &options.readme {
            page::write_between(&Options::path(file), "bench", &report.short());
        }
        (report.markdown(), report.json(), report.complaints())
    } else {
        let report = grow(&options).await;
        (report.markdown(), report.json(), report.complaints())
    };
    println!("{markdown}");
    if let Some(file) = &options.json {
        fs::write(Options::path(file), format!("{json:#}\n")).expect("the file for JSON can be written");
    }
    for complaint in &complaints {
        println!("**Not valid.** {complaint}\n");
    }
    if !complaints.is_empty() {
        return ExitCode::FAILURE;
    }
    if let Some(file) = &options.markdown {
        let part = if options.growth.is_empty() { "hot paths" } else { "growth" };
        page::write_part(&Options::path(file), part, &markdown);
    }
    ExitCode::SUCCESS
}

async fn run(options: &Options) -> Report {
    let (sqlite, postgres) = (World::sqlite().await, World::postgres().await);
    let head = head(options, &sqlite, &postgres).await;
    let cold_starts: Vec<_> = (0..COLD_STARTS).map(|_| start::cold_start(&sqlite)).collect();
    let (on_postgres, templates) = measure::measure(&postgres, options, None).await;
    let (on_sqlite, templates) = measure::measure(&sqlite, options, Some(templates)).await;
    Report {
        head,
        load: report::load(options),
        measured: vec![on_postgres, on_sqlite],
        templates,
        cold_start: median(cold_starts.into_iter()),
        cold_starts: COLD_STARTS,
        program: start::program_size(),
    }
}

async fn grow(options: &Options) -> GrowthReport {
    let head = head(options, &World::sqlite().await, &World::postgres().await).await;
    let mut grown = Vec::new();
    for kind in [DatabaseKind::Postgres, DatabaseKind::Sqlite] {
        let found = growth::grow(kind, &options.growth).await;
        // The other database takes as long again.
        eprint!("{}", report_growth::table(&found));
        grown.extend(found);
    }
    GrowthReport { head, grown }
}

async fn head(options: &Options, sqlite: &World, postgres: &World) -> machine::Head {
    // SQLite's file is there once a server has made it.
    sqlite.server().await.terminate().await;
    machine::head(options, sqlite, postgres).await
}
