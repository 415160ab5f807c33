use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use futures_util::lock::{Mutex, OwnedMutexGuard};

use super::tables::Tables;
use crate::{
    StoreError,
    ports::{Store, Transaction},
};

/// A store in memory. Its clones are handles to the same store; see the [module](super) for what it is good for.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

/// Reads of a [`MemoryStore`]: each sees what was committed last.
pub type MemoryReader = View<Committed>;

/// A transaction of a [`MemoryStore`]: it holds the turn to write until it is committed or dropped.
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
    _guard: OwnedMutexGuard<()>,
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
        View(Committed(Arc::clone(&self.0)))
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let guard = Arc::clone(&self.0.turn).lock_owned().await;
        Ok(View(Turn { tables: self.0.committed(), shared: Arc::clone(&self.0), _guard: guard }))
    }
}

impl Transaction for MemoryTransaction {
    async fn commit(self) -> Result<(), StoreError> {
        let Turn { tables, shared, _guard } = self.0;
        *shared.committed.write().unwrap_or_else(PoisonError::into_inner) = tables;
        Ok(())
    }
}
