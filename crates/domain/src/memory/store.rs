use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use futures_util::lock::{Mutex, OwnedMutexGuard};

use super::tables::Tables;
use crate::{
    StoreError,
    ports::{Parking, Store, Transaction},
};

/// A store in memory. Its clones are handles to the same store; see the [module](super) for what it is good for, and for an
/// example.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    parking: Option<Parking<MemoryTransaction>>,
}

/// Reads of a [`MemoryStore`]: each sees what was committed last. It has all of [`Reader`](crate::ports::Reader).
pub type MemoryReader = View<Committed>;

/// A transaction of a [`MemoryStore`]: all of [`Transaction`].
///
/// While it lives no other begins: transactions take turns, and it has the turn until it is committed or dropped.
pub type MemoryTransaction = View<Turn>;

#[derive(Default)]
struct Shared {
    committed: RwLock<Arc<Tables>>,
    turn: Arc<Mutex<()>>,
}

impl Shared {
    fn committed(&self) -> Arc<Tables> {
        Arc::clone(&self.committed.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore(..)")
    }
}

/// What the ports are implemented on: the reads on every view, the writes on a transaction's.
pub struct View<M>(M);

/// Where a view's tables come from.
pub trait Mode: Send {
    /// The tables as this view sees them now.
    fn tables(&self) -> Arc<Tables>;
}

/// The tables that were committed last.
pub struct Committed(Arc<Shared>);

/// A transaction's own tables, and its turn.
pub struct Turn {
    tables: Arc<Tables>,
    shared: Arc<Shared>,
    /// Where it goes on inside a parked transaction, that one has the turn.
    guard: Option<OwnedMutexGuard<()>>,
    parking: Option<Parking<MemoryTransaction>>,
}

impl Mode for Committed {
    fn tables(&self) -> Arc<Tables> {
        self.0.committed()
    }
}

impl Mode for Turn {
    fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables)
    }
}

impl<M: Mode> View<M> {
    /// The tables as they are now.
    pub(super) fn tables(&self) -> Arc<Tables> {
        self.0.tables()
    }
}

impl View<Turn> {
    /// The transaction's tables, to be written to.
    pub(super) fn tables_mut(&mut self) -> &mut Tables {
        Arc::make_mut(&mut self.0.tables)
    }
}

impl<M> fmt::Debug for View<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View(..)")
    }
}

impl Store for MemoryStore {
    type Reader = MemoryReader;
    type Transaction = MemoryTransaction;

    fn reader(&self) -> Self::Reader {
        View(Committed(Arc::clone(&self.shared)))
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let (shared, parking) = (Arc::clone(&self.shared), self.parking.clone());
        if let Some(parking) = &self.parking
            && let Some(parked) = parking.take()
        {
            let tables = parked.tables();
            parking.park(parked);
            return Ok(View(Turn { tables, shared, guard: None, parking: Some(parking.clone()) }));
        }
        let guard = Arc::clone(&self.shared.turn).lock_owned().await;
        Ok(View(Turn { tables: self.shared.committed(), shared, guard: Some(guard), parking }))
    }

    fn parking(&self, parking: Parking<Self::Transaction>) -> Self {
        Self { shared: Arc::clone(&self.shared), parking: Some(parking) }
    }
}

impl Transaction for MemoryTransaction {
    async fn commit(mut self) -> Result<(), StoreError> {
        let Some(parking) = self.0.parking.take() else {
            let Turn { tables, shared, guard, .. } = self.0;
            *shared.committed.write().unwrap_or_else(PoisonError::into_inner) = tables;
            drop(guard);
            return Ok(());
        };
        let outermost = match parking.take() {
            Some(View(parked)) => View(Turn { tables: self.0.tables, ..parked }),
            None => self,
        };
        parking.park(outermost);
        Ok(())
    }
}
