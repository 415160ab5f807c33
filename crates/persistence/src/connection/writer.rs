//! SQLite's one writer. Those who wait for their turn are committed together.
//!
//! A commit costs a write to the disk that lasts, which is most of what a small transaction takes. So a turn ends with a savepoint, and
//! what commits is a group: the turns that waited when the first of them ended, one behind the other, each seeing those before it. Nobody
//! is told that his turn is committed before the group is, and where that fails, all are told.
//!
//! A turn may be of any size. What is known to be small, and known as a whole, is a script, and scripts have transactions of their own.

mod folding;
mod scripts;

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::DbBackend;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::{
    runtime::Handle as RuntimeHandle,
    sync::{Mutex, OwnedMutexGuard, oneshot},
    time,
};

use self::{folding::Folder, scripts::Scripts};
use super::{Direct, DirectSource, OpenTransaction, Raw, Source, transaction::Lease};
use crate::error::of_direct;

/// A group that is as old as this takes no more turns: who ended the first one has waited long enough.
const LONGEST: Duration = Duration::from_millis(10);

/// A deferred transaction asks for its turn to write at its first write, and fails where another process came between.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// Gives turns to write, one after the other.
#[derive(Clone)]
pub(crate) struct Writer {
    scripts: Arc<Scripts>,
    folder: Arc<Folder>,
    // Fair: who comes first is served first, which is what bounds a group.
    desk: Arc<Mutex<Desk>>,
    /// How many wait for the desk.
    queue: Arc<AtomicUsize>,
    patience: Duration,
    runtime: RuntimeHandle,
}

struct Desk {
    source: Source,
    /// What turns are written by.
    raw: Option<Raw>,
    direct_source: DirectSource,
    /// What scripts are written by.
    direct: Option<Direct>,
    group: Option<Group>,
    /// How many transactions there were, of turns and of scripts.
    groups: u64,
    closed: bool,
}

/// A transaction of several turns, which is under way.
struct Group {
    number: u64,
    /// Those whose turn has ended, and who wait for the commit.
    ended: Vec<oneshot::Sender<Committed>>,
    since: Option<Instant>,
}

type Committed = Result<(), Arc<sqlx::Error>>;

impl Writer {
    /// A writer, whose connection is opened at its first turn. Call it inside the runtime that is to look after its groups.
    pub(crate) fn new(options: SqliteConnectOptions, direct_source: DirectSource, patience: Duration) -> Self {
        let source = Source::Sqlite(options);
        let folder = Arc::new(Folder::new(source.clone()));
        let desk = Desk { source, raw: None, direct_source, direct: None, group: None, groups: 0, closed: false };
        let desk = Arc::new(Mutex::new(desk));
        Self { scripts: Arc::default(), folder, desk, queue: Arc::default(), patience, runtime: RuntimeHandle::current() }
    }

    /// Waits for the desk.
    async fn desk(&self) -> OwnedMutexGuard<Desk> {
        self.queue.fetch_add(1, Ordering::Relaxed);
        let _left = Left(&self.queue);
        Arc::clone(&self.desk).lock_owned().await
    }

    /// Waits for a turn.
    async fn turn(&self) -> sqlx::Result<Turn> {
        let desk = time::timeout(self.patience, self.desk()).await;
        let desk = desk.map_err(|_| sqlx::Error::PoolTimedOut)?;
        Ok(Turn { desk: Some(desk), writer: self.clone(), stage: Stage::Beginning })
    }

    /// Waits for a turn, and begins it.
    pub(crate) async fn begin(&self) -> sqlx::Result<OpenTransaction> {
        let mut turn = self.turn().await?;
        turn.desk_mut()?.begin_turn().await?;
        turn.stage = Stage::Writing;
        Ok(OpenTransaction::outermost(DbBackend::Sqlite, Lease::Turn(turn)))
    }

    /// Whether the writer's connection is open, and whether nobody uses it.
    pub(crate) fn figures(&self) -> [bool; 2] {
        match self.desk.try_lock() {
            Ok(desk) => [desk.raw.is_some() || desk.direct.is_some(); 2],
            Err(_) => [true, false],
        }
    }

    /// Ends the group that is under way, and closes the connection.
    pub(crate) async fn close(&self) {
        self.folder.close().await;
        let mut desk = self.desk().await;
        desk.end_group().await;
        desk.closed = true;
        desk.direct = None;
        if let Some(raw) = desk.raw.take() {
            raw.close().await;
        }
    }
}

/// Who leaves the queue for the desk, with it or without.
struct Left<'q>(&'q AtomicUsize);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    /// Begins a turn of the group that is under way, or of a new one.
    async fn begin_turn(&mut self) -> sqlx::Result<()> {
        if self.group.as_ref().and_then(|group| group.since).is_some_and(|since| since.elapsed() >= LONGEST) {
            self.end_group().await;
        }
        if self.group.is_none() {
            self.open().await?;
            self.groups += 1;
            self.group = Some(Group { number: self.groups, ended: Vec::new(), since: None });
            self.open().await?.run(BEGIN).await?;
        }
        self.open().await?.run("SAVEPOINT turn").await
    }

    /// The connection, which is opened if it isn't.
    async fn open(&mut self) -> sqlx::Result<&mut Raw> {
        if self.closed {
            return Err(sqlx::Error::PoolClosed);
        }
        match &mut self.raw {
            Some(raw) => Ok(raw),
            none => Ok(none.insert(Raw::open(&self.source).await?)),
        }
    }

    /// The connection for scripts, which is opened if it isn't.
    fn direct(&mut self) -> sqlx::Result<&Direct> {
        if self.closed {
            return Err(sqlx::Error::PoolClosed);
        }
        match &mut self.direct {
            Some(direct) => Ok(direct),
            none => Ok(none.insert(self.direct_source.open().map_err(of_direct)?)),
        }
    }

    /// Commits the group that is under way, and tells those who wait for it.
    async fn end_group(&mut self) {
        let (Some(group), Some(raw)) = (self.group.take(), &mut self.raw) else { return };
        let committed = raw.run("COMMIT").await.map_err(Arc::new);
        if committed.is_err() {
            self.raw = None;
        }
        group.tell(&committed);
    }

    /// Gives the group up, and the connection with it.
    fn break_group(&mut self, failure: sqlx::Error) {
        self.raw = None;
        if let Some(group) = self.group.take() {
            group.tell(&Err(Arc::new(failure)));
        }
    }
}

impl Group {
    fn tell(self, committed: &Committed) {
        for ended in self.ended {
            // Who went away isn't told.
            ended.send(committed.clone()).ok();
        }
    }
}

/// A turn to write.
pub(crate) struct Turn {
    desk: Option<OwnedMutexGuard<Desk>>,
    writer: Writer,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The savepoint may be there.
    Beginning,
    /// It is there.
    Writing,
    /// It may be gone already.
    Ending,
    /// It is gone.
    Ended,
}

impl Turn {
    pub(crate) fn raw(&mut self) -> sqlx::Result<&mut Raw> {
        self.desk_mut()?.raw.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    fn desk_mut(&mut self) -> sqlx::Result<&mut Desk> {
        self.desk.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Ends the turn, and waits until its group is committed.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        self.stage = Stage::Ending;
        self.raw()?.run("RELEASE turn").await?;
        self.ended().await
    }

    /// Waits until the group of a turn that has ended is committed.
    async fn ended(mut self) -> sqlx::Result<()> {
        let committed = self.end()?;
        drop(self);
        match committed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(told(&failure)),
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        }
    }

    /// Notes that the turn has ended; the first of a group sees to it that the group ends, behind those who wait now.
    fn end(&mut self) -> sqlx::Result<oneshot::Receiver<Committed>> {
        let (tell, committed) = oneshot::channel();
        let group = self.desk_mut()?.group.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        group.ended.push(tell);
        let (number, first) = (group.number, group.since.is_none());
        group.since.get_or_insert_with(Instant::now);
        self.stage = Stage::Ended;
        if first {
            let writer = self.writer.clone();
            self.writer.runtime.spawn(async move {
                let mut desk = writer.desk().await;
                if desk.group.as_ref().is_some_and(|group| group.number == number) {
                    desk.end_group().await;
                }
                writer.fold_soon();
            });
        }
        Ok(committed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let stage = mem::replace(&mut self.stage, Stage::Ended);
        let Some(mut desk) = self.desk.take() else { return };
        if stage == Stage::Ended || desk.raw.is_none() {
            return;
        }
        // Its user is gone, by an error or with his client. Nobody has the next turn before this one is undone.
        self.writer.runtime.spawn(async move {
            let Some(raw) = &mut desk.raw else { return };
            let undone = raw.run("ROLLBACK TO turn; RELEASE turn").await;
            let Some(group) = &desk.group else { return };
            match undone {
                // Others have ended their turns before, and the group's end is on its way.
                Ok(()) if group.since.is_some() => {}
                // There is nothing in it, or what was being committed when its user went away.
                Ok(()) => desk.end_group().await,
                Err(_) if stage == Stage::Ending => desk.end_group().await,
                Err(failure) => desk.break_group(failure),
            }
        });
    }
}

/// The failure of a group's commit, for one of those who are told.
fn told(failure: &sqlx::Error) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(crate::error::Cause::of_driver(failure)))
}

#[cfg(test)]
mod tests;
