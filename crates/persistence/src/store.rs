use std::fmt;

use sea_orm::{DbBackend, Statement};
use tenantry_domain::{
    Project, StoreError, Tenant,
    ports::{Activation, Parking, SignIn, Store, Transaction},
};

use crate::{
    ConnectError, Handle, Options,
    connect::{Connections, connect},
    connection::{Connection as _, OpenTransaction, Pooled},
    error::{Cause, commit_failure, driver_failure},
};

/// A store on SQLite or PostgreSQL: cheap to clone, shared by all that use it.
#[derive(Clone)]
pub struct DatabaseStore {
    connections: Connections,
    parking: Option<Parking<Handle<OpenTransaction>>>,
}

impl DatabaseStore {
    /// Opens a database. A SQLite file that is missing is made; the schema is `tenantry-migration`'s affair. Call it inside a tokio
    /// runtime that lives as long as the store: connections belong to it.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        Ok(Self { connections: connect(options).await?, parking: None })
    }

    /// Asks the database for an answer, for readiness.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it gives none in time.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let ask = Statement::from_string(self.backend(), "SELECT 1");
        let answer = self.reader().connection.fetch_one(ask).await;
        answer.map(|_| ()).map_err(|failure| driver_failure("answer", &failure))
    }

    /// Closes all connections, once what runs on them has ended. Calls that come later find the store unavailable.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    pub(crate) const fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Which of the two databases it is.
    pub(crate) const fn backend(&self) -> DbBackend {
        self.connections.backend()
    }
}

impl fmt::Debug for DatabaseStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseStore").field(&self.backend()).finish()
    }
}

impl Store for DatabaseStore {
    type Reader = Handle<Pooled>;
    type Transaction = Handle<OpenTransaction>;

    fn reader(&self) -> Self::Reader {
        Handle::new(self.connections.reader())
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let parked = self.parking.as_ref().and_then(|parking| Some((parking, parking.take()?)));
        let begun = match parked {
            Some((parking, parked)) => {
                let part = parked.connection.part().await;
                parking.park(parked);
                part
            }
            None => self.connections.begin().await,
        };
        let connection = begun.map_err(|failure| driver_failure("transaction", &failure))?;
        Ok(Handle { parking: self.parking.clone(), ..Handle::new(connection) })
    }

    async fn activate_at_once(&self, activation: &Activation<'_>) -> Result<Option<Project>, StoreError> {
        match self.parking {
            // It would be committed by itself.
            Some(_) => Ok(None),
            None => self.activate(activation).await,
        }
    }

    async fn sign_in_at_once(&self, sign_in: &SignIn<'_>) -> Result<Option<Tenant>, StoreError> {
        match self.parking {
            Some(_) => Ok(None),
            None => self.sign_in(sign_in).await,
        }
    }

    fn parking(&self, parking: Parking<Self::Transaction>) -> Self {
        Self { parking: Some(parking), ..self.clone() }
    }
}

impl Transaction for Handle<OpenTransaction> {
    async fn commit(mut self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Conflict(Box::new(Cause::new("a statement of the transaction failed before"))));
        }
        if let Some(parking) = self.parking.take() {
            let Some(parked) = parking.take() else {
                parking.park(self);
                return Ok(());
            };
            // This one is a part of the parked one, which its end leaves behind.
            parking.park(parked);
        }
        self.connection.commit().await.map_err(|failure| commit_failure("transaction", &failure))
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
        let mut tx = store.begin().await.unwrap();
        let create = tx.sql("CREATE TABLE things (name text UNIQUE)", []);
        tx.write("table", create).await.unwrap();
        tx.commit().await.unwrap();
        store
    }

    async fn add(tx: &mut Handle<OpenTransaction>, name: &str) -> Result<u64, StoreError> {
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
