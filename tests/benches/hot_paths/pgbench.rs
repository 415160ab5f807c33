//! The limit on PostgreSQL: the server's statements, run by pgbench.
//!
//! It has a copy of the database to itself, and there its own items, which it makes of numbers: `:item` counts up, `:t` is the row of the
//! item's tenant, and `:n` that of its project and its code, as in `prepare.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use tempfile::TempDir;
use tenantry_tests::PostgresCluster;

use crate::{
    load::{Figures, Work},
    operation::Operation,
    prepare::{project_row, writers_of},
    probe::PROBES,
    template::Template,
};

/// The item that the check uses up: the first that the server hasn't.
pub const CHECKED: usize = PROBES;

/// One operation, ready to be run.
pub struct Pgbench {
    url: String,
    clients: usize,
    tenants: usize,
    folder: TempDir,
    script: PathBuf,
    statements: Vec<String>,
    /// The rows that each comes to where the server runs it.
    rows: Vec<u64>,
}

impl Pgbench {
    /// Writes the script, and lets psql run it once, for [`CHECKED`]: `Err` says where it doesn't come to what the server's statements did.
    pub fn new(operation: Operation, template: &Template, url: &str, clients: usize, tenants: usize) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = folder.path().join("script.sql");
        let statements = template.with_sql();
        let lines = statements.iter().map(|sql| format!("{sql};\n"));
        let item = if operation.consumes() {
            "\\set i :i + 1\n\\set item :base + :i * :clients + :client_id\n\\set t :item % :writers\n"
        } else {
            "\\set item 0\n\\set t random(0, :writers - 1)\n"
        };
        let text = format!("{item}\\set n (:item / :writers) * :tenants + :t\n{}", lines.collect::<String>());
        fs::write(&script, text).expect("a temporary file");
        let pgbench = Self { url: url.to_owned(), clients, tenants, folder, script, statements, rows: template.rows.clone() };
        pgbench.check(CHECKED)?;
        Ok(pgbench)
    }

    /// Whether the statements come to what they should, for an item that it uses up.
    pub fn check(&self, item: usize) -> Result<(), String> {
        let (statements, wanted) = (&self.statements, &self.rows);
        let script = self.folder.path().join("check.sql");
        let lines = statements.iter().map(|sql| format!("{sql};\n\\echo :ROW_COUNT\n"));
        fs::write(&script, lines.collect::<String>()).expect("a temporary file");
        let mut psql = program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
        let writers = writers_of(self.tenants);
        let row = project_row(item, self.tenants, writers);
        for (name, number) in [("item", item), ("t", item % writers), ("n", row)] {
            psql.arg("-v").arg(format!("{name}={number}"));
        }
        let said = said(psql.args(["-o", "/dev/null", "-f"]).arg(&script).arg(&self.url))?;
        let rows: Vec<u64> = said.lines().filter_map(|line| line.parse().ok()).collect();
        match rows.iter().zip(wanted).position(|(rows, wanted)| rows != wanted) {
            None if rows.len() == wanted.len() => Ok(()),
            place => {
                let sql = place.map_or("", |place| statements[place].as_str());
                Err(format!("the statements come to {rows:?} rows, and the server's to {wanted:?}: {sql}"))
            }
        }
    }

    /// Runs a round.
    pub fn round(&self, work: &Work) -> Result<Figures, String> {
        let log = tempfile::tempdir_in(self.folder.path()).expect("a temporary folder");
        let mut pgbench = program("pgbench");
        let (first, amount) = match work {
            Work::Items(items) => (items.start, ["-t".to_owned(), (items.len() / self.clients).max(1).to_string()]),
            Work::For(time) => (0, ["-T".to_owned(), time.as_secs_f64().ceil().to_string()]),
        };
        let numbers = [
            ("i", "-1".to_owned()),
            ("base", first.to_string()),
            ("clients", self.clients.to_string()),
            ("tenants", self.tenants.to_string()),
            ("writers", writers_of(self.tenants).to_string()),
        ];
        pgbench.args(["-n", "-M", "prepared", "-j", "2", "-c", &self.clients.to_string()]).args(amount);
        for (name, value) in numbers {
            pgbench.arg("-D").arg(format!("{name}={value}"));
        }
        pgbench.arg("--log").arg("--log-prefix").arg(log.path().join("log")).arg("-f").arg(&self.script).arg(&self.url);
        let said = said(&mut pgbench)?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let rate = rate.ok_or_else(|| format!("pgbench says nothing of its rate: {said}"))?;
        Ok(Figures::of(latencies(log.path()), rate))
    }
}

/// The third number of each line is how long a transaction took, in microseconds.
fn latencies(folder: &Path) -> Vec<Duration> {
    let files = fs::read_dir(folder).expect("the folder is there").flatten();
    let texts = files.map(|file| fs::read_to_string(file.path()).expect("pgbench's log"));
    let micros = |line: &str| line.split(' ').nth(2)?.parse().ok().map(Duration::from_micros);
    texts.flat_map(|text| text.lines().filter_map(micros).collect::<Vec<_>>()).collect()
}

/// One of PostgreSQL's programs.
pub fn program(name: &str) -> Command {
    Command::new(PostgresCluster::program(name))
}

/// What a program that ends well says.
pub fn said(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.success() { Ok(stdout.into_owned()) } else { Err(format!("{status}: {stderr}")) }
}
