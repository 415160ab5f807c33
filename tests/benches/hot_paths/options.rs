//! What can be asked for.

use std::path::{Path, PathBuf};

use clap::Parser;
use tenantry_tests::DatabaseKind;

/// Measures the server's hot paths beside the same statements by pgbench and the bare SQLite driver.
#[derive(Parser)]
#[command(name = "hot_paths")]
pub struct Options {
    /// How many callers there are at once.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// How long a round of reads takes.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// How many requests a round of writes has.
    #[arg(long, default_value_t = 3_000)]
    pub rows: usize,
    /// How many rounds each side has, by turns.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Calls a second of the rounds at a fixed rate; half of what the closed loop came to unless given.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Codes that there are before.
    #[arg(long, default_value_t = 100_000)]
    pub codes: usize,
    /// Projects that there are before.
    #[arg(long, default_value_t = 100_000)]
    pub projects: usize,
    /// Sessions that there are before.
    #[arg(long, default_value_t = 20_000)]
    pub sessions: usize,
    /// Tenants that own them.
    #[arg(long, default_value_t = 1_000)]
    pub tenants: usize,
    /// Codes of one bulk issue, up to 1,000,000.
    #[arg(long, default_value_t = 100_000)]
    pub bulk: usize,
    /// Measures growth instead, at these sizes, such as 10000,1000000: codes, projects and sessions of each; a hundredth of it tenants.
    #[arg(long, value_delimiter = ',')]
    pub growth: Vec<usize>,
    /// Measures only what has this in its line of the table, such as `--only sqlite --only activation`; for a look with a profiler.
    #[arg(long, value_name = "WORD", conflicts_with_all = ["markdown", "readme", "growth"])]
    pub only: Vec<String>,
    /// Everything once and small, to see that it works.
    #[arg(long)]
    pub quick: bool,
    /// A setting of the server that isn't to be the default; may be repeated.
    #[arg(long = "set", value_name = "TENANTRY__NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Writes the figures to a file as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes them to a page, such as docs/performance.md; with --growth to its part of that page.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Writes the ratios between the marks `<!-- bench -->` and `<!-- /bench -->` of a file, such as README.md.
    #[arg(long, value_name = "FILE")]
    pub readme: Option<PathBuf>,
    /// What cargo says when it means to measure.
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Options {
    /// What was asked for, made small where it is to be quick.
    pub fn asked() -> Self {
        let mut options = Self::parse();
        if options.quick {
            options = Self {
                connections: 8,
                seconds: 1.0,
                rows: 300,
                rounds: 1,
                codes: 10_000,
                projects: 10_000,
                sessions: 2_000,
                tenants: 500,
                bulk: 10_000,
                ..options
            };
        }
        options
    }

    /// Whether this is to be measured.
    pub fn measures(&self, database: DatabaseKind, name: &str) -> bool {
        let line = format!("{database:?} {name}").to_lowercase();
        self.only.iter().all(|word| line.contains(&word.to_lowercase()))
    }

    /// A file that was named, from the repository's root.
    pub fn path(file: &Path) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
    }
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("there is no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}
