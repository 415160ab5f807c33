//! What a service manager is told: that the server serves, that it still answers, and that it stops.
//!
//! The protocol is that of systemd's `sd_notify`: datagrams to the socket that `NOTIFY_SOCKET` names. Where none is named, nothing is told.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    net::SocketAddr,
    os::unix::{ffi::OsStrExt as _, net::UnixDatagram},
    path::Path,
    process,
    time::Duration,
};

use actix_web::rt;
use tokio::{task::JoinHandle, time::sleep};
use tracing::warn;

use crate::health;

/// Between two questions whether the server serves yet.
const SOON: Duration = Duration::from_millis(20);
/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A service manager that wants to know.
pub struct ServiceManager {
    socket: UnixDatagram,
    /// It restarts a server that it hasn't heard of for so long.
    watchdog: Option<Duration>,
}

/// The manager, and the task that tells it how the server is.
pub struct Told(Option<(ServiceManager, JoinHandle<()>)>);

impl ServiceManager {
    /// The one that started this process; `None` where nobody asked to be told. One that can't be told is warned of: it is no reason not to
    /// serve.
    pub fn of_this_process() -> Option<Self> {
        let name = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        match connected(&name) {
            Ok(socket) => Some(Self { socket, watchdog }),
            Err(error) => {
                warn!(%error, "the service manager can't be told anything");
                None
            }
        }
    }

    fn tell(&self, what: &str) {
        if let Err(error) = self.socket.send(what.as_bytes()) {
            warn!(%error, what, "the service manager wasn't told");
        }
    }

    /// Says that the server serves once it answers at `address`, and from then on, if asked, that it still does.
    async fn follow(self, address: SocketAddr) {
        while health::status(address, health::READY, PATIENCE).await.ok() != Some(200) {
            sleep(SOON).await;
        }
        self.tell(&format!("READY=1\nSTATUS=Serving on http://{address}"));
        let Some(watchdog) = self.watchdog else { return };
        // Each question has a third of the time: one may fail before the manager loses its patience. Any answer counts: a server that is full,
        // or without its database, isn't made better by a restart.
        loop {
            match health::status(address, health::LIVE, watchdog / 3).await {
                Ok(_) => self.tell("WATCHDOG=1"),
                Err(error) => warn!(%error, "the server doesn't answer its own watchdog"),
            }
            sleep(watchdog / 3).await;
        }
    }
}

impl Told {
    /// Tells the manager, if there is one, of the server at `address`, as soon as that answers.
    pub fn start(manager: Option<ServiceManager>, address: SocketAddr) -> Self {
        Self(manager.and_then(|manager| {
            let stays = ServiceManager { socket: manager.socket.try_clone().ok()?, watchdog: None };
            Some((stays, rt::spawn(manager.follow(address))))
        }))
    }

    /// Says that the server stops. Its watchdog goes on until [`Told::end`]: requests at hand are still finished.
    pub fn stopping(&self) {
        if let Some((manager, _)) = &self.0 {
            manager.tell("STOPPING=1");
        }
    }

    /// Tells nothing any more.
    pub fn end(self) {
        if let Some((_, task)) = self.0 {
            task.abort();
        }
    }
}

/// A socket that sends to this name: a path, or, after an `@`, a name in Linux's abstract namespace.
fn connected(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes().split_first() {
        Some((b'@', name)) => connect_abstract(&socket, name)?,
        _ => socket.connect(Path::new(&OsString::from(name)))?,
    }
    // A manager that doesn't listen must not hold the server up.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn connect_abstract(socket: &UnixDatagram, name: &[u8]) -> io::Result<()> {
    use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};

    socket.connect_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &UnixDatagram, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A manager's socket, and what a server gets of it.
    fn manager(watchdog: Option<Duration>) -> (UnixDatagram, ServiceManager, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let hears = UnixDatagram::bind(&path).unwrap();
        hears.set_nonblocking(true).unwrap();
        (hears, ServiceManager { socket: connected(path.as_os_str()).unwrap(), watchdog }, folder)
    }

    /// What the manager has been told and not yet read.
    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|size| String::from_utf8_lossy(&buffer[..size]).into_owned()))
            .collect()
    }

    /// The next one who asks, and for what.
    async fn asked(server: &TcpListener, path: &str) -> TcpStream {
        let (mut connection, _) = server.accept().await.unwrap();
        let mut request = vec![0; 4 + path.len()];
        connection.read_exact(&mut request).await.unwrap();
        assert_eq!(request, format!("GET {path}").into_bytes());
        connection
    }

    async fn answer(mut connection: TcpStream, status: u16) {
        connection.write_all(format!("HTTP/1.1 {status} -\r\n\r\n").as_bytes()).await.unwrap();
    }

    #[actix_web::test]
    async fn it_is_ready_when_it_answers_that_it_is_and_not_before() {
        let (hears, manager, _folder) = manager(Some(Duration::from_secs(6)));
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let told = Told::start(Some(manager), server.local_addr().unwrap());
        answer(asked(&server, health::READY).await, 503).await;
        let second = asked(&server, health::READY).await;
        assert_eq!(heard(&hears), [""; 0]);
        answer(second, 200).await;
        // The first question of the watchdog comes after the manager was told.
        let watched = asked(&server, health::LIVE).await;
        assert_eq!(heard(&hears), [format!("READY=1\nSTATUS=Serving on http://{}", server.local_addr().unwrap())]);
        answer(watched, 503).await;
        let unanswered = asked(&server, health::LIVE).await;
        assert_eq!(heard(&hears), ["WATCHDOG=1"]);
        let next = asked(&server, health::LIVE).await;
        assert_eq!(heard(&hears), [""; 0], "a question without an answer is no sign of life");
        drop((unanswered, next));
        told.stopping();
        assert_eq!(heard(&hears), ["STOPPING=1"]);
        told.end();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_may_be_abstract() {
        use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};

        let name = format!("tenantry-{}", process::id());
        let hears = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let manager = ServiceManager { socket: connected(format!("@{name}").as_ref()).unwrap(), watchdog: None };
        manager.tell("STOPPING=1");
        hears.set_nonblocking(true).unwrap();
        assert_eq!(heard(&hears), ["STOPPING=1"]);
        assert!(connected("@nobody-listens".as_ref()).is_err() && connected("/nowhere".as_ref()).is_err());
    }
}
