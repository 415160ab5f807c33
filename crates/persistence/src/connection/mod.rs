//! Connections to either database: how they are opened, lent out and given back, and the transactions on them.
//!
//! sqlx's own pool asks the database at every return of a connection whether it is still there, which is a round trip for each
//! statement. Here a connection that was used as it should be goes back as it is; one whose user went away in the middle is put in order
//! first.

mod pool;
mod raw;
mod transaction;
mod writer;

use std::future::Future;

use sea_orm::{DbBackend, QueryResult, Statement};

pub(crate) use self::{
    pool::Pool,
    raw::{Raw, Source},
    writer::Writer,
};
pub use self::{pool::Pooled, transaction::OpenTransaction};

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
}
