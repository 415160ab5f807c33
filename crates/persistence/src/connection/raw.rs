use std::io;

use futures_util::TryStreamExt as _;
use sea_orm::{DbBackend, QueryResult, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Either, Executor as _,
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

/// Adds a script to others, whose values are before its own: `$1` is what comes behind them.
fn push_script(sql: &mut String, script: &str, values: usize) {
    if !sql.is_empty() {
        sql.push(';');
    }
    let mut parts = script.split('$');
    sql.extend(parts.next());
    for part in parts {
        let (place, rest) = part.split_at(part.bytes().take_while(u8::is_ascii_digit).count());
        sql.push('$');
        if let Ok(place) = place.parse::<usize>() {
            sql.push_str(&(place + values).to_string());
        }
        sql.push_str(rest);
    }
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

    /// Runs scripts of the same text on SQLite, one behind the other, and answers the last row of each. A script's values are bound behind those of
    /// the one before.
    pub(crate) async fn run_scripts(&mut self, scripts: &[&Statement]) -> sqlx::Result<Vec<Option<QueryResult>>> {
        let Self::Sqlite(connection) = self else {
            return Err(sqlx::Error::Protocol("only SQLite runs scripts".to_owned()));
        };
        let (mut sql, mut values) = (String::new(), Vec::new());
        for script in scripts {
            tracing::trace!(sql = script.sql);
            push_script(&mut sql, &script.sql, values.len());
            values.extend(script.values.iter().flat_map(|values| values.0.iter().cloned()));
        }
        let query = sqlx::query_with::<sqlx::Sqlite, _>(AssertSqlSafe(sql), SqlxValues(sea_orm::Values(values)));
        let mut answers = (&mut **connection).fetch_many(query);
        // What ended, and each row with how many statements had ended before it.
        let (mut ended, mut rows) = (0, Vec::new());
        while let Some(answer) = answers.try_next().await? {
            match answer {
                Either::Left(_) => ended += 1,
                Either::Right(row) => rows.push((ended, row)),
            }
        }
        let statements = (ended / scripts.len().max(1)).max(1);
        let mut answered = Vec::new();
        answered.resize_with(scripts.len(), || None);
        for (ended, row) in rows {
            if let Some(answered) = answered.get_mut(ended / statements) {
                *answered = Some(QueryResult::from(row));
            }
        }
        Ok(answered)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_script_come_behind_those_of_the_scripts_before() {
        let mut sql = String::new();
        push_script(&mut sql, "SELECT $1, $12 || '$' || $", 0);
        push_script(&mut sql, "$1", 12);
        push_script(&mut sql, "UPDATE a SET b = $2; SELECT 'é' || $10", 100);
        assert_eq!(sql, "SELECT $1, $12 || '$' || $;$13;UPDATE a SET b = $102; SELECT 'é' || $110");
    }
}
