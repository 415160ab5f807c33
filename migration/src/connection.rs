//! One connection to the database of an address, with refusals that say what to do.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sea_orm_migration::sea_orm::{
    ConnectOptions, DatabaseConnection, DbErr, RuntimeErr, SqlxPostgresConnector, SqlxSqliteConnector,
    sqlx::{
        self, ConnectOptions as _,
        pool::PoolOptions,
        postgres::{PgConnectOptions, PgConnection},
        sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::time;

use crate::MigrateError;

/// How long a PostgreSQL may take to answer, and another process to let a SQLite file go.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How large the pages of a new SQLite file are, in bytes, as the persistence crate has it (decision 0039).
const PAGE: u32 = 2_048;

/// A database, by its address.
pub(crate) enum Target {
    Sqlite { options: SqliteConnectOptions, file: PathBuf },
    Postgres(PgConnectOptions),
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, MigrateError> {
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        match scheme {
            Some("sqlite") => {
                if url.contains(":memory:") || url.contains("mode=memory") {
                    return Err(MigrateError::InMemory);
                }
                let options = url.parse::<SqliteConnectOptions>().map_err(|_| MigrateError::InvalidUrl)?;
                let file = options.get_filename().to_owned();
                if file.as_os_str().is_empty() {
                    return Err(MigrateError::InvalidUrl);
                }
                Ok(Self::Sqlite { options, file })
            }
            Some("postgres" | "postgresql") => {
                let options = url.parse::<PgConnectOptions>().map_err(|_| MigrateError::InvalidUrl)?;
                Ok(Self::Postgres(options))
            }
            _ => Err(MigrateError::InvalidUrl),
        }
    }

    /// Connects. With `create`, a SQLite file that is missing is made; its folder isn't.
    pub(crate) async fn connect(self, create: bool) -> Result<DatabaseConnection, MigrateError> {
        match self {
            Self::Sqlite { options, file } => sqlite(options, file, create).await,
            Self::Postgres(options) => postgres(options).await,
        }
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

async fn sqlite(options: SqliteConnectOptions, file: PathBuf, create: bool) -> Result<DatabaseConnection, MigrateError> {
    let folder = folder_of(&file);
    if !folder.is_dir() {
        return Err(MigrateError::FolderMissing { folder: folder.to_owned() });
    }
    if create {
        // Its owner's alone, as a server makes it. Where it can't be made, SQLite says why.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).ok();
    }
    // Foreign keys are off, as SQLite asks for where tables are rebuilt; `run` checks all references before it commits.
    let options = options
        .create_if_missing(create)
        .page_size(PAGE)
        .foreign_keys(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    let probed = <SqliteConnection as sqlx::Connection>::connect_with(&options).await;
    let refused = |failure| MigrateError::FileRefused { file, source: connection_error(failure) };
    sqlx::Connection::close(probed.map_err(refused)?).await.ok();
    let pool = one_connection().connect_lazy_with(options);
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

async fn postgres(options: PgConnectOptions) -> Result<DatabaseConnection, MigrateError> {
    let options = options.disable_statement_logging();
    // A pool would answer a refusal with its own time-out.
    let probed = time::timeout(PATIENCE, <PgConnection as sqlx::Connection>::connect_with(&options)).await;
    let probed = probed.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
    sqlx::Connection::close(probed.map_err(|failure| refusal(&options, failure))?).await.ok();
    let pool = one_connection().connect_lazy_with(options);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

fn one_connection<DB: sqlx::Database>() -> PoolOptions<DB> {
    ConnectOptions::new("").max_connections(1).acquire_timeout(PATIENCE).to_owned().sqlx_pool_options()
}

pub(crate) fn refusal(options: &PgConnectOptions, failure: sqlx::Error) -> MigrateError {
    let server = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let user = options.get_username().to_owned();
    match failure.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
        Some("28P01" | "28000") => MigrateError::Refused { server, user },
        Some("3D000") => MigrateError::DatabaseMissing { server, database: options.get_database().unwrap_or(&user).to_owned() },
        _ => MigrateError::Unreachable { server, source: connection_error(failure) },
    }
}

fn connection_error(failure: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(failure.into()))
}
