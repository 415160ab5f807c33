//! How long a server takes to be ready, and how large its program is.

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tenantry_tests::{World, binaries};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The program's size in bytes as it was built, and without what debuggers read, as it is shipped; the latter where there is a `strip`.
pub fn program_size() -> (u64, Option<u64>) {
    let size = |path: &std::path::Path| fs::metadata(path).map(|file| file.len());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stripped = folder.path().join("stripped");
    let strip = Command::new("strip").args(["--strip-debug", "-o"]).arg(&stripped).arg(binaries::server()).status();
    let stripped = strip.ok().filter(std::process::ExitStatus::success).and_then(|_| size(&stripped).ok());
    (size(&binaries::server()).expect("the server's program"), stripped)
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
