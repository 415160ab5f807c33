//! SQLite's one writer. Those who wait for their turn are committed together.
//!
//! A commit costs a write to the disk that lasts, which is most of what a small transaction takes. So a turn ends with a savepoint, and
//! what commits is a group: the turns that waited when the first of them ended, one behind the other, each seeing those before it. Nobody
//! is told that his turn is committed before the group is, and where that fails, all are told.
//!
//! So that a turn can be undone, SQLite keeps a copy of each page that it changes. A script changes a few dozen, and its copies are kept in
//! memory: in a file, as SQLite has it from sixteen pages on, they are a quarter of an activation. What another turn will change nobody
//! knows: it may delete a tenant with a million codes, and its copies stay in a file.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{DbBackend, QueryResult, Statement};
use sqlx::sqlite::SqliteConnectOptions;
use tokio::{
    runtime::Handle as RuntimeHandle,
    sync::{Mutex, OwnedMutexGuard, oneshot},
    time,
};

use super::{OpenTransaction, Raw, Source, transaction::Lease};

/// A group that is as old as this takes no more turns: who ended the first one has waited long enough.
const LONGEST: Duration = Duration::from_millis(10);

/// Gives turns to write, one after the other.
#[derive(Clone)]
pub(crate) struct Writer {
    // Fair: who comes first is served first, which is what bounds a group.
    desk: Arc<Mutex<Desk>>,
    patience: Duration,
    runtime: RuntimeHandle,
}

struct Desk {
    source: Source,
    raw: Option<Raw>,
    copies: Copies,
    group: Option<Group>,
    /// How many groups there were.
    groups: u64,
    closed: bool,
}

/// Where the copies of changed pages are, by which a turn of a group can be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// In a file, apart from the first few: for turns of any size, and what a connection begins with.
    InFile,
    /// In memory: for turns that are known to be small.
    InMemory,
}

impl Copies {
    const fn setting(self) -> &'static str {
        match self {
            Self::InFile => "PRAGMA temp_store = DEFAULT",
            Self::InMemory => "PRAGMA temp_store = MEMORY",
        }
    }
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
    pub(crate) fn new(options: SqliteConnectOptions, patience: Duration) -> Self {
        let source = Source::Sqlite(options);
        let desk = Desk { source, raw: None, copies: Copies::InFile, group: None, groups: 0, closed: false };
        Self { desk: Arc::new(Mutex::new(desk)), patience, runtime: RuntimeHandle::current() }
    }

    /// Waits for a turn.
    async fn turn(&self) -> sqlx::Result<Turn> {
        let desk = time::timeout(self.patience, Arc::clone(&self.desk).lock_owned()).await;
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

    /// A turn that is one script, whose row says that it wrote all that it was to write; without a row it has written nothing. Answers the row once
    /// it is committed. The script goes to the driver's thread and back once, and keeps the others waiting for no longer.
    pub(crate) async fn script(&self, mut script: Statement) -> sqlx::Result<Option<QueryResult>> {
        let mut turn = self.turn().await?;
        turn.desk_mut()?.begin_group(Copies::InMemory).await?;
        turn.stage = Stage::Ending;
        script.sql = format!("SAVEPOINT turn; {}; RELEASE turn", script.sql);
        let row = turn.raw()?.fetch_all(&script).await?.pop();
        let Some(row) = row else {
            turn.end_without_a_trace().await;
            return Ok(None);
        };
        turn.ended().await?;
        Ok(Some(row))
    }

    /// Whether the writer's connection is open, and whether nobody uses it.
    pub(crate) fn figures(&self) -> [bool; 2] {
        match self.desk.try_lock() {
            Ok(desk) => [desk.raw.is_some(), desk.raw.is_some()],
            Err(_) => [true, false],
        }
    }

    /// Ends the group that is under way, and closes the connection.
    pub(crate) async fn close(&self) {
        let mut desk = self.desk.lock().await;
        desk.end_group().await;
        desk.closed = true;
        if let Some(raw) = desk.raw.take() {
            raw.close().await;
        }
    }
}

impl Desk {
    async fn begin_turn(&mut self) -> sqlx::Result<()> {
        self.begin_group(Copies::InFile).await?.run("SAVEPOINT turn").await
    }

    /// Sees to it that a group is under way whose copies are where the turn may have them: a small one joins any.
    async fn begin_group(&mut self, copies: Copies) -> sqlx::Result<&mut Raw> {
        if self.closed {
            return Err(sqlx::Error::PoolClosed);
        }
        let is_old = self.group.as_ref().and_then(|group| group.since).is_some_and(|since| since.elapsed() >= LONGEST);
        if is_old || (copies, self.copies) == (Copies::InFile, Copies::InMemory) {
            self.end_group().await;
        }
        let raw = match &mut self.raw {
            Some(raw) => raw,
            none => {
                self.copies = Copies::InFile;
                none.insert(Raw::open(&self.source).await?)
            }
        };
        if self.group.is_none() {
            if self.copies != copies {
                raw.set(copies.setting()).await?;
                self.copies = copies;
            }
            self.groups += 1;
            self.group = Some(Group { number: self.groups, ended: Vec::new(), since: None });
            // A deferred transaction asks for its turn to write at its first write, and fails where another process came between.
            raw.run("BEGIN IMMEDIATE").await?;
        }
        Ok(raw)
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

    /// Leaves a turn in which nothing was written.
    async fn end_without_a_trace(mut self) {
        if let Ok(desk) = self.desk_mut()
            && desk.group.as_ref().is_some_and(|group| group.since.is_none())
        {
            desk.end_group().await;
        }
        self.stage = Stage::Ended;
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
            let desk = Arc::clone(&self.writer.desk);
            self.writer.runtime.spawn(async move {
                let mut desk = desk.lock_owned().await;
                if desk.group.as_ref().is_some_and(|group| group.number == number) {
                    desk.end_group().await;
                }
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
