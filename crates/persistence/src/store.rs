use std::fmt;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tenantry_domain::{
    StoreError,
    ports::{Parking, Store, Transaction},
};

use crate::{
    ConnectError, Handle, Options,
    connect::connect,
    error::{Cause, store_error},
};

/// A store on SQLite or PostgreSQL: cheap to clone, shared by all that use it.
#[derive(Clone)]
pub struct DatabaseStore {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    parking: Option<Parking<Handle<DatabaseTransaction>>>,
}

impl DatabaseStore {
    /// Opens a database. A SQLite file that is missing is made; the schema is `tenantry-migration`'s affair.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        let pools = connect(options).await?;
        Ok(Self { reader: pools.reader, writer: pools.writer, parking: None })
    }

    /// Asks the database for an answer, for readiness.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it gives none in time.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let ask = Statement::from_string(self.reader.get_database_backend(), "SELECT 1");
        self.reader.query_one_raw(ask).await.map(|_| ()).map_err(|failure| store_error("answer", &failure))
    }

    /// Closes all connections, once what runs on them has ended. Calls that come later find the store unavailable.
    pub async fn close(&self) {
        // SQLite folds its write-ahead log into the file when the writer goes last. Closing a pool doesn't fail.
        self.reader.close_by_ref().await.ok();
        self.writer.close_by_ref().await.ok();
    }

    /// Where reads go.
    pub(crate) const fn reader_pool(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Where transactions begin.
    pub(crate) const fn writer_pool(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Which of the two databases it is.
    pub(crate) fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    #[cfg(test)]
    pub(crate) const fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }
}

impl fmt::Debug for DatabaseStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseStore").field(&self.writer.get_database_backend()).finish()
    }
}

impl Store for DatabaseStore {
    type Reader = Handle<DatabaseConnection>;
    type Transaction = Handle<DatabaseTransaction>;

    fn reader(&self) -> Self::Reader {
        Handle::new(self.reader.clone())
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let parked = self.parking.as_ref().and_then(|parking| Some((parking, parking.take()?)));
        let begun = match parked {
            Some((parking, parked)) => {
                let savepoint = parked.connection.begin().await;
                parking.park(parked);
                savepoint
            }
            None => {
                // A deferred transaction on SQLite asks for its turn to write at its first write, and fails where another came between.
                let sqlite = self.writer.get_database_backend() == DbBackend::Sqlite;
                let mode = sqlite.then_some(SqliteTransactionMode::Immediate);
                let options = TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
                self.writer.begin_with_options(options).await
            }
        };
        let connection = begun.map_err(|failure| store_error("transaction", &failure))?;
        Ok(Handle { parking: self.parking.clone(), ..Handle::new(connection) })
    }

    fn parking(&self, parking: Parking<Self::Transaction>) -> Self {
        Self { parking: Some(parking), ..self.clone() }
    }
}

impl Transaction for Handle<DatabaseTransaction> {
    async fn commit(mut self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Conflict(Box::new(Cause::new("a statement of the transaction failed before"))));
        }
        if let Some(parking) = self.parking.take() {
            let Some(parked) = parking.take() else {
                parking.park(self);
                return Ok(());
            };
            // This one is a savepoint inside the parked one, which its release leaves behind.
            parking.park(parked);
        }
        self.connection.commit().await.map_err(|failure| store_error("transaction", &failure))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn store(folder: &tempfile::TempDir) -> DatabaseStore {
        let options = Options {
            acquire_timeout: Duration::from_millis(200),
            ..Options::new(format!("sqlite://{}/a.db", folder.path().display()))
        };
        let store = DatabaseStore::connect(&options).await.unwrap();
        store.writer().execute_unprepared("CREATE TABLE things (name text UNIQUE)").await.unwrap();
        store
    }

    async fn add(tx: &mut Handle<DatabaseTransaction>, name: &str) -> Result<u64, StoreError> {
        let insert = tx.sql("INSERT INTO things VALUES ($1)", [name.into()]);
        tx.write("thing", insert).await
    }

    async fn things(store: &DatabaseStore) -> u64 {
        let mut reader = store.reader();
        let count = reader.sql("SELECT count(*) FROM things", []);
        reader.count("thing", count).await.unwrap()
    }

    #[tokio::test]
    async fn a_dropped_transaction_leaves_nothing_and_the_next_one_begins_clean() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        for _ in 0..20 {
            let mut tx = store.begin().await.unwrap();
            add(&mut tx, "dropped").await.unwrap();
            drop(tx);
        }
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "kept").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(things(&store).await, 1);
    }

    #[tokio::test]
    async fn who_waits_too_long_for_the_writer_finds_the_store_unavailable() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let tx = store.begin().await.unwrap();
        assert!(matches!(store.begin().await, Err(StoreError::Unavailable(_))));
        assert_eq!(things(&store).await, 0, "readers don't wait for it");
        drop(tx);
        store.begin().await.unwrap().commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_transaction_with_a_failed_statement_cannot_be_committed() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "twice").await.unwrap();
        assert!(matches!(add(&mut tx, "twice").await, Err(StoreError::Conflict(_))));
        assert!(matches!(tx.commit().await, Err(StoreError::Conflict(_))));
        assert_eq!(things(&store).await, 0);
    }

    #[tokio::test]
    async fn a_closed_store_is_unavailable() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        store.ping().await.unwrap();
        store.close().await;
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    }
}
