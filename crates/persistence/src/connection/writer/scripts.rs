//! Scripts that wait are run as one transaction, one behind the other.
//!
//! Several scripts of the same text go to the driver's thread at once: between two of them nobody has to be woken. Such a transaction needs no
//! savepoints, by which SQLite would copy each page that it changes. Where a script fails, all are undone, and each is run by itself.

use std::{
    collections::VecDeque,
    iter, mem,
    pin::pin,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sea_orm::{QueryResult, Statement};
use tokio::{
    sync::{OwnedMutexGuard, oneshot},
    time::{self, Instant},
};

use super::{BEGIN, Desk, Writer, told};
use crate::connection::Raw;

/// How many scripts one transaction takes at the most. Who comes behind them waits for as long as they take, some ten milliseconds.
const MOST: usize = 32;

/// How many scripts go to the driver's thread at once. As many texts it keeps prepared of each script, so there are few.
const AT_ONCE: [usize; 4] = [8, 4, 2, 1];

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
    tell: oneshot::Sender<sqlx::Result<Option<QueryResult>>>,
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
    fn tell(self, outcome: sqlx::Result<Option<QueryResult>>) {
        // Who went away isn't told.
        self.tell.send(outcome).ok();
    }
}

/// Who runs the scripts.
struct Clerk {
    writer: Writer,
    /// There was nothing left to do.
    is_done: bool,
}

impl Clerk {
    async fn work(mut self) {
        while let Some(mut desk) = self.turn().await {
            let scripts = self.writer.scripts.take();
            if scripts.is_empty() {
                break;
            }
            desk.run_scripts(scripts).await;
            self.writer.fold_soon();
        }
        self.is_done = true;
    }

    /// Waits for the next turn, as long as there are scripts that do.
    async fn turn(&self) -> Option<OwnedMutexGuard<Desk>> {
        let mut desk = pin!(Arc::clone(&self.writer.desk).lock_owned());
        while let Some(until) = self.writer.scripts.send_away() {
            if let Ok(desk) = time::timeout_at(until, &mut desk).await {
                return Some(desk);
            }
        }
        None
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
    pub(crate) async fn script(&self, statement: Statement) -> sqlx::Result<Option<QueryResult>> {
        let (tell, told) = oneshot::channel();
        let is_served = self.scripts.add(Script { statement, until: Instant::now() + self.patience, tell });
        if !is_served {
            self.runtime.spawn(Clerk { writer: self.clone(), is_done: false }.work());
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
    async fn run_scripts(&mut self, mut scripts: Vec<Script>) {
        self.end_group().await;
        // Those of the same text beside each other.
        scripts.sort_by(|one, other| one.statement.sql.cmp(&other.statement.sql));
        match self.together(&scripts).await {
            Ok(rows) => iter::zip(scripts, rows).for_each(|(script, row)| script.tell(Ok(row))),
            Err(Undone::ByScript(_)) if scripts.len() > 1 => {
                for script in scripts {
                    let outcome = self.together(slice::from_ref(&script)).await;
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
    async fn together(&mut self, scripts: &[Script]) -> Result<Vec<Option<QueryResult>>, Undone> {
        self.groups += 1;
        let raw = self.open().await.map_err(Undone::ByDatabase)?;
        let rows = transaction(raw, scripts).await;
        let is_in_order = match &rows {
            Ok(_) => true,
            // SQLite undoes some transactions by itself: then there is none.
            Err(Undone::ByScript(_)) => raw.run("ROLLBACK").await.is_ok(),
            Err(Undone::ByDatabase(_)) => false,
        };
        if !is_in_order {
            self.raw = None;
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
async fn transaction(raw: &mut Raw, scripts: &[Script]) -> Result<Vec<Option<QueryResult>>, Undone> {
    raw.run(BEGIN).await.map_err(Undone::ByDatabase)?;
    let mut rows = Vec::with_capacity(scripts.len());
    for mut same in scripts.chunk_by(|one, other| one.statement.sql == other.statement.sql) {
        for count in AT_ONCE {
            while let Some((some, others)) = same.split_at_checked(count) {
                let some: Vec<_> = some.iter().map(|script| &script.statement).collect();
                rows.extend(raw.run_scripts(&some).await.map_err(Undone::ByScript)?);
                same = others;
            }
        }
    }
    raw.run("COMMIT").await.map_err(Undone::ByDatabase)?;
    Ok(rows)
}
