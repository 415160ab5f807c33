//! Opens databases: one probe that says what is wrong, then the pools.

use std::{path::Path, time::Duration};

use sea_orm::{DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::time;

use crate::{ConnectError, Options, error::Cause};

/// Readers share the processors with everything else; more of them only wait there.
const SQLITE_READERS: u32 = 4;

/// How long another process may keep SQLite's writer waiting.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// After this long a connection is pinged before it is used, so that a restart of the server in a quiet hour costs nobody a
/// request. Busy connections aren't: a ping is a third of a look-up.
const PING_AFTER_IDLE: Duration = Duration::from_secs(5);

/// The connections of a store. On PostgreSQL both are the same pool.
pub(crate) struct Pools {
    pub(crate) reader: DatabaseConnection,
    pub(crate) writer: DatabaseConnection,
}

pub(crate) async fn connect(options: &Options) -> Result<Pools, ConnectError> {
    let scheme = options.url.split_once(':').map(|(scheme, _)| scheme);
    match scheme {
        Some("sqlite") => sqlite(options).await,
        Some("postgres" | "postgresql") => postgres(options).await,
        _ => Err(ConnectError::InvalidUrl),
    }
}

async fn sqlite(options: &Options) -> Result<Pools, ConnectError> {
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

    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool().max_connections(1).connect_lazy_with(connection.clone());
    let reader = pool().max_connections(SQLITE_READERS).connect_lazy_with(connection.pragma("query_only", "ON"));
    Ok(Pools {
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
        writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
    })
}

async fn postgres(options: &Options) -> Result<Pools, ConnectError> {
    let connection = options.url.parse::<PgConnectOptions>().map_err(|_| ConnectError::InvalidUrl)?;
    let connection = connection.application_name("tenantry").disable_statement_logging();

    // A pool would answer a refusal with its own time-out.
    let probe = time::timeout(options.acquire_timeout, PgConnection::connect_with(&connection)).await;
    let probe = probe.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
    let probe = probe.map_err(|failure| ConnectError::from_postgres(&connection, &failure))?;
    // The pool makes its own connections; how this one ends is of no interest.
    probe.close().await.ok();

    let settings = session_settings(options.acquire_timeout);
    let most = options.max_connections.max(1);
    let pool = PgPoolOptions::new()
        .max_connections(most)
        // All are opened here and now: a socket belongs to the runtime that opened it, and a web worker's may end before the requests of
        // others do.
        .min_connections(most)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= PING_AFTER_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let settings = AssertSqlSafe(settings.clone());
            Box::pin(async move { connection.execute(settings).await.map(|_| ()) })
        })
        .connect_lazy_with(connection);
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Pools { reader: pool.clone(), writer: pool })
}

/// A call that waits for a lock answers in time, and a server that vanishes in a transaction doesn't keep its locks for ever.
fn session_settings(patience: Duration) -> String {
    let milliseconds = patience.as_millis().clamp(1, 3_600_000);
    format!("SET lock_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = 60000")
}

#[cfg(test)]
mod tests {
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
}
