use std::sync::Arc;

use sea_orm::{DbBackend, QueryResult, Statement};
use tokio::sync::Mutex;

use super::{Connection, Raw, pool::Lent, writer::Turn};

/// A transaction, or a part of one that can be undone by itself. Dropped without being committed, it leaves no trace.
pub struct OpenTransaction {
    lease: Arc<Mutex<Held>>,
    backend: DbBackend,
    /// How many are around it.
    depth: u8,
    committed: bool,
}

/// What a transaction has its connection by.
pub(crate) enum Lease {
    /// It is lent from a pool.
    Lent(Lent),
    /// It is SQLite's turn to write.
    Turn(Turn),
}

struct Held {
    lease: Option<Lease>,
    /// The outermost part that was dropped, and is to be undone before anything else runs.
    undo: Option<u8>,
}

/// Parts stand in each other: one in the transaction, and so on. No more are needed than a parked request, a use case and a statement.
const SAVEPOINTS: [[&str; 3]; 4] = [
    ["SAVEPOINT part_1", "RELEASE part_1", "ROLLBACK TO part_1; RELEASE part_1"],
    ["SAVEPOINT part_2", "RELEASE part_2", "ROLLBACK TO part_2; RELEASE part_2"],
    ["SAVEPOINT part_3", "RELEASE part_3", "ROLLBACK TO part_3; RELEASE part_3"],
    ["SAVEPOINT part_4", "RELEASE part_4", "ROLLBACK TO part_4; RELEASE part_4"],
];

impl Held {
    async fn raw(&mut self) -> sqlx::Result<&mut Raw> {
        let raw = match &mut self.lease {
            Some(Lease::Lent(lent)) => lent.raw(),
            Some(Lease::Turn(turn)) => turn.raw()?,
            None => return Err(sqlx::Error::PoolClosed),
        };
        if let Some(depth) = self.undo {
            let [_, _, undo] = savepoint(depth)?;
            raw.run(undo).await?;
            self.undo = None;
        }
        Ok(raw)
    }
}

impl Held {
    /// Notes how a statement ended, for who gets the connection next.
    fn note<T>(&mut self, answer: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Some(Lease::Lent(lent)) = &mut self.lease {
            lent.note(&answer);
        }
        answer
    }
}

fn savepoint(depth: u8) -> sqlx::Result<[&'static str; 3]> {
    let place = usize::from(depth).checked_sub(1).and_then(|place| SAVEPOINTS.get(place));
    place.copied().ok_or(sqlx::Error::InvalidSavePointStatement)
}

impl OpenTransaction {
    pub(crate) fn outermost(backend: DbBackend, lease: Lease) -> Self {
        Self { lease: Arc::new(Mutex::new(Held { lease: Some(lease), undo: None })), backend, depth: 0, committed: false }
    }

    /// Begins a part of this one. Until it ends, nothing else runs.
    pub(crate) async fn part(&self) -> sqlx::Result<Self> {
        let depth = self.depth + 1;
        let [begin, ..] = savepoint(depth)?;
        // Made first: where this is interrupted, what it may have begun is undone.
        let part = Self { lease: Arc::clone(&self.lease), backend: self.backend, depth, committed: false };
        part.lease.lock().await.raw().await?.run(begin).await?;
        Ok(part)
    }

    /// Sends rows to PostgreSQL by its COPY, which reads some while the next are made.
    pub(crate) async fn copy_in(&mut self, copy: &'static str, rows: impl Iterator<Item = Vec<u8>>) -> sqlx::Result<u64> {
        self.lease.lock().await.raw().await?.copy_in(copy, rows).await
    }

    /// Makes it last, or a part of what is around it.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        let mut held = self.lease.lock().await;
        if self.depth > 0 {
            let [_, release, _] = savepoint(self.depth)?;
            held.raw().await?.run(release).await?;
            drop(held);
            self.committed = true;
            return Ok(());
        }
        held.raw().await?;
        match held.lease.take() {
            Some(Lease::Lent(mut lent)) => {
                let committed = lent.raw().run("COMMIT").await;
                lent.note(&committed);
                if committed.is_ok() {
                    lent.done();
                }
                committed
            }
            Some(Lease::Turn(turn)) => turn.commit().await,
            None => Err(sqlx::Error::PoolClosed),
        }
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        // The outermost one's lease ends with it.
        if self.depth == 0 || self.committed {
            return;
        }
        // Nobody else runs anything meanwhile.
        if let Ok(mut held) = self.lease.try_lock() {
            held.undo = Some(held.undo.map_or(self.depth, |depth| depth.min(self.depth)));
        }
    }
}

impl Connection for OpenTransaction {
    fn backend(&self) -> DbBackend {
        self.backend
    }

    async fn fetch_one(&mut self, statement: Statement) -> sqlx::Result<Option<QueryResult>> {
        let mut held = self.lease.lock().await;
        let answer = held.raw().await?.fetch_one(&statement).await;
        held.note(answer)
    }

    async fn fetch_all(&mut self, statement: Statement) -> sqlx::Result<Vec<QueryResult>> {
        let mut held = self.lease.lock().await;
        let answer = held.raw().await?.fetch_all(&statement).await;
        held.note(answer)
    }

    async fn execute(&mut self, statement: Statement) -> sqlx::Result<u64> {
        let mut held = self.lease.lock().await;
        let answer = held.raw().await?.execute(&statement).await;
        held.note(answer)
    }
}
