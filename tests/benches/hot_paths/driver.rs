//! The bare driver: sqlx's connections, without a pool and without anything above them.

use std::sync::Arc;

use sqlx::{
    ConnectOptions as _, Connection as _, Database, Postgres, Sqlite,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::Mutex;

use crate::{
    load::Caller,
    script::{Expects, Statement, Step, Value},
};

/// Gives the steps of an item's work.
pub type Script = Arc<dyn Fn(usize) -> Vec<Step> + Send + Sync>;

macro_rules! runs_statements {
    ($run:ident, $database:ty) => {
        async fn $run(connection: &mut <$database as Database>::Connection, statement: Statement) -> Result<(), String> {
            let mut query = sqlx::query::<$database>(statement.sql);
            for value in statement.values {
                query = match value {
                    Value::Uuid(value) => query.bind(value),
                    Value::Text(value) => query.bind(value),
                    Value::Bytes(value) => query.bind(value),
                    Value::Number(value) => query.bind(value),
                    Value::Time(value) => query.bind(value),
                    Value::NoText => query.bind(None::<String>),
                    Value::NoTime => query.bind(None::<sqlx::types::chrono::DateTime<sqlx::types::chrono::Utc>>),
                };
            }
            let (came, wanted) = match statement.expects {
                Expects::Rows(1) => (usize::from(query.fetch_optional(connection).await.map_err(said)?.is_some()), 1),
                Expects::Rows(wanted) => (query.fetch_all(connection).await.map_err(said)?.len(), wanted),
                Expects::Written => (query.execute(connection).await.map_err(said)?.rows_affected() as usize, 1),
            };
            if came == wanted { Ok(()) } else { Err(format!("{came} rows where {wanted} should be: {}", statement.sql)) }
        }
    };
}

runs_statements!(run_on_postgres, Postgres);
runs_statements!(run_on_sqlite, Sqlite);

/// A caller with a connection to PostgreSQL of its own.
pub struct PostgresCaller {
    connection: PgConnection,
    script: Script,
}

impl PostgresCaller {
    pub async fn connect(url: &str, script: Script) -> Self {
        let options = url.parse::<PgConnectOptions>().expect("a URL").disable_statement_logging();
        Self { connection: PgConnection::connect_with(&options).await.expect("PostgreSQL accepts"), script }
    }

    pub async fn several(url: &str, count: usize, script: &Script) -> Vec<Self> {
        let mut callers = Vec::new();
        for _ in 0..count {
            callers.push(Self::connect(url, Arc::clone(script)).await);
        }
        callers
    }
}

impl Caller for PostgresCaller {
    async fn call(&mut self, item: usize) -> Result<(), String> {
        for step in (self.script)(item) {
            match step {
                Step::Alone(statement) => run_on_postgres(&mut self.connection, statement).await?,
                Step::Together(statements) => {
                    let mut transaction = self.connection.begin().await.map_err(said)?;
                    for statement in statements {
                        run_on_postgres(&mut transaction, statement).await?;
                    }
                    transaction.commit().await.map_err(said)?;
                }
            }
        }
        Ok(())
    }
}

/// A caller that reads on a connection of its own and takes turns with the others to write.
pub struct SqliteCaller {
    reader: SqliteConnection,
    writer: Arc<Mutex<SqliteConnection>>,
    script: Script,
}

impl SqliteCaller {
    pub async fn several(url: &str, count: usize, script: &Script) -> Vec<Self> {
        let options = url
            .parse::<SqliteConnectOptions>()
            .expect("a URL")
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .disable_statement_logging();
        let connect = || async { SqliteConnection::connect_with(&options).await.expect("the file opens") };
        let writer = Arc::new(Mutex::new(connect().await));
        let mut callers = Vec::new();
        for _ in 0..count {
            callers.push(Self { reader: connect().await, writer: Arc::clone(&writer), script: Arc::clone(script) });
        }
        callers
    }
}

impl Caller for SqliteCaller {
    async fn call(&mut self, item: usize) -> Result<(), String> {
        for step in (self.script)(item) {
            match step {
                Step::Alone(statement) => run_on_sqlite(&mut self.reader, statement).await?,
                Step::Together(statements) => {
                    let mut writer = self.writer.lock().await;
                    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(said)?;
                    for statement in statements {
                        run_on_sqlite(&mut transaction, statement).await?;
                    }
                    transaction.commit().await.map_err(said)?;
                }
            }
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it ends a chain of map_err")]
fn said(error: sqlx::Error) -> String {
    error.to_string()
}
