//! Where and of what the figures are, asked of the machine.

use std::{fs, path::Path, process::Command};

use tenantry_domain::{Clock as _, SystemClock};
use tenantry_tests::World;

use crate::options::Options;

/// The head of the report: what, and how it is.
pub type Head = Vec<(&'static str, String)>;

/// All that a figure depends on and that can be asked.
pub async fn head(options: &Options, sqlite: &World, postgres: &World) -> Head {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let build = if cfg!(debug_assertions) { "DEBUG build, worthless as a measure" } else { "release build" };
    let settings = options.settings.iter().map(|(name, value)| format!(", but {name}={value}")).collect::<String>();
    vec![
        ("date", SystemClock.now().to_string()),
        ("commit", commit()),
        ("processor", format!("{} x {}", cores(), field("/proc/cpuinfo", "model name"))),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()),
        ("load before the start", load.to_owned()),
        ("databases in", file_system(&std::env::temp_dir())),
        ("PostgreSQL", postgres_version(postgres).await),
        ("SQLite", format!("{}, WAL, synchronous=FULL", sqlite_version(sqlite).await)),
        (
            "server",
            format!(
                "{build}, default settings{settings}, without limits of rates; its log goes as JSON into a pipe that is read"
            ),
        ),
        ("release profile", release_profile()),
    ]
}

/// The settings of Cargo.toml's release profile.
fn release_profile() -> String {
    const MANIFEST: &str = include_str!("../../../Cargo.toml");
    let settings = MANIFEST.split_once("[profile.release]\n").map_or("", |(_, rest)| rest);
    settings.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(", ")
}

async fn postgres_version(world: &World) -> String {
    let asked = "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync, \
        current_setting('synchronous_commit') AS commit";
    let rows = world.rows(asked).await;
    let text = |name: &str| rows[0][name].as_str().unwrap_or_default().to_owned();
    format!("{}, fsync {}, synchronous_commit {}", text("version"), text("fsync"), text("commit"))
}

async fn sqlite_version(world: &World) -> String {
    world.rows("SELECT sqlite_version() AS version").await[0]["version"].as_str().unwrap_or_default().to_owned()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The value of the first line `name : value` of one of /proc's files.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// A folder, with the kind of file system that it lies on.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let nearest = mounted.filter(|(place, _)| folder.starts_with(place)).max_by_key(|(place, _)| place.len());
    format!("{} ({})", folder.display(), nearest.map_or("unknown", |(_, kind)| kind))
}

fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "not from a repository".to_owned() };
    let is_clean = git(&["status", "--porcelain"]).is_some_and(|changes| changes.is_empty());
    if is_clean { commit } else { format!("{commit}, with changes that aren't committed") }
}
