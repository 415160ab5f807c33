//! Migrators of one database take turns.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use crate::MigrateError;

/// The word `tenantry` in ASCII: what PostgreSQL knows the lock by.
pub(crate) const ADVISORY_KEY: i64 = 0x7465_6e61_6e74_7279;

/// Waits for the migrators of a SQLite file and keeps others waiting until the result is dropped, or the process ends.
///
/// The file `<database>.migrate.lock` stays behind: a file that goes away under a waiting migrator would let two in.
pub(crate) async fn lock_file(database: &Path) -> Result<File, MigrateError> {
    opened_lock(database, |file| file.lock().map(|()| file)).await
}

/// The same, where no other is at work; it isn't waited for.
pub(crate) async fn try_lock_file(database: &Path) -> Result<Option<File>, MigrateError> {
    opened_lock(database, |file| match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(failure)) => Err(failure),
    })
    .await
}

/// Opens the lock file of a SQLite database, and locks it.
async fn opened_lock<T: Send + 'static>(
    database: &Path,
    lock: impl FnOnce(File) -> std::io::Result<T> + Send + 'static,
) -> Result<T, MigrateError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".migrate.lock");
    let open_and_lock = {
        let path = path.clone();
        move || {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
            lock(file)
        }
    };
    // A joined task fails only with the runtime that runs it.
    let locked = tokio::task::spawn_blocking(open_and_lock).await.unwrap_or_else(|ended| Err(std::io::Error::other(ended)));
    locked.map_err(|source| MigrateError::LockFile { file: path.into(), source })
}

/// Waits for the migrators of a PostgreSQL database and keeps others waiting until the transaction ends. SQLite has
/// [`lock_file`] instead.
pub(crate) async fn lock_transaction(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let lock = Statement::from_sql_and_values(DbBackend::Postgres, "SELECT pg_advisory_xact_lock($1)", [ADVISORY_KEY.into()]);
        tx.execute_raw(lock).await?;
    }
    Ok(())
}
