//! SQLite's log is folded into its file beside the writer.
//!
//! Each change goes to the log first, and to the file's page later. By itself SQLite does the latter at a commit, once the log is long: a fifth of
//! what an activation costs, and some twenty milliseconds in which nobody's turn comes. A connection of its own does it here while others
//! write. Only the last of it, what was written meanwhile, is done while the writer waits, as the log begins anew where all of it is folded.

use std::{
    fs, mem,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sea_orm::{DbBackend, Statement};
use tokio::{sync::Mutex, time};

use super::Writer;
use crate::{
    connection::{Raw, SQLITE_PAGE, Source, companions},
    error::Cause,
};

/// How long after a commit the log is looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// Pages of the log, 32 MB, that are worth to be folded. Issuing many codes writes the same pages again and again: the more are folded at once,
/// the fewer are written twice. In a file whose pages are larger it is as much more.
const WORTH: u32 = 16_000;

/// Who folds the log.
pub(super) struct Folder {
    /// Somebody will look at the log.
    expected: AtomicBool,
    source: Source,
    pub(super) connection: Mutex<Connection>,
}

pub(super) enum Connection {
    /// To be opened where it is wanted.
    Closed,
    Open(Raw),
    /// Never to be opened again.
    Gone,
}

/// How the log stands.
struct Log {
    pages: i64,
    folded: i64,
}

impl Folder {
    pub(super) fn new(source: Source) -> Self {
        Self { expected: AtomicBool::new(false), source, connection: Mutex::new(Connection::Closed) }
    }

    pub(super) async fn close(&self) {
        if let Connection::Open(raw) = mem::replace(&mut *self.connection.lock().await, Connection::Gone) {
            raw.close().await;
        }
    }

    /// Whether the log was ever long: its file doesn't shrink. Where it never was, no connection is needed.
    fn may_be_worth_it(&self) -> bool {
        let Source::Sqlite(options) = &self.source else { return false };
        let [log, ..] = companions(options.get_filename());
        fs::metadata(log).is_ok_and(|log| log.len() >= u64::from(WORTH) * u64::from(SQLITE_PAGE))
    }

    /// Folds what of the log this mode of SQLite's folds, and says how it stands then.
    async fn checkpoint(&self, connection: &mut Connection, mode: &str) -> sqlx::Result<Log> {
        if matches!(connection, Connection::Closed) {
            *connection = Connection::Open(Raw::open(&self.source).await?);
        }
        let Connection::Open(raw) = connection else { return Err(sqlx::Error::PoolClosed) };
        let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA wal_checkpoint({mode})"));
        let row = raw.fetch_one(&statement).await?.ok_or(sqlx::Error::RowNotFound)?;
        let column = |index| row.try_get_by_index::<i64>(index).map_err(|failure| sqlx::Error::Decode(Box::new(failure)));
        Ok(Log { pages: column(1)?, folded: column(2)? })
    }
}

impl Writer {
    /// Sees to it that the log is looked at soon: something was committed.
    pub(super) fn fold_soon(&self) {
        if !self.folder.expected.swap(true, Ordering::AcqRel) {
            let writer = self.clone();
            self.runtime.spawn(async move {
                time::sleep(PAUSE).await;
                let mut connection = writer.folder.connection.lock().await;
                writer.folder.expected.store(false, Ordering::Release);
                match writer.fold(&mut connection).await {
                    Ok(()) | Err(sqlx::Error::PoolClosed) => {}
                    // The next commit brings the next try, on a new connection, and in the end the writer does it by itself.
                    Err(failure) => {
                        *connection = Connection::Closed;
                        tracing::warn!(
                            error = &Cause::of_driver(&failure) as &dyn std::error::Error,
                            "SQLite's log can't be folded into its file"
                        );
                    }
                }
            });
        }
    }

    async fn fold(&self, connection: &mut Connection) -> sqlx::Result<()> {
        if !self.folder.may_be_worth_it() {
            return Ok(());
        }
        let log = self.folder.checkpoint(connection, "NOOP").await?;
        if log.pages - log.folded < i64::from(WORTH) {
            return Ok(());
        }
        self.folder.checkpoint(connection, "PASSIVE").await?;
        let _nobody_writes = self.desk().await;
        self.folder.checkpoint(connection, "PASSIVE").await?;
        Ok(())
    }
}
