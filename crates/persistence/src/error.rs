//! What a database says of a failed statement, as the ports' errors. No text holds a bound value.

use std::borrow::Cow;

use rusqlite::ffi::{
    SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_PRIMARYKEY,
    SQLITE_CONSTRAINT_UNIQUE,
};
use sea_orm::{DbErr, RuntimeErr};
use sqlx::{
    error::{DatabaseError, ErrorKind},
    sqlite::SqliteError,
};
use tenantry_domain::StoreError;

/// A driver's failure, reduced to what may be logged: a database's own error would print the row that it refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Cause(String);

impl Cause {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn of_driver(failure: &sqlx::Error) -> Self {
        match failure {
            sqlx::Error::Database(failure) => Self::of_database(&**failure),
            other => Self(other.to_string()),
        }
    }

    fn of_database(failure: &(dyn DatabaseError + 'static)) -> Self {
        let code = failure.code().unwrap_or_default();
        // PostgreSQL quotes the value that it couldn't read.
        let quotes_values = !is_sqlite(failure) && code.starts_with("22");
        let message = if quotes_values { "a value doesn't fit its type" } else { failure.message() };
        Self(format!("{message} (code {code})"))
    }
}

/// A failure of SQLite that the direct driver tells, as the other one would.
#[derive(Debug, thiserror::Error)]
#[error("(code: {code}) {message}")]
struct DirectFailure {
    /// SQLite's extended code.
    code: i32,
    message: String,
}

impl DatabaseError for DirectFailure {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY => ErrorKind::UniqueViolation,
            SQLITE_CONSTRAINT_FOREIGNKEY => ErrorKind::ForeignKeyViolation,
            SQLITE_CONSTRAINT_NOTNULL => ErrorKind::NotNullViolation,
            SQLITE_CONSTRAINT_CHECK => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}

/// A failure of the direct driver in the other one's terms.
pub(crate) fn of_direct(failure: rusqlite::Error) -> sqlx::Error {
    let (code, message) = match failure {
        rusqlite::Error::SqliteFailure(failure, message) => {
            (failure.extended_code, message.unwrap_or_else(|| failure.to_string()))
        }
        // What it says of a value's type names the column and no value.
        other => return sqlx::Error::Decode(other.to_string().into()),
    };
    sqlx::Error::Database(Box::new(DirectFailure { code, message }))
}

/// Whether a failure is the breach of a unique index.
pub(crate) fn is_unique_violation(failure: &sqlx::Error) -> bool {
    failure.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}

/// Whether a statement on PostgreSQL divided by zero, as one does that has found out too late that it must not write.
pub(crate) fn is_division_by_zero(failure: &sqlx::Error) -> bool {
    failure.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "22012")
}

/// Whether a failure is the breach of a foreign key, by a row that points nowhere or by the deletion of one that is pointed to.
pub(crate) fn is_foreign_key_violation(failure: &sqlx::Error) -> bool {
    let failure = failure.as_database_error();
    // RESTRICT has codes of its own: PostgreSQL's from 18 on, and SQLite's, which makes triggers of foreign keys.
    let of_restrict = |failure: &dyn DatabaseError| failure.code().is_some_and(|code| matches!(code.as_ref(), "23001" | "1811"));
    failure.is_some_and(|failure| failure.is_foreign_key_violation() || of_restrict(failure))
}

/// What a row that can't be read means to the ports' callers; `what` names its kind.
pub(crate) fn unreadable(what: &'static str, failure: &DbErr) -> StoreError {
    if let Some(failure) = driver_error(failure) {
        return driver_failure(what, failure);
    }
    let cause = Box::new(Cause::new(failure.to_string()));
    match failure {
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => StoreError::Corrupt { what, source: cause },
        _ => StoreError::Failed(cause),
    }
}

fn driver_error(failure: &DbErr) -> Option<&sqlx::Error> {
    match failure {
        DbErr::Conn(RuntimeErr::SqlxError(failure))
        | DbErr::Exec(RuntimeErr::SqlxError(failure))
        | DbErr::Query(RuntimeErr::SqlxError(failure)) => Some(failure),
        _ => None,
    }
}

/// What a statement's failure means to the ports' callers; `what` names the kind of row that it was about.
pub(crate) fn driver_failure(what: &'static str, failure: &sqlx::Error) -> StoreError {
    let cause = Box::new(Cause::of_driver(failure));
    match failure {
        sqlx::Error::Database(failure) => of_database(&**failure, cause),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => {
            StoreError::Interrupted(cause)
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => StoreError::Unavailable(cause),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Corrupt { what, source: cause },
        _ => StoreError::Failed(cause),
    }
}

/// The same, of what makes writes last. Where it is lost, it may have been carried out: PostgreSQL commits, then waits for its standby, and a
/// connection that ends while it waits has committed.
pub(crate) fn commit_failure(what: &'static str, failure: &sqlx::Error) -> StoreError {
    // It was answered, and the answer is that nothing was written: it can't be done here.
    let refused = sql_state(failure).is_some_and(|code| code == READ_ONLY || code == "57P03");
    match driver_failure(what, failure) {
        StoreError::Interrupted(cause) if !refused => StoreError::Unavailable(cause),
        other => other,
    }
}

/// A statement that writes was sent to a server that takes none: a standby, or what was the primary.
const READ_ONLY: &str = "25006";

fn sql_state(failure: &sqlx::Error) -> Option<String> {
    let failure = failure.as_database_error().filter(|failure| !is_sqlite(*failure))?;
    failure.code().map(Cow::into_owned)
}

/// Whether a connection is of no use any more, and a new one may do better: it is gone, or leads to a server that isn't the primary.
pub(crate) fn is_lost(failure: &sqlx::Error) -> bool {
    match failure {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => true,
        _ => sql_state(failure).is_some_and(|code| is_end(&code)),
    }
}

/// The codes with which PostgreSQL ends a connection, or says that it was made to the wrong server: shutting down, shut down, starting,
/// read-only, idle in a transaction for too long, lost.
fn is_end(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | READ_ONLY | "25P03") || code.starts_with("08")
}

fn of_database(failure: &(dyn DatabaseError + 'static), cause: Box<Cause>) -> StoreError {
    if matches!(failure.kind(), ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation | ErrorKind::CheckViolation) {
        return StoreError::Conflict(cause);
    }
    let code = failure.code().unwrap_or_default();
    if is_sqlite(failure) {
        // Of SQLite's extended codes the low byte is the primary one.
        return match code.parse::<u32>().unwrap_or_default() & 0xff {
            // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN
            5 | 6 | 8 | 10 | 13 | 14 => StoreError::Unavailable(cause),
            _ => StoreError::Failed(cause),
        };
    }
    match code.as_ref() {
        // Serialisation failure, deadlock, transaction failed before.
        "40001" | "40P01" | "25P02" => StoreError::Conflict(cause),
        code if is_end(code) => StoreError::Interrupted(cause),
        // Lock not available in time, statement cancelled.
        "57014" | "55P03" => StoreError::Unavailable(cause),
        // Out of connections, memory or disk.
        code if code.starts_with("53") => StoreError::Unavailable(cause),
        _ => StoreError::Failed(cause),
    }
}

fn is_sqlite(failure: &(dyn DatabaseError + 'static)) -> bool {
    failure.try_downcast_ref::<SqliteError>().is_some() || failure.try_downcast_ref::<DirectFailure>().is_some()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use sea_orm::{DbBackend, Statement};
    use tenantry_domain::ports::Store as _;

    use super::*;
    use crate::{DatabaseStore, Options, connection::Connection as _};

    #[tokio::test]
    async fn a_broken_constraint_is_a_conflict_and_shows_no_value() {
        let folder = tempfile::tempdir().unwrap();
        let store = DatabaseStore::connect(&Options::new(format!("sqlite://{}/a.db", folder.path().display()))).await.unwrap();
        let schema = "CREATE TABLE owners (id bigint PRIMARY KEY);
            CREATE TABLE things (name text UNIQUE, uses bigint CHECK (uses > 0), owner bigint REFERENCES owners (id));
            INSERT INTO things VALUES ('s3cret', 1, NULL)";
        let tx = store.begin().await.unwrap();
        let mut connection = tx.connection;
        let mut run = async |text: &str| connection.execute(Statement::from_string(DbBackend::Sqlite, text)).await;
        run(schema).await.unwrap();
        for breach in ["('s3cret', 1, NULL)", "('other', 0, NULL)", "('another', 1, 7)"] {
            let failure = run(&format!("INSERT INTO things VALUES {breach}")).await.unwrap_err();
            assert_eq!(is_unique_violation(&failure), breach.contains("s3cret"));
            let failure = driver_failure("thing", &failure);
            assert!(matches!(failure, StoreError::Conflict(_)), "{breach}: {failure:?}");
            assert!(failure.source().is_some());
            assert!(!format!("{failure:?}").contains("s3cret"));
        }
        let failure = run("SELECT nothing").await.unwrap_err();
        assert!(matches!(driver_failure("thing", &failure), StoreError::Failed(_)));
    }

    #[test]
    fn what_cannot_be_reached_is_unavailable_and_what_cannot_be_read_is_corrupt() {
        let driver = |failure: sqlx::Error| unreadable("thing", &DbErr::Query(RuntimeErr::SqlxError(failure.into())));
        assert!(matches!(driver(sqlx::Error::PoolTimedOut), StoreError::Unavailable(_)));
        let broken = || sqlx::Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(matches!(driver(broken()), StoreError::Interrupted(_)));
        assert!(matches!(commit_failure("transaction", &broken()), StoreError::Unavailable(_)), "it may have been made");
        assert!(matches!(driver(sqlx::Error::Decode("no date".into())), StoreError::Corrupt { what: "thing", .. }));
        assert!(matches!(driver(sqlx::Error::ColumnNotFound("name".into())), StoreError::Failed(_)));
        assert!(matches!(unreadable("thing", &DbErr::Type("null".into())), StoreError::Corrupt { what: "thing", .. }));
    }
}
