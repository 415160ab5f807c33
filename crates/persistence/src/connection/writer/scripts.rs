//! Scripts that wait are run as one transaction, one behind the other.
//!
//! A thread has the desk meanwhile, and a connection that needs no other: from one script to the next, and from one transaction to the next, nobody has
//! to be woken. Such a transaction needs no savepoints, by which SQLite would copy each page that it changes. Where a script fails, all are undone,
//! and each is run by itself.

use std::{
    collections::VecDeque,
    iter, mem,
    pin::pin,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use sea_orm::Statement;
use tokio::{
    sync::{OwnedMutexGuard, oneshot},
    time::{self, Instant},
};

use super::{BEGIN, Desk, Writer, told};
use crate::{
    connection::{Direct, StoredRow},
    error::of_direct,
};

/// How many scripts one transaction takes at the most. Who comes behind them waits for as long as they take, some ten milliseconds.
const MOST: usize = 32;

/// The scripts that wait.
#[derive(Default)]
pub(super) struct Scripts {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    scripts: VecDeque<Script>,
    /// Somebody is at it to run them.
    served: bool,
}

pub(super) struct Script {
    statement: Statement,
    /// Until when it is content to wait for its turn.
    until: Instant,
    tell: oneshot::Sender<sqlx::Result<Option<StoredRow>>>,
}

impl Scripts {
    /// Adds one, and says whether somebody is at it.
    fn add(&self, script: Script) -> bool {
        let mut waiting = self.lock();
        waiting.scripts.push_back(script);
        mem::replace(&mut waiting.served, true)
    }

    /// The first of those that wait. Where there is none, nobody is at it any more.
    fn take(&self) -> Vec<Script> {
        let mut waiting = self.lock();
        waiting.scripts.retain(|script| !script.tell.is_closed());
        let count = waiting.scripts.len().min(MOST);
        waiting.served = count > 0;
        waiting.scripts.drain(..count).collect()
    }

    /// Sends those away that have waited too long, and says until when the next one waits. Where there is none, nobody is at it any more.
    fn send_away(&self) -> Option<Instant> {
        let mut waiting = self.lock();
        let now = Instant::now();
        while let Some(script) = waiting.scripts.pop_front_if(|script| script.until <= now) {
            script.tell(Err(sqlx::Error::PoolTimedOut));
        }
        let next = waiting.scripts.front().map(|script| script.until);
        waiting.served = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    fn tell(self, outcome: sqlx::Result<Option<StoredRow>>) {
        // Who went away isn't told.
        self.tell.send(outcome).ok();
    }
}

/// Who runs the scripts that wait, as long as there are any.
struct Clerk {
    writer: Writer,
    /// There was nothing left to do.
    is_done: bool,
}

impl Clerk {
    /// Begins at once where nobody is at the desk.
    fn begin(self) {
        let desk = Arc::clone(&self.writer.desk).try_lock_owned().ok();
        match desk.filter(|desk| desk.group.is_none()) {
            Some(desk) => self.run(desk),
            None => self.wait(),
        }
    }

    /// Begins when it is their turn.
    fn wait(self) {
        let runtime = self.writer.runtime.clone();
        runtime.spawn(async move {
            match self.turn().await {
                Some(mut desk) => {
                    desk.end_group().await;
                    self.run(desk);
                }
                None => self.end(),
            }
        });
    }

    /// Waits for the desk, as long as there are scripts that do.
    async fn turn(&self) -> Option<OwnedMutexGuard<Desk>> {
        let mut desk = pin!(self.writer.desk());
        while let Some(until) = self.writer.scripts.send_away() {
            if let Ok(desk) = time::timeout_at(until, &mut desk).await {
                return Some(desk);
            }
        }
        None
    }

    fn run(self, desk: OwnedMutexGuard<Desk>) {
        let runtime = self.writer.runtime.clone();
        runtime.spawn_blocking(move || self.work(desk));
    }

    /// Runs what waits. Whoever waits for the desk has it between two transactions.
    fn work(self, mut desk: OwnedMutexGuard<Desk>) {
        loop {
            let scripts = self.writer.scripts.take();
            if scripts.is_empty() {
                return self.end();
            }
            desk.run_scripts(scripts);
            self.writer.fold_soon();
            if self.writer.queue.load(Ordering::Relaxed) > 0 {
                drop(desk);
                return self.wait();
            }
        }
    }

    fn end(mut self) {
        self.is_done = true;
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        // The runtime ends, and those that wait with it.
        if !self.is_done {
            *self.writer.scripts.lock() = Waiting::default();
        }
    }
}

impl Writer {
    /// Runs a script, whose row says that it wrote all that it was to write; without a row it has written nothing. Answers the row once it is
    /// committed.
    pub(crate) async fn script(&self, statement: Statement) -> sqlx::Result<Option<StoredRow>> {
        let (tell, told) = oneshot::channel();
        let is_served = self.scripts.add(Script { statement, until: Instant::now() + self.patience, tell });
        if !is_served {
            Clerk { writer: self.clone(), is_done: false }.begin();
        }
        told.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

/// Why a transaction of scripts was undone.
enum Undone {
    /// By one of them.
    ByScript(sqlx::Error),
    /// There was no transaction, or no commit of it.
    ByDatabase(sqlx::Error),
}

impl Desk {
    fn run_scripts(&mut self, mut scripts: Vec<Script>) {
        match self.together(&scripts) {
            Ok(rows) => iter::zip(scripts, rows).for_each(|(script, row)| script.tell(Ok(row))),
            Err(Undone::ByScript(_)) if scripts.len() > 1 => {
                for script in scripts {
                    let outcome = self.together(slice::from_ref(&script));
                    script.tell(outcome.map(|mut rows| rows.pop().flatten()).map_err(Undone::into_failure));
                }
            }
            Err(undone) => {
                let failure = undone.into_failure();
                let last = scripts.pop();
                scripts.into_iter().for_each(|script| script.tell(Err(told(&failure))));
                if let Some(last) = last {
                    last.tell(Err(failure));
                }
            }
        }
    }

    /// The rows of scripts, all of which are committed. Where that fails, none is.
    fn together(&mut self, scripts: &[Script]) -> Result<Vec<Option<StoredRow>>, Undone> {
        self.groups += 1;
        let direct = self.direct().map_err(Undone::ByDatabase)?;
        let rows = transaction(direct, scripts);
        let is_in_order = match &rows {
            Ok(_) => true,
            Err(Undone::ByScript(_)) => direct.undo().is_ok(),
            Err(Undone::ByDatabase(_)) => false,
        };
        if !is_in_order {
            self.direct = None;
        }
        rows
    }
}

impl Undone {
    fn into_failure(self) -> sqlx::Error {
        match self {
            Self::ByScript(failure) | Self::ByDatabase(failure) => failure,
        }
    }
}

/// A transaction of scripts, which is still under way where one of them failed.
fn transaction(direct: &Direct, scripts: &[Script]) -> Result<Vec<Option<StoredRow>>, Undone> {
    let by_database = |failure| Undone::ByDatabase(of_direct(failure));
    direct.run(BEGIN).map_err(by_database)?;
    let rows = scripts.iter().map(|script| direct.run_script(&script.statement)).collect::<rusqlite::Result<_>>();
    let rows = rows.map_err(|failure| Undone::ByScript(of_direct(failure)))?;
    direct.run("COMMIT").map_err(by_database)?;
    Ok(rows)
}
