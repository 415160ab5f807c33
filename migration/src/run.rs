//! What changes a schema: up, down, fresh.

use std::fs::File;

use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{
        ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
        TransactionOptions, TransactionTrait,
    },
};

use crate::{
    MigrateError, Migrator, SchemaStatus,
    connection::{Target, folder_of},
    lock,
    status::read_status,
};

/// Applies every pending step and answers their names, in order; none when the schema is complete, also where a newer version
/// has gone further.
///
/// # Errors
/// See [`MigrateError`]; [`NewerSchema`](MigrateError::NewerSchema) where steps are pending beside some that only a newer
/// version knows.
pub async fn up(url: &str) -> Result<Vec<String>, MigrateError> {
    let session = Session::begin(url).await?;
    let before = read_status(&session.tx).await?;
    let pending = before.pending();
    if !pending.is_empty() {
        refuse_newer(&before)?;
        Migrator::up(&session.tx, None).await?;
    }
    session.commit().await?;
    Ok(pending)
}

/// Takes back the last `steps` steps and answers their names, the last one first.
///
/// # Errors
/// See [`MigrateError`]; [`StepRefused`](MigrateError::StepRefused) where a step can't be taken back without losing rows.
pub async fn down(url: &str, steps: u32) -> Result<Vec<String>, MigrateError> {
    let session = Session::begin(url).await?;
    let before = read_status(&session.tx).await?;
    refuse_newer(&before)?;
    let undone: Vec<_> = before.applied().into_iter().rev().take(usize::try_from(steps).unwrap_or(usize::MAX)).collect();
    if !undone.is_empty() {
        Migrator::down(&session.tx, Some(steps)).await?;
    }
    session.commit().await?;
    Ok(undone)
}

/// Drops every table, Tenantry's or not, and applies every step. For development: nothing brings the rows back.
///
/// # Errors
/// See [`MigrateError`].
pub async fn fresh(url: &str) -> Result<Vec<String>, MigrateError> {
    let session = Session::begin(url).await?;
    Migrator::fresh(&session.tx).await?;
    let steps = read_status(&session.tx).await?.applied();
    session.commit().await?;
    Ok(steps)
}

fn refuse_newer(status: &SchemaStatus) -> Result<(), MigrateError> {
    let steps = status.newer();
    if steps.is_empty() { Ok(()) } else { Err(MigrateError::NewerSchema { steps }) }
}

/// One transaction that no other migrator shares.
struct Session {
    tx: DatabaseTransaction,
    db: DatabaseConnection,
    _lock: Option<File>,
}

impl Session {
    async fn begin(url: &str) -> Result<Self, MigrateError> {
        let target = Target::parse(url)?;
        let lock = match &target {
            Target::Sqlite { file, .. } if folder_of(file).is_dir() => Some(lock::lock_file(file).await?),
            _ => None,
        };
        let db = target.connect(true).await?;
        let mode = Some(SqliteTransactionMode::Immediate).filter(|_| db.get_database_backend() == DbBackend::Sqlite);
        let tx = db.begin_with_options(TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() }).await?;
        lock::lock_transaction(&tx).await?;
        Ok(Self { tx, db, _lock: lock })
    }

    async fn commit(self) -> Result<(), MigrateError> {
        check_references(&self.tx).await?;
        self.tx.commit().await?;
        self.db.close().await?;
        Ok(())
    }
}

/// SQLite's foreign keys were off during the steps.
async fn check_references(tx: &DatabaseTransaction) -> Result<(), MigrateError> {
    if tx.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA foreign_key_check");
    match tx.query_one_raw(check).await? {
        None => Ok(()),
        Some(row) => Err(MigrateError::DanglingReference { table: row.try_get("", "table")? }),
    }
}
