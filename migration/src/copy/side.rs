//! The two databases of a copy.

use std::{fmt, fs::File, path::PathBuf, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};
use tokio::time;

use crate::{
    MigrateError,
    connection::{Target, refusal},
    lock::{ADVISORY_KEY, lock_file},
};

use super::CopyError;

/// How long another process may keep this one waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// SQLite's, in KiB: what is touched again and again while indexes are filled needn't go to the disk and back.
const CACHE: &str = "-131072";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where rows come from.
    Source,
    /// Where they go.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// A connection to one of them.
pub(super) enum Connected {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// Where a database is, in words without a password: the same words mean the same database.
pub(super) fn place(target: &Target) -> String {
    match target {
        Target::Sqlite { file, .. } => {
            let file = std::fs::canonicalize(file).unwrap_or_else(|_| PathBuf::from(file));
            format!("sqlite:{}", file.display())
        }
        Target::Postgres(options) => {
            let server = match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            };
            format!("postgres:{server}/{}", options.get_database().unwrap_or(options.get_username()))
        }
    }
}

impl Connected {
    /// Opens a source, of which nothing is changed.
    pub(super) async fn source(target: Target) -> Result<Self, MigrateError> {
        match target {
            Target::Sqlite { options, file } => sqlite(options.pragma("query_only", "ON"), file).await,
            Target::Postgres(options) => postgres(options).await,
        }
    }

    /// Opens a target, when no other migrator is at work there; what it is locked by is held as long as the answer.
    pub(super) async fn target(target: Target) -> Result<(Self, Option<File>), MigrateError> {
        match target {
            Target::Sqlite { options, file } => {
                let lock = lock_file(&file).await?;
                let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
                Ok((sqlite(options, file).await?, Some(lock)))
            }
            Target::Postgres(options) => {
                let mut connected = postgres(options).await?;
                let lock = format!("SELECT pg_advisory_lock({ADVISORY_KEY})");
                connected.run(lock).await.map_err(|failure| MigrateError::Failed(sea_orm_failure(failure)))?;
                Ok((connected, None))
            }
        }
    }

    pub(super) async fn run(&mut self, text: impl Into<String>) -> sqlx::Result<u64> {
        let text = AssertSqlSafe(text.into());
        match self {
            Self::Sqlite(connection) => connection.execute(text).await.map(|done| done.rows_affected()),
            Self::Postgres(connection) => connection.execute(text).await.map(|done| done.rows_affected()),
        }
    }

    /// Begins to see everything as it is in this moment.
    pub(super) async fn begin_snapshot(&mut self) -> sqlx::Result<()> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN DEFERRED",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.run(begin).await?;
        // The moment is the first look's.
        self.count("SELECT count(*) FROM seaql_migrations").await.map(|_| ())
    }

    pub(super) async fn begin_write(&mut self) -> sqlx::Result<()> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        };
        self.run(begin).await.map(|_| ())
    }

    pub(super) async fn count(&mut self, query: impl Into<String>) -> sqlx::Result<u64> {
        let query = AssertSqlSafe(query.into());
        let counted: i64 = match self {
            Self::Sqlite(connection) => sqlx::query_scalar(query).fetch_one(&mut **connection).await?,
            Self::Postgres(connection) => sqlx::query_scalar(query).fetch_one(&mut **connection).await?,
        };
        Ok(u64::try_from(counted).unwrap_or(0))
    }

    pub(super) async fn texts(&mut self, query: impl Into<String>) -> sqlx::Result<Vec<String>> {
        let query = AssertSqlSafe(query.into());
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(query).fetch_all(&mut **connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(query).fetch_all(&mut **connection).await,
        }
    }

    /// Refuses a PostgreSQL that servers are connected to. One that has just ended has a moment to be gone. Of a SQLite file
    /// [`is_open_elsewhere`] knows.
    pub(super) async fn refuse_servers(&mut self, side: Side) -> Result<(), CopyError> {
        const SERVERS: &str =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantry'";

        if let Self::Sqlite(_) = self {
            return Ok(());
        }
        for _ in 0..20 {
            let connections = self.count(SERVERS).await.map_err(CopyError::of(side, "looking for servers"))?;
            if connections == 0 {
                return Ok(());
            }
            time::sleep(Duration::from_millis(100)).await;
        }
        Err(CopyError::Served { side, is_file: false })
    }

    pub(super) async fn close(self) {
        // However it ends, nobody uses it any more.
        match self {
            Self::Sqlite(connection) => connection.close().await.ok(),
            Self::Postgres(connection) => connection.close().await.ok(),
        };
    }
}

/// Whether another connection to a SQLite file is open, as servers' are for as long as they run. One that has just ended has a moment to be
/// gone.
///
/// Each connection to a file with a write-ahead log holds a lock on it that many may hold. One that wants the file for itself
/// (`locking_mode = EXCLUSIVE`) is let in when nobody else holds any. Whatever else is wrong with the file, its opening says.
pub(super) async fn is_open_elsewhere(options: &SqliteConnectOptions) -> bool {
    let alone = options
        .clone()
        .create_if_missing(false)
        .foreign_keys(false)
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(Duration::from_secs(2))
        .disable_statement_logging();
    let looked = async {
        let mut connection = alone.connect().await?;
        let looked = connection.execute("SELECT count(*) FROM sqlite_schema").await;
        connection.close().await?;
        looked
    };
    // 5 is SQLite's BUSY; what stands above the lowest byte is a detail of it.
    let code = |failure: sqlx::Error| failure.as_database_error()?.code()?.parse::<u32>().ok();
    looked.await.err().and_then(code).is_some_and(|code| code & 0xff == 5)
}

fn sea_orm_failure(failure: sqlx::Error) -> sea_orm_migration::DbErr {
    sea_orm_migration::DbErr::Conn(sea_orm_migration::sea_orm::RuntimeErr::SqlxError(failure.into()))
}

/// Foreign keys are off: all references are checked at the end.
async fn sqlite(options: SqliteConnectOptions, file: PathBuf) -> Result<Connected, MigrateError> {
    let options = options
        .create_if_missing(false)
        .foreign_keys(false)
        .busy_timeout(PATIENCE)
        .pragma("cache_size", CACHE)
        .disable_statement_logging();
    match options.connect().await {
        Ok(connection) => Ok(Connected::Sqlite(Box::new(connection))),
        Err(failure) => Err(MigrateError::FileRefused { file, source: sea_orm_failure(failure) }),
    }
}

async fn postgres(options: PgConnectOptions) -> Result<Connected, MigrateError> {
    let options = options.application_name("tenantry-migrator").disable_statement_logging();
    let connected = time::timeout(PATIENCE, options.connect()).await;
    let connected = connected.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
    connected.map(|connection| Connected::Postgres(Box::new(connection))).map_err(|failure| refusal(&options, failure))
}
