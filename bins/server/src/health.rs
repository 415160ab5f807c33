//! Asking a server on this machine how it is, as a container's health check and the service manager's watchdog do.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{config::Config, greeting::reachable};

/// Whether the process answers; asks no database.
pub const LIVE: &str = "/health/live";
/// Whether it would serve a request well.
pub const READY: &str = "/health/ready";

/// How long the verb waits for an answer: a probe's usual patience.
const PATIENCE: Duration = Duration::from_secs(3);
/// `HTTP/1.1 200`
const STATUS_LINE: usize = 12;

/// Why a server isn't well.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error("nothing answers at http://{address}{path}")]
    NoAnswer { address: SocketAddr, path: &'static str, source: io::Error },
    #[error("http://{address}{path} answers {status}")]
    Unwell { address: SocketAddr, path: &'static str, status: u16 },
}

/// Asks the server of this configuration.
///
/// # Errors
/// Where it doesn't answer 200 within three seconds.
pub async fn check(config: &Config, path: &'static str) -> Result<(), HealthError> {
    let address = reachable(config.http.bind);
    match status(address, path, PATIENCE).await {
        Ok(200) => Ok(()),
        Ok(status) => Err(HealthError::Unwell { address, path, status }),
        Err(source) => Err(HealthError::NoAnswer { address, path, source }),
    }
}

/// The status that a `GET` of this path is answered with.
///
/// # Errors
/// Where there is no answer within `patience`, or it isn't HTTP.
pub async fn status(address: SocketAddr, path: &str, patience: Duration) -> io::Result<u16> {
    let asked = async {
        let mut connection = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut line = [0; STATUS_LINE];
        connection.read_exact(&mut line).await?;
        let status = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.parse().ok());
        status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer isn't HTTP"))
    };
    timeout(patience, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
