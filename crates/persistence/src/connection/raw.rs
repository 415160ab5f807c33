use std::io;

use sea_orm::{DbBackend, QueryResult, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

/// How a connection is opened.
#[derive(Clone)]
pub(crate) enum Source {
    /// To PostgreSQL, with settings that the session begins with.
    Postgres(PgConnectOptions, String),
    /// To a SQLite file.
    Sqlite(SqliteConnectOptions),
}

impl Source {
    pub(crate) const fn backend(&self) -> DbBackend {
        match self {
            Self::Postgres(..) => DbBackend::Postgres,
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }
}

/// A balancer that has nowhere to lead to accepts and hangs up, and sqlx takes that for an odd answer.
fn hung_up(failure: sqlx::Error) -> sqlx::Error {
    match failure {
        sqlx::Error::Protocol(answer) => sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionAborted, answer)),
        other => other,
    }
}

/// A driver's connection.
pub(crate) enum Raw {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

/// Runs a statement on whichever connection it is. SQL is the crate's own, and values are bound: its text holds none, and may be logged.
macro_rules! on_either {
    ($raw:expr, $statement:expr, |$query:ident, $connection:ident| $run:expr) => {{
        let sql = $statement.sql.as_str();
        tracing::trace!(sql);
        let values = SqlxValues($statement.values.clone().unwrap_or_else(|| sea_orm::Values(Vec::new())));
        match $raw {
            Raw::Postgres($connection) => {
                let $query = sqlx::query_with::<sqlx::Postgres, _>(AssertSqlSafe(sql), values);
                $run
            }
            Raw::Sqlite($connection) => {
                let $query = sqlx::query_with::<sqlx::Sqlite, _>(AssertSqlSafe(sql), values);
                $run
            }
        }
    }};
}

impl Raw {
    pub(crate) async fn open(source: &Source) -> sqlx::Result<Self> {
        match source {
            Source::Postgres(options, settings) => {
                let mut connection = options.connect().await.map_err(hung_up)?;
                connection.execute(AssertSqlSafe(settings.clone())).await?;
                Ok(Self::Postgres(Box::new(connection)))
            }
            Source::Sqlite(options) => Ok(Self::Sqlite(Box::new(options.connect().await?))),
        }
    }

    pub(crate) async fn fetch_one(&mut self, statement: &Statement) -> sqlx::Result<Option<QueryResult>> {
        on_either!(self, statement, |query, connection| Ok(query.fetch_optional(&mut **connection).await?.map(QueryResult::from)))
    }

    pub(crate) async fn fetch_all(&mut self, statement: &Statement) -> sqlx::Result<Vec<QueryResult>> {
        on_either!(self, statement, |query, connection| {
            Ok(query.fetch_all(&mut **connection).await?.into_iter().map(QueryResult::from).collect())
        })
    }

    pub(crate) async fn execute(&mut self, statement: &Statement) -> sqlx::Result<u64> {
        on_either!(self, statement, |query, connection| Ok(query.execute(&mut **connection).await?.rows_affected()))
    }

    /// Sends rows to PostgreSQL by its COPY, which reads some while the next are made.
    pub(crate) async fn copy_in(&mut self, copy: &'static str, rows: impl Iterator<Item = Vec<u8>>) -> sqlx::Result<u64> {
        let Self::Postgres(connection) = self else {
            return Err(sqlx::Error::Protocol("only PostgreSQL has COPY".to_owned()));
        };
        let mut sink = connection.copy_in_raw(copy).await?;
        for some in rows {
            sink.send(some).await?;
        }
        sink.finish().await
    }

    /// Runs commands, which have no values.
    pub(crate) async fn run(&mut self, commands: &'static str) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => connection.execute(commands).await.map(|_| ()),
            Self::Sqlite(connection) => connection.execute(commands).await.map(|_| ()),
        }
    }

    /// Asks the database whether it is there. What an interrupted statement has left is read first.
    pub(crate) async fn ping(&mut self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(connection) => connection.ping().await,
            Self::Sqlite(connection) => connection.ping().await,
        }
    }

    /// Closes it in good order, as far as that goes.
    pub(crate) async fn close(self) {
        // However a connection ends, nobody uses it any more.
        match self {
            Self::Postgres(connection) => connection.close().await.ok(),
            Self::Sqlite(connection) => connection.close().await.ok(),
        };
    }
}
