//! Server and database as the operating system sees them: what they take of memory and processors.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use tenantry_tests::{DatabaseKind, World};

/// Linux counts a process's time in hundredths of a second.
const TICKS: f64 = 100.0;

/// What a server and its database have taken of the processors, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Processors {
    pub server: f64,
    /// On SQLite it is in the server.
    pub database: f64,
}

impl Processors {
    /// What was taken since an earlier look.
    pub fn since(self, before: Self) -> Self {
        Self { server: self.server - before.server, database: self.database - before.database }
    }

    pub fn plus(self, more: Self) -> Self {
        Self { server: self.server + more.server, database: self.database + more.database }
    }
}

/// The processes of a running server and its database.
pub struct Usage {
    server: PathBuf,
    /// PostgreSQL's first process, which has the others for children.
    postmaster: Option<u32>,
}

impl Usage {
    /// Of the server that runs with this world's key ring: not the shell that the harness keeps it behind, which is the smaller of the two.
    pub async fn of(world: &World) -> Self {
        let keys = world.keys_file();
        let setting = [b"TENANTRY__KEYS__FILE=", keys.as_os_str().as_bytes()].concat();
        let is_it = |folder: &PathBuf| {
            let environment = fs::read(folder.join("environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|variable| variable == setting)
        };
        let server = processes().filter(is_it).max_by_key(|folder| status(folder, "VmRSS:"));
        let postmaster = match world.kind() {
            DatabaseKind::Sqlite => None,
            DatabaseKind::Postgres => {
                let asked = "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::bigint AS pid";
                world.rows(asked).await[0]["pid"].as_u64().and_then(|pid| pid.try_into().ok())
            }
        };
        Self { server: server.expect("a server of this world runs"), postmaster }
    }

    /// The server's memory now, in KiB.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// What of its memory is in no file, in KiB.
    pub fn own(&self) -> u64 {
        self.status("RssAnon:")
    }

    /// The most memory that it had since it was forgotten, in KiB.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Forgets the most memory so far.
    pub fn forget_peak(&self) {
        // Where it isn't allowed, the peak is that of the whole run.
        fs::write(self.server.join("clear_refs"), "5").ok();
    }

    /// What both have taken so far.
    pub fn processors(&self) -> Processors {
        let own = |times: &Times| times.own;
        let database = self.postmaster.map_or(0.0, |pid| {
            // A child that has ended is in its parent's account.
            let first = times(&Path::new("/proc").join(pid.to_string())).map_or(0.0, |times| times.own + times.ended_children);
            let children = processes().filter_map(|folder| times(&folder)).filter(|times| times.parent == pid);
            first + children.map(|times| own(&times)).sum::<f64>()
        });
        Processors { server: times(&self.server).as_ref().map_or(0.0, own), database }
    }

    fn status(&self, name: &str) -> u64 {
        status(&self.server, name).expect("the server runs, and Linux tells it")
    }
}

/// What `status` says of a process by this name, in KiB.
fn status(process: &Path, name: &str) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

struct Times {
    parent: u32,
    own: f64,
    ended_children: f64,
}

/// From `stat`, behind the program's name in its brackets: state, parent, and as the 12th to 15th its times.
fn times(folder: &Path) -> Option<Times> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default() / TICKS;
    Some(Times { parent: fields.get(1)?.parse().ok()?, own: ticks(11) + ticks(12), ended_children: ticks(13) + ticks(14) })
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").expect("Linux's /proc").flatten();
    let is_process = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).is_some();
    entries.map(|entry| entry.path()).filter(is_process)
}
