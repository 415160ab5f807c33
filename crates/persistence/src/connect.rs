//! Opens databases: one probe that says what is wrong, then the connections.

use std::{path::Path, sync::Arc, time::Duration};

use sea_orm::{DbBackend, Statement};
use sqlx::{
    ConnectOptions as _, Connection as _,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};
use tokio::time;

use crate::{
    ConnectError, Options, PoolFigures,
    connection::{DirectReaders, DirectSource, Gathering, OpenTransaction, Pool, Pooled, SQLITE_PAGE, Source, Writer},
    error::Cause,
    row::Written,
    session_pages::SessionPages,
};

/// Readers share the processors with everything else; more of them only wait there.
const SQLITE_READERS: usize = 4;

/// What a connection to SQLite that reads keeps of the file, in KiB, which SQLite tells from pages by the sign. The system keeps it too; the 2,000 KiB
/// that a connection keeps by itself answered no quicker, and there are four of them and one more for each thread that answers.
const SQLITE_READ: &str = "-512";

/// Pages of SQLite's log, 128 MB, at which the writer folds it into the file by itself. It is folded beside the writer long before.
const SQLITE_LOG: &str = "64000";

/// How long another process may keep SQLite's writer waiting.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// The connections of a store.
#[derive(Clone)]
pub(crate) enum Connections {
    /// Several that read, and one that writes.
    Sqlite { readers: Pool, direct: Arc<DirectReaders>, writer: Writer },
    /// Several for everything.
    Postgres { pool: Pool, session_pages: Arc<Gathering<SessionPages>> },
}

impl Connections {
    pub(crate) const fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite { .. } => DbBackend::Sqlite,
            Self::Postgres { .. } => DbBackend::Postgres,
        }
    }

    const fn for_reads(&self) -> &Pool {
        match self {
            Self::Sqlite { readers, .. } => readers,
            Self::Postgres { pool, .. } => pool,
        }
    }

    pub(crate) fn reader(&self) -> Pooled {
        let (session_pages, direct) = match self {
            // There is no wire to be spared.
            Self::Sqlite { direct, .. } => (None, Some(Arc::clone(direct))),
            Self::Postgres { session_pages, .. } => (Some(Arc::clone(session_pages)), None),
        };
        Pooled { pool: self.for_reads().clone(), session_pages, direct }
    }

    /// Begins a transaction that may write.
    pub(crate) async fn begin(&self) -> sqlx::Result<OpenTransaction> {
        match self {
            Self::Sqlite { writer, .. } => writer.begin().await,
            Self::Postgres { pool, .. } => pool.begin("BEGIN").await,
        }
    }

    /// The row of a statement that writes everything or nothing, on SQLite of a script of such: once it is committed, and where there is none,
    /// nothing was written.
    pub(crate) async fn at_once(&self, statement: Statement) -> sqlx::Result<Option<Written>> {
        match self {
            Self::Sqlite { writer, .. } => Ok(writer.script(statement).await?.map(Written::Direct)),
            Self::Postgres { pool, .. } => Ok(pool.write(&statement).await?.map(Written::Driver)),
        }
    }

    /// Begins a transaction that reads everything as it is in one moment, and keeps nobody waiting.
    pub(crate) async fn snapshot(&self) -> sqlx::Result<OpenTransaction> {
        let begin = match self {
            Self::Sqlite { .. } => "BEGIN DEFERRED",
            Self::Postgres { .. } => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.for_reads().begin(begin).await
    }

    pub(crate) fn figures(&self) -> Vec<PoolFigures> {
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let of = |name, pool: &Pool| {
            let [most, open, idle] = pool.figures().map(narrow);
            PoolFigures { pool: name, most, open, idle }
        };
        match self {
            Self::Sqlite { readers, writer, .. } => {
                let [open, idle] = writer.figures().map(u32::from);
                vec![of("reader", readers), PoolFigures { pool: "writer", most: 1, open, idle }]
            }
            Self::Postgres { pool, .. } => vec![of("shared", pool)],
        }
    }

    pub(crate) async fn close(&self) {
        self.for_reads().close().await;
        // SQLite folds its write-ahead log into the file when the writer goes last.
        if let Self::Sqlite { direct, writer, .. } = self {
            direct.close();
            writer.close().await;
        }
    }
}

pub(crate) async fn connect(options: &Options) -> Result<Connections, ConnectError> {
    let scheme = options.url.split_once(':').map(|(scheme, _)| scheme);
    match scheme {
        Some("sqlite") => sqlite(options).await,
        Some("postgres" | "postgresql") => postgres(options).await,
        _ => Err(ConnectError::InvalidUrl),
    }
}

async fn sqlite(options: &Options) -> Result<Connections, ConnectError> {
    let url = &options.url;
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(ConnectError::InMemory);
    }
    let connection = url.parse::<SqliteConnectOptions>().map_err(|_| ConnectError::InvalidUrl)?;
    let file = connection.get_filename().to_owned();
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if file.as_os_str().is_empty() {
        return Err(ConnectError::InvalidUrl);
    }
    if !folder.is_dir() {
        return Err(ConnectError::FolderMissing { folder: folder.to_owned() });
    }
    let connection = connection
        .create_if_missing(true)
        // Of a new file; any other keeps its own.
        .page_size(SQLITE_PAGE)
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledged commit survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY)
        .disable_statement_logging();

    let refused =
        |failure: sqlx::Error| ConnectError::FileRefused { file: file.clone(), source: Box::new(Cause::of_driver(&failure)) };
    let probe = SqliteConnection::connect_with(&connection).await.map_err(refused)?;
    probe.close().await.map_err(refused)?;

    // Who asks on his own thread doesn't wait there for another process.
    let direct = DirectSource::new(&connection, Duration::ZERO).set("cache_size", SQLITE_READ);
    let scripts = DirectSource::new(&connection, SQLITE_BUSY).set("wal_autocheckpoint", SQLITE_LOG);
    let readers = Source::Sqlite(connection.clone().pragma("query_only", "ON").pragma("cache_size", SQLITE_READ));
    let readers = Pool::new(readers, SQLITE_READERS, options.acquire_timeout);
    let turns = connection.pragma("wal_autocheckpoint", SQLITE_LOG);
    Ok(Connections::Sqlite {
        readers,
        direct: Arc::new(DirectReaders::new(direct)),
        writer: Writer::new(turns, scripts, options.acquire_timeout),
    })
}

async fn postgres(options: &Options) -> Result<Connections, ConnectError> {
    let connection = options.url.parse::<PgConnectOptions>().map_err(|_| ConnectError::InvalidUrl)?;
    let connection = connection.application_name("tenantry").disable_statement_logging();

    // A pool would answer a refusal with its own time-out.
    let probe = time::timeout(options.acquire_timeout, PgConnection::connect_with(&connection)).await;
    let probe = probe.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
    let probe = probe.map_err(|failure| ConnectError::from_postgres(&connection, &failure))?;
    // The pool makes its own connections; how this one ends is of no interest.
    probe.close().await.ok();

    let settings = session_settings(options.acquire_timeout);
    let most = usize::try_from(options.max_connections).unwrap_or(usize::MAX).max(1);
    let pool = Pool::new(Source::Postgres(connection, settings), most, options.acquire_timeout);
    let session_pages = Gathering::new(SessionPages { pool: pool.clone() });
    Ok(Connections::Postgres { pool, session_pages })
}

/// A call that waits for a lock answers in time, and a server that vanishes in a transaction doesn't keep its locks for ever. A standby is
/// no place to be: it takes no writes, and what it answers may be of yesterday.
fn session_settings(patience: Duration) -> String {
    let milliseconds = patience.as_millis().clamp(1, 3_600_000);
    format!(
        "SET lock_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = 60000;
        DO $$ BEGIN
            IF pg_is_in_recovery() THEN
                RAISE EXCEPTION 'the server is a standby' USING ERRCODE = 'read_only_sql_transaction';
            END IF;
        END $$"
    )
}

#[cfg(test)]
mod tests {
    use crate::connection::Connection as _;

    use super::*;

    async fn refusal(url: &str) -> ConnectError {
        let options = Options { acquire_timeout: Duration::from_secs(2), ..Options::new(url) };
        let refusal = connect(&options).await.err().unwrap();
        let shown = format!("{refusal} {refusal:?} {options:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        refusal
    }

    #[tokio::test]
    async fn an_address_that_cannot_work_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let missing = format!("sqlite://{}/missing/a.db", folder.path().display());
        assert!(matches!(refusal(&missing).await, ConnectError::FolderMissing { .. }));
        let no_file = format!("sqlite://{}", folder.path().display());
        assert!(matches!(refusal(&no_file).await, ConnectError::FileRefused { .. }));
        assert!(matches!(refusal("sqlite::memory:").await, ConnectError::InMemory));
        for url in ["", "tenantry.db", "mysql://root:s3cret@localhost/a", "postgres://me:s3cret@localhost:port/a"] {
            assert!(matches!(refusal(url).await, ConnectError::InvalidUrl), "{url}");
        }
        // Nobody listens on the discard port.
        assert!(matches!(refusal("postgres://me:s3cret@127.0.0.1:9/a").await, ConnectError::Unreachable { .. }));
    }

    #[tokio::test]
    async fn a_new_file_has_small_pages_and_one_that_there_is_keeps_its_own() {
        for (before, after) in [(None, i64::from(SQLITE_PAGE)), (Some(4_096), 4_096)] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a.db");
            if let Some(size) = before {
                let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true).page_size(size);
                let mut older = options.connect().await.unwrap();
                sqlx::raw_sql("CREATE TABLE things (name text)").execute(&mut older).await.unwrap();
                older.close().await.unwrap();
            }
            let connections = connect(&Options::new(format!("sqlite://{}", file.display()))).await.unwrap();
            let ask = |text: &str| Statement::from_string(DbBackend::Sqlite, text);
            let mut turn = connections.begin().await.unwrap();
            turn.execute(ask("CREATE TABLE more (name text)")).await.unwrap();
            turn.commit().await.unwrap();
            let page = connections.reader().fetch_one(ask("PRAGMA page_size")).await.unwrap().unwrap();
            assert_eq!(page.try_get_by_index::<i64>(0).unwrap(), after);
            connections.close().await;
        }
    }

    #[tokio::test]
    async fn what_reads_keeps_little_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let connections = connect(&Options::new(format!("sqlite://{}/a.db", folder.path().display()))).await.unwrap();
        let ask = Statement::from_string(DbBackend::Sqlite, "PRAGMA cache_size");
        let kept = connections.reader().fetch_one(ask).await.unwrap().unwrap();
        assert_eq!(kept.try_get_by_index::<i64>(0).unwrap(), -512);
        connections.close().await;
    }
}
