use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use sea_orm::{DbBackend, QueryResult, Statement};
use tokio::{
    runtime::{Handle as RuntimeHandle, Id as RuntimeId},
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::{Connection, DirectReaders, Gathering, OpenTransaction, Raw, Source, transaction::Lease};
use crate::{error::is_lost, session_pages::SessionPages};

/// After this long a connection is pinged before it is used, so that a restart of the server in a quiet hour costs nobody a
/// request. Busy connections aren't: a ping is a third of a look-up.
const PING_AFTER_IDLE: Duration = Duration::from_secs(5);

/// How long a ping may take. A machine that is gone answers nothing, not even that it is gone.
const PING_PATIENCE: Duration = Duration::from_secs(1);

/// How long a connection that was left in the middle is put in order before it is thrown away: it takes the place of another meanwhile.
const UNDO_PATIENCE: Duration = Duration::from_secs(5);

/// Connections that are lent out, each to one user at a time.
///
/// A socket belongs to the runtime that opened it, and whoever waits for it elsewhere is woken across threads, twice for each statement. Each
/// web worker is a runtime of its own, so it is lent the connections that it opened, and others only when there may be no more.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    patience: Duration,
    runtime: RuntimeHandle,
}

struct Shared {
    source: Source,
    most: usize,
    /// One for each connection that may be in use. Fair: who comes first is served first.
    permits: Arc<Semaphore>,
    shelf: Mutex<Shelf>,
}

/// Those that nobody uses; the last was used last, and is what the processor's caches know, on both ends.
struct Shelf {
    idle: Vec<Kept>,
    /// With those in use.
    open: usize,
}

/// An open connection.
struct Kept {
    raw: Raw,
    home: Home,
    used: Instant,
    state: State,
}

/// The runtime that a socket belongs to, and whether the thread that opened it is still there: a worker's ends with its runtime.
struct Home {
    runtime: Option<RuntimeId>,
    thread: Weak<()>,
}

thread_local! {
    static THREAD: Arc<()> = Arc::default();
}

/// What a connection is left in by who used it last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is under way: it is fit for its next user.
    Clean,
    /// A statement may be under way.
    Busy,
    /// A transaction may be, too.
    InTransaction,
    /// It is of no use to anybody.
    Lost,
}

impl Shared {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that is done with it can stop halfway.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the connections that nobody uses: where one was lost, they were too.
    fn forget_idle(&self) {
        let mut shelf = self.shelf();
        shelf.open -= shelf.idle.len();
        shelf.idle.clear();
    }

    /// The runtime that a socket would belong to. SQLite's connections have threads of their own, and are at home anywhere.
    fn here(&self) -> Option<RuntimeId> {
        match self.source.backend() {
            DbBackend::Postgres => RuntimeHandle::try_current().ok().map(|runtime| runtime.id()),
            _ => None,
        }
    }

    /// An idle connection for a user here, or the place for a new one.
    fn choose(self: &Arc<Self>) -> Result<Kept, Place> {
        let here = self.here();
        let mut shelf = self.shelf();
        let at_home = shelf.idle.iter().rposition(|kept| kept.home.runtime == here);
        let chosen = at_home.or_else(|| (shelf.open >= self.most).then(|| shelf.idle.len().checked_sub(1)).flatten());
        if let Some(chosen) = chosen {
            return Ok(shelf.idle.remove(chosen));
        }
        shelf.open += 1;
        Err(Place(Arc::clone(self)))
    }
}

/// The place of a connection among those that are open. It is free again when this is dropped.
struct Place(Arc<Shared>);

impl Place {
    async fn open(&self) -> sqlx::Result<Kept> {
        let raw = Raw::open(&self.0.source).await?;
        let home = Home { runtime: self.0.here(), thread: THREAD.with(Arc::downgrade) };
        Ok(Kept { raw, home, used: Instant::now(), state: State::Clean })
    }
}

impl Place {
    /// Puts a connection on the shelf, where it keeps its place.
    fn give_back(self, kept: Kept) {
        let mut shelf = self.0.shelf();
        // The place is given up below.
        shelf.open += 1;
        shelf.idle.push(kept);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.shelf().open -= 1;
    }
}

impl Pool {
    /// A pool that is empty as yet. Call it inside the runtime that is to look after its connections.
    pub(crate) fn new(source: Source, most: usize, patience: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(most));
        let shelf = Mutex::new(Shelf { idle: Vec::new(), open: 0 });
        Self { shared: Arc::new(Shared { source, most, permits, shelf }), patience, runtime: RuntimeHandle::current() }
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.shared.source.backend()
    }

    pub(crate) async fn lend(&self) -> sqlx::Result<Lent> {
        let lent = time::timeout(self.patience, self.lend_in_time()).await;
        lent.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn lend_in_time(&self) -> sqlx::Result<Lent> {
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        loop {
            let (place, kept) = match self.shared.choose() {
                Err(place) => {
                    let kept = place.open().await?;
                    (place, kept)
                }
                Ok(mut kept) => {
                    let place = Place(Arc::clone(&self.shared));
                    if !kept.is_fit().await {
                        if kept.state == State::Lost {
                            self.shared.forget_idle();
                        }
                        continue;
                    }
                    (place, kept)
                }
            };
            return Ok(Lent { kept: Some(kept), place: Some(place), permit: Some(permit), runtime: self.runtime.clone() });
        }
    }

    /// The row of a statement that writes. Where the connection is lost it isn't asked again: it may have been carried out.
    pub(crate) async fn write(&self, statement: &Statement) -> sqlx::Result<Option<QueryResult>> {
        let mut lent = self.lend().await?;
        let row = lent.raw().fetch_one(statement).await;
        lent.ended(&row);
        row
    }

    /// Begins a transaction by a statement.
    pub(crate) async fn begin(&self, begin: &'static str) -> sqlx::Result<OpenTransaction> {
        let begun = self.begin_once(begin).await;
        match &begun {
            // Nothing has happened yet.
            Err(failure) if is_lost(failure) => {
                self.shared.forget_idle();
                self.begin_once(begin).await
            }
            _ => begun,
        }
    }

    async fn begin_once(&self, begin: &'static str) -> sqlx::Result<OpenTransaction> {
        let mut lent = self.lend().await?;
        lent.begin(begin).await?;
        Ok(OpenTransaction::outermost(self.backend(), Lease::Lent(lent)))
    }

    /// How many connections there can be, are open, and are open without a user.
    pub(crate) fn figures(&self) -> [usize; 3] {
        let shelf = self.shared.shelf();
        [self.shared.most, shelf.open, shelf.idle.len()]
    }

    /// Closes all connections, once their users give them back.
    pub(crate) async fn close(&self) {
        let all = u32::try_from(self.shared.most).unwrap_or(u32::MAX);
        let given_back = time::timeout(self.patience, self.shared.permits.acquire_many(all)).await;
        self.shared.permits.close();
        drop(given_back);
        let idle = {
            let mut shelf = self.shared.shelf();
            shelf.open -= shelf.idle.len();
            std::mem::take(&mut shelf.idle)
        };
        for kept in idle {
            kept.raw.close().await;
        }
    }
}

impl Kept {
    /// Whether it can be lent: its socket is looked after, and the other end was there a moment ago, or is now.
    async fn is_fit(&mut self) -> bool {
        let looked_after = self.home.runtime.is_none() || self.home.thread.strong_count() > 0;
        if !looked_after || self.used.elapsed() < PING_AFTER_IDLE {
            return looked_after;
        }
        let answered = time::timeout(PING_PATIENCE, self.raw.ping()).await.is_ok_and(|answer| answer.is_ok());
        if !answered {
            self.state = State::Lost;
        }
        answered
    }
}

/// A connection that is lent out. It goes back when it is dropped; where that is in the middle of something, once that is undone.
pub(crate) struct Lent {
    kept: Option<Kept>,
    place: Option<Place>,
    permit: Option<OwnedSemaphorePermit>,
    runtime: RuntimeHandle,
}

impl Lent {
    /// The connection, for something that may be interrupted until [`done`](Self::done) is called.
    pub(crate) fn raw(&mut self) -> &mut Raw {
        let kept = self.kept();
        if kept.state == State::Clean {
            kept.state = State::Busy;
        }
        &mut kept.raw
    }

    /// Runs what begins a transaction.
    pub(crate) async fn begin(&mut self, begin: &'static str) -> sqlx::Result<()> {
        let kept = self.kept();
        kept.state = State::InTransaction;
        let begun = kept.raw.run(begin).await;
        self.note(&begun);
        begun
    }

    /// Says that nothing is under way any more.
    pub(crate) fn done(mut self) {
        let kept = self.kept();
        kept.state = State::Clean;
        kept.used = Instant::now();
    }

    /// Gives the connection back after a statement of its own, or throws it away where that says that it is lost.
    fn ended<T>(mut self, answer: &sqlx::Result<T>) {
        self.note(answer);
        if self.kept().state != State::Lost {
            self.done();
        }
    }

    /// Notes how a statement ended. Where the connection is lost, it goes when it is given back, and those that nobody uses go now: they lead
    /// to the same server.
    pub(crate) fn note<T>(&mut self, answer: &sqlx::Result<T>) {
        if answer.as_ref().is_err_and(is_lost) {
            self.kept().state = State::Lost;
            if let Some(Place(shared)) = &self.place {
                shared.forget_idle();
            }
        }
    }

    /// Throws the connection away.
    fn lost(mut self) {
        self.kept = None;
    }

    #[expect(clippy::expect_used, reason = "it is taken by what consumes or drops the lease alone")]
    fn kept(&mut self) -> &mut Kept {
        self.kept.as_mut().expect("it is there until it is given back")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let (Some(mut kept), Some(place), permit) = (self.kept.take(), self.place.take(), self.permit.take()) else { return };
        match kept.state {
            State::Clean => return place.give_back(kept),
            State::Lost => return,
            State::Busy | State::InTransaction => {}
        }
        // Whoever it was is gone, by an error or with its client: the locks of its transaction are let go now, and not when somebody comes.
        self.runtime.spawn(async move {
            let undone = time::timeout(UNDO_PATIENCE, async {
                match kept.state {
                    State::InTransaction => kept.raw.run("ROLLBACK").await,
                    _ => kept.raw.ping().await,
                }
            });
            if undone.await.is_ok_and(|undone| undone.is_ok()) {
                kept.state = State::Clean;
                kept.used = Instant::now();
                place.give_back(kept);
            }
            drop(permit);
        });
    }
}

/// Each statement on a connection of its own, which goes back at once.
#[derive(Clone)]
pub struct Pooled {
    pub(crate) pool: Pool,
    pub(crate) session_pages: Option<Arc<Gathering<SessionPages>>>,
    pub(crate) direct: Option<Arc<DirectReaders>>,
}

macro_rules! ask {
    ($pooled:expr, $run:ident, $statement:expr) => {{
        let mut lent = $pooled.pool.lend().await?;
        let mut answer = lent.raw().$run($statement).await;
        if answer.as_ref().is_err_and(is_lost) {
            // It was only a question, and may be asked again.
            lent.lost();
            $pooled.pool.shared.forget_idle();
            lent = $pooled.pool.lend().await?;
            answer = lent.raw().$run($statement).await;
        }
        lent.ended(&answer);
        answer
    }};
}

impl Connection for Pooled {
    fn backend(&self) -> DbBackend {
        self.pool.backend()
    }

    async fn fetch_one(&mut self, statement: Statement) -> sqlx::Result<Option<QueryResult>> {
        ask!(self, fetch_one, &statement)
    }

    async fn fetch_all(&mut self, statement: Statement) -> sqlx::Result<Vec<QueryResult>> {
        ask!(self, fetch_all, &statement)
    }

    async fn execute(&mut self, statement: Statement) -> sqlx::Result<u64> {
        let mut lent = self.pool.lend().await?;
        let written = lent.raw().execute(&statement).await;
        lent.ended(&written);
        written
    }

    #[doc(hidden)]
    fn session_pages(&self) -> Option<&Arc<Gathering<SessionPages>>> {
        self.session_pages.as_ref()
    }

    #[doc(hidden)]
    fn direct(&self) -> Option<&DirectReaders> {
        self.direct.as_deref()
    }
}

#[cfg(test)]
mod tests;
