//! A private PostgreSQL, started from the installed binaries, durable as in production, gone when the test process is.

use std::{
    fmt, fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    binaries, database,
    process::{Process, Signal, free_port},
};

const USER: &str = "tenantry";
const PASSWORD: &str = "postgres-canary-password";
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a database is: `postgres://..` or `sqlite://..`, as `TENANTRY__DATABASE__URL` and `--database-url` take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL of the SQLite file at `path`.
    pub fn sqlite(path: &Path) -> Self {
        Self(format!("sqlite://{}", path.display()))
    }

    /// A PostgreSQL that nobody listens for.
    pub fn nowhere() -> Self {
        // The discard port.
        Self("postgres://127.0.0.1:9/nowhere".to_owned())
    }

    /// The URL of another database of the same PostgreSQL.
    pub fn in_the_same_cluster(&self, name: &str) -> Self {
        let server = self.0.rsplit_once('/').expect("a URL ends with the database's name").0;
        Self(format!("{server}/{name}"))
    }

    /// The URL as text, password included.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One PostgreSQL server with as many databases as the tests ask for.
///
/// Tests share [`PostgresCluster::shared`]; a test that stops or crashes PostgreSQL starts its own.
pub struct PostgresCluster {
    programs: Programs,
    user: Option<User>,
    folder: PathBuf,
    port: u16,
    process: Mutex<Process>,
    databases: AtomicUsize,
    migrated: OnceCell<String>,
}

impl PostgresCluster {
    /// The cluster that this process's tests share, started by the first that asks.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<PostgresCluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Starts a cluster of the caller's own. It ends when dropped.
    pub async fn start() -> Self {
        let programs = Programs::find();
        // The keeper removes the folder: a shared cluster lives in a static, which is never dropped.
        let folder = tempfile::Builder::new().prefix("tenantry-postgres-").tempdir().expect("a temporary folder").keep();
        let user = User::for_postgres(&folder);
        programs.initdb(&folder, user);

        for _ in 0..5 {
            let port = free_port();
            let process = programs.postgres(&folder, port, user);
            let cluster = Self {
                programs: programs.clone(),
                user,
                folder: folder.clone(),
                port,
                process: Mutex::new(process),
                databases: AtomicUsize::new(0),
                migrated: OnceCell::new(),
            };
            match cluster.until_ready().await {
                Ok(()) => return cluster,
                Err(logs) if logs.contains("Address already in use") => {
                    cluster.process.lock().await.end(Signal::Quit, PATIENCE).await;
                }
                Err(logs) => panic!("PostgreSQL does not start:\n{logs}"),
            }
        }
        panic!("no free port for PostgreSQL in five tries");
    }

    /// A new, empty database.
    pub async fn database(&self) -> DatabaseUrl {
        self.create("template0").await
    }

    /// A new database at the newest step of the schema. The migrator runs once a cluster; each database is a copy of its result.
    pub async fn migrated_database(&self) -> DatabaseUrl {
        let template = self
            .migrated
            .get_or_init(async || {
                let url = self.database().await;
                binaries::migrate(&url);
                url.0.rsplit('/').next().expect("a URL ends with the database's name").to_owned()
            })
            .await;
        self.create(template).await
    }

    /// A new database that has what another of this cluster's has, to which nobody is connected.
    pub async fn copy_of(&self, url: &DatabaseUrl) -> DatabaseUrl {
        self.create(url.0.rsplit('/').next().expect("a URL ends with the database's name")).await
    }

    /// Starts a standby, and makes this one wait for it with every commit. Returns once it does.
    ///
    /// The standby is a cluster too, with the databases that there are now. Until it is [promoted](Self::promote) it takes no writes.
    pub async fn synchronous_standby(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("tenantry-standby-").tempdir().expect("a temporary folder").keep();
        if let Some(user) = self.user {
            user.receives(&folder);
        }
        let mut copy = Command::new(self.programs.0.join("pg_basebackup"));
        copy.arg("--dbname").arg(self.url("postgres").as_str()).arg("--pgdata").arg(folder.join("data"));
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]).current_dir(&folder);
        if let Some(user) = self.user {
            user.runs(&mut copy);
        }
        let output = copy.output().expect("pg_basebackup runs");
        assert!(output.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&output.stderr));
        let port = free_port();
        let standby = Self {
            programs: self.programs.clone(),
            user: self.user,
            process: Mutex::new(self.programs.postgres(&folder, port, self.user)),
            folder,
            port,
            databases: AtomicUsize::new(0),
            migrated: OnceCell::new(),
        };
        standby.until_ready().await.unwrap_or_else(|logs| panic!("the standby does not start:\n{logs}"));

        let primary = self.url("postgres");
        for setting in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
            database::execute(&primary, setting).await.expect("a setting");
        }
        let deadline = Instant::now() + PATIENCE;
        let is_waited_for = "SELECT pid FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'";
        while database::rows(&primary, is_waited_for).await.is_empty() {
            assert!(Instant::now() < deadline, "the standby does not stream:\n{}", standby.logs().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        standby
    }

    /// Ends every process at once, as the loss of the machine does: SIGKILL, to those too that could still answer somebody.
    pub async fn kill9(&self) {
        let postmaster = fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("PostgreSQL runs");
        let postmaster = postmaster.lines().next().expect("its process").to_owned();
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).expect("its children");
        let all = std::iter::once(postmaster.as_str()).chain(children.split_whitespace());
        // Some may have ended meanwhile.
        Command::new("kill").arg("-KILL").args(all).output().expect("kill runs");
        let mut process = self.process.lock().await;
        process.wait(PATIENCE).await.expect("a killed process ends");
    }

    /// Makes a standby the primary, and waits for that.
    pub async fn promote(&self) {
        let promoted = database::rows(&self.url("postgres"), "SELECT pg_promote(true, 60) AS promoted").await;
        assert_eq!(promoted[0]["promoted"], true, "{}", self.logs().await);
    }

    /// The database of this cluster that has the same name as another cluster's.
    pub fn same_database(&self, url: &DatabaseUrl) -> DatabaseUrl {
        self.url(url.0.rsplit('/').next().expect("a URL ends with the database's name"))
    }

    /// The path of one of PostgreSQL's programs, such as `psql`.
    pub fn program(name: &str) -> PathBuf {
        Programs::find().0.join(name)
    }

    /// Shuts PostgreSQL down in good order (its "fast" mode): clients lose their connections, nothing has to be recovered.
    pub async fn stop(&self) {
        self.process.lock().await.end(Signal::Int, PATIENCE).await;
    }

    /// Ends PostgreSQL as a crash does (its "immediate" mode): the next start recovers from the write-ahead log.
    pub async fn crash(&self) {
        self.process.lock().await.end(Signal::Quit, PATIENCE).await;
    }

    /// Starts PostgreSQL again on the same port and data, after [`PostgresCluster::stop`] or [`PostgresCluster::crash`].
    pub async fn start_again(&self) {
        *self.process.lock().await = self.programs.postgres(&self.folder, self.port, self.user);
        self.until_ready().await.unwrap_or_else(|logs| panic!("PostgreSQL does not start again:\n{logs}"));
    }

    /// What PostgreSQL has written into its log.
    pub async fn logs(&self) -> String {
        self.process.lock().await.logs()
    }

    /// The folder of the installed programs, as all clusters use them.
    pub fn programs() -> PathBuf {
        Programs::find().0
    }

    /// Everything that a database of any cluster holds, as the text of `pg_dump`.
    pub fn dump(url: &DatabaseUrl) -> String {
        let output = Command::new(Self::programs().join("pg_dump")).arg(url.as_str()).output().expect("pg_dump runs");
        assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn create(&self, template: &str) -> DatabaseUrl {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let connection = self.connect("postgres", PATIENCE).await.expect("PostgreSQL accepts a connection");
        connection.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.expect("a new database");
        connection.close().await.expect("the connection closes");
        self.url(&name)
    }

    /// `Err` with the logs when PostgreSQL ended instead, or is not ready in time.
    async fn until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let error = match self.connect("postgres", Duration::from_secs(1)).await {
                Ok(connection) => {
                    connection.close().await.expect("the connection closes");
                    return Ok(());
                }
                Err(error) => error,
            };
            let mut process = self.process.lock().await;
            if process.exit_code().is_some() || Instant::now() >= deadline {
                process.wait(Duration::from_secs(1)).await;
                return Err(format!("{}\n{error}", process.logs()));
            }
            drop(process);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One connection, opened for each use: a pool belongs to the runtime, and every test has its own.
    async fn connect(&self, database: &str, patience: Duration) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(self.url(database).0);
        // The pool tries a refused connection again until this time is over.
        options.max_connections(1).acquire_timeout(patience).sqlx_logging(false);
        Database::connect(options).await
    }

    fn url(&self, database: &str) -> DatabaseUrl {
        DatabaseUrl(format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port))
    }
}

/// The folder of PostgreSQL's programs.
#[derive(Clone)]
struct Programs(PathBuf);

impl Programs {
    fn find() -> Self {
        let chosen = std::env::var_os("PG_BIN").map(PathBuf::from);
        let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
        // A link such as /usr/local/bin/initdb leads to the folder that has the other programs too.
        let on_path = on_path.filter_map(|folder| fs::canonicalize(folder.join("initdb")).ok()?.parent().map(Path::to_owned));
        let mut installed: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        installed.sort();
        let installed = installed.into_iter().rev().map(|(_, folder)| folder);

        chosen
            .into_iter()
            .chain(on_path)
            .chain(installed)
            .find(|folder| ["initdb", "postgres", "pg_dump"].iter().all(|program| folder.join(program).is_file()))
            .map(Self)
            .expect(
                "PostgreSQL's programs (initdb, postgres, pg_dump) are in none of $PG_BIN, $PATH and /usr/lib/postgresql/*/bin: \
                 install the package `postgresql` (on Debian: apt-get install postgresql), or run scripts/test, which does so",
            )
    }

    fn initdb(&self, folder: &Path, user: Option<User>) {
        let password = folder.join("password");
        fs::write(&password, PASSWORD).expect("the temporary folder is writable");
        let mut command = Command::new(self.0.join("initdb"));
        command.arg("--pgdata").arg(folder.join("data")).arg("--pwfile").arg(&password);
        command.args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale"]);
        // What initdb writes need not survive a power cut; what the tests write is treated as in production.
        command.arg("--no-sync").current_dir(folder);
        if let Some(user) = user {
            user.receives(folder);
            user.receives(&password);
            user.runs(&mut command);
        }
        let output = command.output().expect("initdb runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "initdb failed:\n{stdout}{stderr}");
    }

    fn postgres(&self, folder: &Path, port: u16, user: Option<User>) -> Process {
        let mut command = Process::command(&self.0.join("postgres"), Signal::Quit, Some(folder));
        command.arg("-D").arg(folder.join("data")).current_dir(folder);
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "max_connections=300".to_owned(),
            // Far from UTC and no whole hour: code that leaves the time zone to the session fails its tests.
            "timezone=Asia/Kathmandu".to_owned(),
        ];
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        if let Some(user) = user {
            user.runs(&mut command);
        }
        Process::start(command)
    }
}

/// PostgreSQL refuses to run as root; this user does it instead.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// `None` when this process isn't root: then it runs PostgreSQL itself. `made` is anything that this process has just made.
    fn for_postgres(made: &Path) -> Option<Self> {
        if fs::metadata(made).expect("what was just made is there").uid() != 0 {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
        let user = ["postgres", "nobody"].iter().find_map(|name| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2);
            Some(Self { uid: numbers.next()?.parse().ok()?, gid: numbers.next()?.parse().ok()? })
        });
        Some(user.expect("PostgreSQL refuses to run as root, and /etc/passwd has neither `postgres` nor `nobody`"))
    }

    fn receives(self, path: &Path) {
        chown(path, Some(self.uid), Some(self.gid)).expect("root can give a file away");
    }

    fn runs(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::PostgresCluster;

    #[tokio::test]
    async fn a_cluster_keeps_what_was_committed_through_a_crash() {
        let cluster = PostgresCluster::start().await;
        let (one, other) = (cluster.database().await, cluster.database().await);
        assert_ne!(one, other);

        let connection = cluster.connect("t0", Duration::from_secs(1)).await.unwrap();
        connection.execute_unprepared("CREATE TABLE kept AS SELECT 'a committed row' AS row").await.unwrap();
        let durable = connection.query_one_raw(Statement::from_string(
            DbBackend::Postgres,
            "SELECT current_setting('fsync') || current_setting('synchronous_commit') AS durable",
        ));
        assert_eq!(durable.await.unwrap().unwrap().try_get::<String>("", "durable").unwrap(), "onon");

        cluster.crash().await;
        assert!(connection.execute_unprepared("SELECT 1").await.is_err());
        cluster.start_again().await;
        assert!(PostgresCluster::dump(&one).contains("a committed row"));

        let folder = cluster.folder.clone();
        drop(cluster);
        for _ in 0..200 {
            if !folder.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} is still there", folder.display());
    }
}
