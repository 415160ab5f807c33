//! The store: readers, transactions that take turns, the commit, and parking.

use std::{fmt, path::Path, sync::Arc};

use futures_util::lock::{Mutex, OwnedMutexGuard};
use redb::{Database, ReadableDatabase as _};
use tenantry_domain::{
    StoreError,
    ports::{Parking, Store, Transaction},
};

use crate::{
    error::failed,
    rows::{Rows, definition},
    tables::NAMES,
};

/// A store in one file of redb. Its clones are handles to the same store.
///
/// It needs no async runtime. A commit waits for the disk on the thread that polls it: on a runtime whose threads must not wait, hand
/// the end of `commit` to its blocking threads.
#[derive(Clone)]
pub struct RedbStore {
    shared: Arc<Shared>,
    parking: Option<Parking<RedbTransaction>>,
}

struct Shared {
    file: Database,
    /// Who has it, writes. redb has one writer too, but whoever waits for that blocks a thread.
    turn: Arc<Mutex<()>>,
}

impl Shared {
    fn rows(&self) -> Result<Rows, StoreError> {
        Ok(Rows::new(self.file.begin_read().map_err(failed)?))
    }
}

impl RedbStore {
    /// Opens a file; one that is missing is made.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the file can't be opened, is none of redb's, or is open already, here or in another process.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = Database::create(path).map_err(failed)?;
        let write = file.begin_write().map_err(failed)?;
        for name in NAMES {
            write.open_table(definition(name)).map_err(failed)?;
        }
        write.commit().map_err(failed)?;
        Ok(Self { shared: Arc::new(Shared { file, turn: Arc::default() }), parking: None })
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedbStore(..)")
    }
}

/// Reads of a [`RedbStore`]: each sees what was committed last.
pub type RedbReader = View<Committed>;

/// A transaction of a [`RedbStore`]: it has the turn to write until it is committed or dropped.
pub type RedbTransaction = View<Turn>;

/// What the ports are implemented on: the reads on every view, the writes on a transaction's.
pub struct View<M>(M);

/// Where a view's rows come from.
pub trait Mode: Send {
    /// The rows as this view sees them now.
    fn rows(&self) -> Result<Rows, StoreError>;
}

/// What was committed last.
pub struct Committed(Arc<Shared>);

/// A transaction's own rows, and its turn.
pub struct Turn {
    rows: Rows,
    shared: Arc<Shared>,
    /// Where it goes on inside a parked transaction, that one has the turn.
    guard: Option<OwnedMutexGuard<()>>,
    parking: Option<Parking<RedbTransaction>>,
}

impl Mode for Committed {
    fn rows(&self) -> Result<Rows, StoreError> {
        self.0.rows()
    }
}

impl Mode for Turn {
    fn rows(&self) -> Result<Rows, StoreError> {
        Ok(self.rows.clone())
    }
}

impl<M: Mode> View<M> {
    pub(crate) fn rows(&self) -> Result<Rows, StoreError> {
        self.0.rows()
    }
}

impl View<Turn> {
    pub(crate) const fn rows_mut(&mut self) -> &mut Rows {
        &mut self.0.rows
    }
}

impl<M> fmt::Debug for View<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View(..)")
    }
}

impl Store for RedbStore {
    type Reader = RedbReader;
    type Transaction = RedbTransaction;

    fn reader(&self) -> Self::Reader {
        View(Committed(Arc::clone(&self.shared)))
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let (shared, parking) = (Arc::clone(&self.shared), self.parking.clone());
        if let Some(place) = &parking
            && let Some(parked) = place.take()
        {
            // A view of its own on what is parked: dropped, it leaves that as it was.
            let rows = parked.0.rows.clone();
            place.park(parked);
            return Ok(View(Turn { rows, shared, guard: None, parking }));
        }
        let guard = Arc::clone(&self.shared.turn).lock_owned().await;
        // With the turn, so that it sees what the one before has committed.
        Ok(View(Turn { rows: shared.rows()?, shared, guard: Some(guard), parking }))
    }

    fn parking(&self, parking: Parking<Self::Transaction>) -> Self {
        Self { shared: Arc::clone(&self.shared), parking: Some(parking) }
    }
}

impl Transaction for RedbTransaction {
    async fn commit(mut self) -> Result<(), StoreError> {
        let Some(parking) = self.0.parking.take() else {
            let Turn { rows, shared, guard, .. } = self.0;
            let write = shared.file.begin_write().map_err(failed)?;
            rows.apply(&write)?;
            write.commit().map_err(failed)?;
            drop(guard);
            return Ok(());
        };
        let outermost = match parking.take() {
            Some(View(parked)) => View(Turn { rows: self.0.rows, ..parked }),
            None => self,
        };
        parking.park(outermost);
        Ok(())
    }
}
