//! A real `tenantry-server`, started, killed and started again.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    api::Api,
    binaries, leaks,
    postgres::DatabaseUrl,
    process::{Process, Signal},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The sender of the tests' mail.
pub const MAIL_FROM: &str = "no-reply@tenantry.example";

/// An operator's API key with every scope, made by the server's own command, once a process.
pub async fn api_key() -> &'static str {
    static KEY: OnceCell<String> = OnceCell::const_new();
    KEY.get_or_init(async || {
        let made = Server::builder().args(["api-key", "generate"]).run().await;
        assert!(made.exit_code == 0, "tenantry-server api-key generate: {made:?}");
        made.stdout
            .lines()
            .next()
            .unwrap_or_else(|| panic!("tenantry-server api-key generate printed nothing: {made:?}"))
            .to_owned()
    })
    .await
}

/// How a server is to be started: its environment, less every `TENANTRY__` setting of this process's own, and its arguments.
#[derive(Clone, Default)]
pub struct ServerBuilder {
    /// `None` leaves a setting out that would else have a value from the harness.
    settings: BTreeMap<String, Option<String>>,
    args: Vec<String>,
    folder: Option<Arc<TempDir>>,
}

impl ServerBuilder {
    /// `TENANTRY__DATABASE__URL`. Without it: the server's own default, a SQLite file in its data folder.
    pub fn database_url(self, url: &DatabaseUrl) -> Self {
        self.env("TENANTRY__DATABASE__URL", url)
    }

    /// `TENANTRY__DATA_DIR`. Without it: a folder that goes with the server.
    pub fn data_dir(self, folder: &Path) -> Self {
        self.env("TENANTRY__DATA_DIR", folder.display())
    }

    /// `TENANTRY__KEYS__FILE`. Without it: a file in the data folder.
    pub fn keys_file(self, file: &Path) -> Self {
        self.env("TENANTRY__KEYS__FILE", file.display())
    }

    /// `TENANTRY__MAIL__URL`. Without it: the server's own default.
    pub fn mail_url(self, url: &str) -> Self {
        self.env("TENANTRY__MAIL__URL", url)
    }

    /// Any setting, the harness's own included.
    pub fn env(mut self, name: &str, value: impl Display) -> Self {
        self.settings.insert(name.to_owned(), Some(value.to_string()));
        self
    }

    /// Leaves out a setting that the harness would make, such as `TENANTRY__BOOTSTRAP__API_KEY`.
    pub fn without(mut self, name: &str) -> Self {
        self.settings.insert(name.to_owned(), None);
        self
    }

    /// Arguments, after those given before.
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(str::to_owned));
        self
    }

    /// Keeps a folder for as long as the server or this builder is there.
    pub(crate) fn keeping(mut self, folder: Arc<TempDir>) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Starts the server and waits until it is ready. Panics with its logs when it isn't after 30 s.
    pub async fn start(self) -> Server {
        self.try_start().await.unwrap_or_else(|finished| panic!("tenantry-server did not start: {finished:?}"))
    }

    /// As [`ServerBuilder::start`], for a server that may refuse: `Err` with what it said when it ended instead.
    pub async fn try_start(self) -> Result<Server, Finished> {
        let mut builder = self.with_defaults();
        if !builder.settings.contains_key("TENANTRY__BOOTSTRAP__API_KEY") {
            builder = builder.env("TENANTRY__BOOTSTRAP__API_KEY", api_key().await);
        }
        let mut process = builder.spawn();
        let url = until_ready(&mut process).await?;
        Ok(Server { process, url, builder, earlier_logs: String::new() })
    }

    /// Runs the program to its end, for verbs such as `config check`. Panics when it still runs after 60 s.
    pub async fn run(self) -> Finished {
        let builder = self.with_defaults();
        let mut process = builder.spawn();
        match process.wait(PATIENCE * 2).await {
            Some(exit_code) => {
                builder.search(&process);
                Finished::new(exit_code, &process)
            }
            None => panic!("tenantry-server still runs after {:?}:\n{}", PATIENCE * 2, process.logs()),
        }
    }

    fn with_defaults(mut self) -> Self {
        if !self.settings.contains_key("TENANTRY__DATA_DIR") {
            let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
            self = self.data_dir(&folder.path().join("data")).keeping(folder);
        }
        let data = self.settings.get("TENANTRY__DATA_DIR").cloned().flatten().unwrap_or_default();
        let defaults = [
            ("TENANTRY__HTTP__BIND", "127.0.0.1:0".to_owned()),
            ("TENANTRY__KEYS__FILE", format!("{data}/keys")),
            ("TENANTRY__MAIL__FROM", MAIL_FROM.to_owned()),
        ];
        for (name, value) in defaults {
            self.settings.entry(name.to_owned()).or_insert(Some(value));
        }
        self
    }

    /// Panics where a process that ended has left a secret in its log.
    fn search(&self, process: &Process) {
        let setting = |name: &str| self.settings.get(name).and_then(Option::as_deref).unwrap_or_default();
        leaks::remember_keys_of(setting("TENANTRY__KEYS__FILE"));
        for name in ["TENANTRY__DATABASE__URL", "TENANTRY__MAIL__URL"] {
            leaks::remember_password_of(setting(name));
        }
        let found = leaks::in_log(&process.stderr()).or_else(|| leaks::on_terminal(&process.stdout()));
        assert!(found.is_none(), "tenantry-server wrote {}", found.unwrap_or_default());
    }

    fn spawn(&self) -> Process {
        let command = Process::command(&binaries::server(), Signal::Kill, None);
        let mut command: Command = binaries::without_settings(command);
        command.args(&self.args).envs(self.settings.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        Process::start(command)
    }
}

/// A server that listens on 127.0.0.1. Dropping it kills it, and fails the test if there is a secret in its log; in a failing test its logs
/// are shown.
pub struct Server {
    process: Process,
    url: String,
    builder: ServerBuilder,
    earlier_logs: String,
}

impl Server {
    /// A server to be configured.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// `http://127.0.0.1:<port>`. The port changes with each start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of this server that isn't signed in.
    pub fn api(&self) -> Api {
        Api::new(&self.url)
    }

    /// All that the server has written to stdout and stderr, from its first start on.
    pub fn logs(&self) -> String {
        self.earlier_logs.clone() + self.process.logs().as_str()
    }

    /// What the server has written to stdout since it was last started.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// Sends a signal and does not wait.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Kills it as the kernel would: SIGKILL, nothing is tidied up. Returns when it has ended.
    pub async fn kill9(&mut self) {
        self.process.signal(Signal::Kill);
        self.wait(PATIENCE).await;
    }

    /// Asks it to end (SIGTERM), and gives its exit code.
    pub async fn terminate(&mut self) -> i32 {
        self.process.signal(Signal::Term);
        self.wait(PATIENCE).await
    }

    /// Waits for its end, and gives its exit code: 128 + n when signal n ended it. Panics with the logs after `within`.
    pub async fn wait(&mut self, within: Duration) -> i32 {
        let code = self.process.wait(within).await;
        code.unwrap_or_else(|| panic!("tenantry-server still runs after {within:?}"))
    }

    /// Starts it again on the same database, data folder and keys, after it ended; a running one is asked to end first.
    pub async fn restart(&mut self) {
        if self.process.exit_code().is_none() {
            self.terminate().await;
        }
        self.builder.search(&self.process);
        self.earlier_logs.push_str(&self.process.logs());
        self.process = self.builder.spawn();
        match until_ready(&mut self.process).await {
            Ok(url) => self.url = url,
            Err(finished) => panic!("tenantry-server did not start again: {finished:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("logs of tenantry-server at {}:\n{}", self.url, self.logs());
            return;
        }
        self.process.end_now();
        self.builder.search(&self.process);
    }
}

/// A run of the program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// 128 + n when signal n ended it.
    pub exit_code: i32,
    /// All lines of stdout.
    pub stdout: String,
    /// All lines of stdout and stderr, as they came.
    pub logs: String,
}

impl Finished {
    fn new(exit_code: i32, process: &Process) -> Self {
        Self { exit_code, stdout: process.stdout(), logs: process.logs() }
    }
}

/// Waits for the line `.. listening on http://..` on stdout, then for /health/ready to answer 200.
async fn until_ready(process: &mut Process) -> Result<String, Finished> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if process.exit_code().is_some()
            && let Some(exit_code) = process.wait(PATIENCE).await
        {
            return Err(Finished::new(exit_code, process));
        }
        if let Some(url) = address_in(&process.stdout()) {
            let api = Api::new(&url);
            let ready = api.try_send(api.request(reqwest::Method::GET, "/health/ready")).await;
            if ready.is_ok_and(|reply| reply.status == 200) {
                return Ok(url);
            }
        }
        assert!(Instant::now() < deadline, "tenantry-server is not ready after {PATIENCE:?}:\n{}", process.logs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn address_in(stdout: &str) -> Option<String> {
    let (_, rest) = stdout.split_once("listening on http://")?;
    Some(format!("http://{}", rest.split_whitespace().next()?.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::address_in;

    #[test]
    fn the_address_is_read_from_the_first_line_that_has_one() {
        let stdout =
            "made the key ring\nTenantry 0.1.0 listening on http://127.0.0.1:41234/ (development)\nlistening on http://other\n";
        assert_eq!(address_in(stdout).as_deref(), Some("http://127.0.0.1:41234"));
        assert_eq!(address_in("listening on unix:/run/tenantry"), None);
    }
}
