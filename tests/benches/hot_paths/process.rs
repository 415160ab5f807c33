//! The server as the operating system sees it: its memory, and how long it takes to be ready.

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::ffi::OsStrExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tenantry_tests::{World, binaries};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server's process.
pub struct ServerProcess {
    pid: u32,
}

impl ServerProcess {
    /// The one that runs with this world's key ring; the harness keeps it behind a shell.
    pub fn of(world: &World) -> Self {
        let program = fs::canonicalize(binaries::server()).expect("the server's program");
        let keys = world.keys_file();
        let setting = [b"TENANTRY__KEYS__FILE=", keys.as_os_str().as_bytes()].concat();
        let is_it = |pid: &u32| {
            let runs_it = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            runs_it && environment.split(|&byte| byte == 0).any(|variable| variable == setting)
        };
        let processes = fs::read_dir("/proc").expect("Linux's /proc").flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self { pid: pids.find(is_it).expect("a server of this world runs") }
    }

    /// Its memory now, in KiB.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most memory that it ever had, in KiB.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number of KiB")
    }
}

/// From the spawn of a server on a world's SQLite database, which is there, to the first 200 of /health/ready.
pub fn cold_start(world: &World) -> Duration {
    let address = free_address();
    let (bind, keys) = (address.to_string(), world.keys_file());
    let data = keys.with_file_name("data");
    let settings = [
        ("TENANTRY__HTTP__BIND", OsStr::new(&bind)),
        ("TENANTRY__DATA_DIR", data.as_os_str()),
        ("TENANTRY__DATABASE__URL", OsStr::new(world.database_url().as_str())),
        ("TENANTRY__KEYS__FILE", keys.as_os_str()),
    ];
    let mut command = binaries::without_settings(Command::new(binaries::server()));
    command.envs(settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let _server = Killed(command.spawn().expect("the server starts"));
    while !is_ready(address).unwrap_or(false) {
        assert!(started.elapsed() < PATIENCE, "the server isn't ready after {PATIENCE:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
    started.elapsed()
}

/// A process that ends with this value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It can only have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

fn is_ready(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    Ok(status.starts_with("HTTP/1.1 200"))
}
