//! The hot paths of the server, beside the same statements run by the bare driver.
//!
//! `scripts/bench` runs it, or `cargo bench -p tenantry-tests`. It starts the release build of `tenantry-server` on SQLite and on a
//! PostgreSQL of its own, and lets callers in a closed loop send three requests: a session check with a page of projects, the
//! verification of a one-time password, an activation. In the same run, by turns, the same number of callers run the same statements
//! through sqlx on rows made alike. Compare the ratios: absolute figures are the machine's.

mod cost;
mod driver;
mod http;
mod load;
mod machine;
mod measure;
mod operation;
mod prepare;
mod process;
mod report;
mod script;
mod sql;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use tenantry_tests::World;

use crate::{load::median, report::Report};

/// Measures the server's hot paths beside the same statements by the bare driver.
#[derive(Parser)]
#[command(name = "hot_paths")]
pub struct Options {
    /// How many callers there are at once.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// How long a round of reads takes.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many requests a round of writes has.
    #[arg(long, default_value_t = 5_000)]
    rows: usize,
    /// How many rounds each side has, by turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A setting of the server that isn't to be the default; may be repeated.
    #[arg(long = "set", value_name = "TENANTRY__NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Writes the figures to a file as JSON, too; a relative path begins at the tests' folder.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What cargo says when it means to measure.
    #[arg(long, hide = true)]
    bench: bool,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("there is no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Cold starts, of which the median is told.
const COLD_STARTS: usize = 10;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --all-targets` runs benchmarks, too.
        eprintln!("hot_paths measures under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let report = run(&options).await;
    println!("{}", report.markdown());
    if let Some(file) = &options.json {
        fs::write(file, format!("{:#}\n", report.json())).expect("the file for JSON can be written");
    }
    let complaints = report.complaints();
    for complaint in &complaints {
        println!("**Not valid.** {complaint}\n");
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(options: &Options) -> Report {
    let (sqlite, postgres) = (World::sqlite().await, World::postgres().await);
    // SQLite's file is there once a server has made it.
    sqlite.server().await.terminate().await;
    let head = machine::head(options, &sqlite, &postgres).await;
    let measured = vec![measure::measure(&sqlite, options).await, measure::measure(&postgres, options).await];
    let cold_starts: Vec<_> = (0..COLD_STARTS).map(|_| process::cold_start(&sqlite)).collect();
    Report { head, measured, cold_start: median(cold_starts.into_iter()), cold_starts: COLD_STARTS }
}
