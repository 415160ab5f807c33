//! Connections to either database: how they are opened, lent out and given back, and the transactions on them.
//!
//! sqlx's own pool asks the database at every return of a connection whether it is still there, which is a round trip for each
//! statement. Here a connection that was used as it should be goes back as it is; one whose user went away in the middle is put in order
//! first.

mod direct;
mod gather;
mod pool;
mod raw;
mod transaction;
mod writer;

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use sea_orm::{DbBackend, QueryResult, Statement};

use crate::session_pages::SessionPages;

pub(crate) use self::{
    direct::{Direct, DirectReaders, DirectSource, StoredRow},
    pool::Pool,
    raw::{Raw, Source},
    writer::Writer,
};
pub use self::{
    gather::{Ask, Gathering},
    pool::Pooled,
    transaction::OpenTransaction,
};

/// How large the pages of a new SQLite file are, in bytes (decision 0039).
pub(crate) const SQLITE_PAGE: u32 = 2_048;

/// The files that SQLite may keep beside a database, its log first. Where the database is known by a link, they lie beside what the link leads to.
pub(crate) fn companions(database: &Path) -> [PathBuf; 3] {
    let database = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        path.into()
    })
}

/// What statements run on.
pub trait Connection: Send {
    /// Which database it is.
    fn backend(&self) -> DbBackend;

    /// The first row of a statement's answer.
    fn fetch_one(&mut self, statement: Statement) -> impl Future<Output = sqlx::Result<Option<QueryResult>>> + Send;

    /// All rows of a statement's answer.
    fn fetch_all(&mut self, statement: Statement) -> impl Future<Output = sqlx::Result<Vec<QueryResult>>> + Send;

    /// Runs a statement, and says how many rows it wrote.
    fn execute(&mut self, statement: Statement) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Where sessions with their first page of projects are asked for together, if that is worth while. It is the crate's own affair.
    #[doc(hidden)]
    fn session_pages(&self) -> Option<&Arc<Gathering<SessionPages>>> {
        None
    }

    /// Where SQLite answers short questions on the thread that asks. It is the crate's own affair.
    #[doc(hidden)]
    fn direct(&self) -> Option<&DirectReaders> {
        None
    }
}
