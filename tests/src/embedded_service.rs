//! A running `examples/embedded-service`.

use std::time::{Duration, Instant};

use crate::{
    binaries,
    postgres::DatabaseUrl,
    process::{Process, Signal},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The example that embeds the domain, on a database of its own. It ends with this value.
pub struct EmbeddedService {
    _process: Process,
    url: String,
}

impl EmbeddedService {
    /// Starts it, and waits until it listens.
    pub async fn start(database: &DatabaseUrl) -> Self {
        let mut command = Process::command(&binaries::embedded_service(), Signal::Kill, None);
        command.args(["127.0.0.1:0", database.as_str()]).env("CODE_KEY", "07".repeat(32));
        let mut process = Process::start(command);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = process.stdout();
            if let Some(url) = said.lines().find_map(|line| line.strip_prefix("listening on ")) {
                return Self { _process: process, url: url.to_owned() };
            }
            assert!(process.exit_code().is_none() && Instant::now() < deadline, "{}", process.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }
}
