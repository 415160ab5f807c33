//! A connection of its own to a database file, and what can be asked of the file.

use std::{fs, path::Path, time::Duration};

use sea_orm::{DbBackend, Statement, TryGetable, Value};
use sqlx::{
    ConnectOptions as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    ConnectError,
    connection::{Raw, Source},
    error::Cause,
};

use super::{BackupError, Contents};

/// What SQLite calls the database that a connection was opened to.
pub(super) const MAIN: &str = "main";

/// How long others may keep this one waiting: a server's writers take turns of milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// In KiB, as SQLite takes it: what is touched again and again while indexes are filled needn't go to the disk and back.
const CACHE: &str = "-131072";

/// The table that `tenantry-migrator copy` makes, and removes when all rows are there.
const COPY_UNDER_WAY: &str = "tenantry_copy";

/// The table that lists the steps of the schema.
const STEPS: &str = "seaql_migrations";

/// A connection.
pub(super) struct Opened(Raw);

/// The options of an address, which must be a file's.
pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, ConnectError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(ConnectError::InMemory);
    }
    let options = url.parse::<SqliteConnectOptions>().map_err(|_| ConnectError::InvalidUrl)?;
    match options.get_filename().as_os_str().is_empty() {
        true => Err(ConnectError::InvalidUrl),
        false => Ok(options),
    }
}

impl Opened {
    /// Opens the database of an address as servers do, but without foreign keys: whole tables are replaced.
    pub(super) async fn database(url: &str) -> Result<Self, BackupError> {
        let options =
            options(url)?.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full).pragma("cache_size", CACHE);
        Self::open(options).await
    }

    /// Opens a backup, and changes nothing of it.
    pub(super) async fn backup(file: &Path) -> Result<Self, BackupError> {
        match fs::metadata(file) {
            Ok(found) if found.is_file() => {}
            _ => return Err(BackupError::Missing { file: file.to_owned() }),
        }
        let opened = Self::open(SqliteConnectOptions::new().filename(file).pragma("query_only", "ON")).await;
        opened.map_err(|_| BackupError::Foreign { file: file.to_owned() })
    }

    async fn open(options: SqliteConnectOptions) -> Result<Self, BackupError> {
        let file = options.get_filename().to_owned();
        let options = options.create_if_missing(false).foreign_keys(false).busy_timeout(PATIENCE).disable_statement_logging();
        let opened = Raw::open(&Source::Sqlite(options)).await;
        let refused = |failure| ConnectError::FileRefused { file, source: Box::new(Cause::of_driver(&failure)) };
        Ok(Self(opened.map_err(refused)?))
    }

    pub(super) async fn close(self) {
        self.0.close().await;
    }

    /// Runs a statement, and says how many rows it wrote.
    pub(super) async fn run(&mut self, text: impl Into<String>, values: impl IntoIterator<Item = Value>) -> sqlx::Result<u64> {
        self.0.execute(&Statement::from_sql_and_values(DbBackend::Sqlite, text, values)).await
    }

    /// Runs a statement that was built.
    pub(super) async fn run_built(&mut self, statement: Statement) -> sqlx::Result<u64> {
        self.0.execute(&statement).await
    }

    /// The first column of a query's rows.
    pub(super) async fn column<T: TryGetable>(&mut self, query: impl Into<String>) -> sqlx::Result<Vec<T>> {
        let rows = self.0.fetch_all(&Statement::from_string(DbBackend::Sqlite, query)).await?;
        let value = |failure: sea_orm::DbErr| sqlx::Error::Decode(failure.to_string().into());
        rows.iter().map(|row| row.try_get_by_index(0).map_err(value)).collect()
    }

    /// What a query counts.
    pub(super) async fn count(&mut self, query: impl Into<String>) -> sqlx::Result<u64> {
        let counted = self.column::<i64>(query).await?;
        Ok(counted.first().and_then(|&count| u64::try_from(count).ok()).unwrap_or(0))
    }

    /// Refuses what Tenantry never made.
    pub(super) async fn refuse_foreign(&mut self, schema: &str, file: &Path) -> Result<(), BackupError> {
        let ours =
            format!("SELECT count(*) FROM {schema}.sqlite_schema WHERE name IN ('{STEPS}', 'tenants', 'activation_codes')");
        let file = file.to_owned();
        match self.count(ours).await {
            Ok(3) => Ok(()),
            // 11 is SQLite's CORRUPT. What isn't a database at all fails here too.
            Err(sqlx::Error::Database(failure)) if failure.code().as_deref() == Some("11") => {
                Err(BackupError::Damaged { file, detail: failure.message().to_owned() })
            }
            _ => Err(BackupError::Foreign { file }),
        }
    }

    /// Refuses rows of which some are missing.
    pub(super) async fn refuse_unfinished(&mut self, schema: &str, file: &Path) -> Result<(), BackupError> {
        let under_way = format!("SELECT count(*) FROM {schema}.sqlite_schema WHERE name = '{COPY_UNDER_WAY}'");
        match self.count(under_way).await.map_err(BackupError::of("reading the schema"))? {
            0 => Ok(()),
            _ => Err(BackupError::UnfinishedCopy { file: file.to_owned() }),
        }
    }

    /// Reads every page and every reference.
    pub(super) async fn refuse_damaged(&mut self, file: &Path) -> Result<(), BackupError> {
        let damaged = |detail: String| BackupError::Damaged { file: file.to_owned(), detail };
        let broken = |failure: sqlx::Error| damaged(Cause::of_driver(&failure).to_string());
        let found = self.column::<String>("PRAGMA integrity_check(1)").await.map_err(broken)?;
        if let Some(found) = found.into_iter().find(|found| found != "ok") {
            return Err(damaged(found));
        }
        self.refuse_dangling(MAIN, damaged).await
    }

    /// Looks whether a row refers to a missing one.
    pub(super) async fn refuse_dangling(
        &mut self,
        schema: &str,
        damaged: impl Fn(String) -> BackupError,
    ) -> Result<(), BackupError> {
        let dangling = self.column::<String>(format!("PRAGMA {schema}.foreign_key_check")).await;
        match dangling.map_err(BackupError::of("the check of references"))?.first() {
            None => Ok(()),
            Some(table) => Err(damaged(format!("rows of `{table}` refer to missing ones"))),
        }
    }

    /// The steps of the schema, in order.
    pub(super) async fn steps(&mut self, schema: &str) -> sqlx::Result<Vec<String>> {
        self.column(format!("SELECT version FROM {schema}.{STEPS} ORDER BY version")).await
    }

    /// The tables, by name, less those that are SQLite's own and the one that lists the steps.
    pub(super) async fn tables(&mut self, schema: &str) -> sqlx::Result<Vec<String>> {
        self.column(format!(
            "SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '{STEPS}' ORDER BY name"
        ))
        .await
    }

    /// The columns of a table, in quotes, in their order, with their types; less those that are computed.
    pub(super) async fn columns(&mut self, schema: &str, table: &str) -> sqlx::Result<Vec<(String, String)>> {
        let described = self
            .column::<String>(format!(
                "SELECT name || ' ' || type FROM pragma_table_xinfo('{table}', '{schema}') WHERE hidden = 0 ORDER BY cid"
            ))
            .await?;
        let split = |described: String| match described.split_once(' ') {
            Some((name, kind)) => (quoted(name), kind.to_owned()),
            None => (quoted(&described), String::new()),
        };
        Ok(described.into_iter().map(split).collect())
    }

    pub(super) async fn contents(&mut self, bytes: u64) -> sqlx::Result<Contents> {
        let mut tables = Vec::new();
        for table in self.tables(MAIN).await? {
            let rows = self.count(format!("SELECT count(*) FROM {}", quoted(&table))).await?;
            tables.push((table, rows));
        }
        Ok(Contents { bytes, steps: self.steps(MAIN).await?, tables })
    }
}

/// Whether a statement failed as there was no room: 13 is SQLite's FULL.
pub(super) fn is_full(failure: &sqlx::Error) -> bool {
    failure.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "13")
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
