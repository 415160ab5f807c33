use std::time::{Duration, Instant};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts},
};
use sea_orm::{DbBackend, QueryResult, Statement};
use tokio::runtime::Handle as RuntimeHandle;

use super::{Connection, OpenTransaction, Raw, Source, transaction::Lease};

/// After this long a connection is pinged before it is used, so that a restart of the server in a quiet hour costs nobody a
/// request. Busy connections aren't: a ping is a third of a look-up.
const PING_AFTER_IDLE: Duration = Duration::from_secs(5);

/// Connections that are lent out, each to one user at a time.
#[derive(Clone)]
pub(crate) struct Pool {
    pool: managed::Pool<Opener>,
    backend: DbBackend,
    runtime: RuntimeHandle,
}

pub(crate) struct Opener {
    source: Source,
    runtime: RuntimeHandle,
}

/// A connection in a pool.
pub(crate) struct Kept {
    raw: Raw,
    used: Instant,
    state: State,
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
}

impl managed::Manager for Opener {
    type Type = Kept;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Kept> {
        // A socket belongs to the runtime that opened it, and a web worker's may end before the requests of others do.
        let source = self.source.clone();
        let opened = self.runtime.spawn(async move { Raw::open(&source).await }).await;
        let raw = opened.unwrap_or(Err(sqlx::Error::WorkerCrashed))?;
        Ok(Kept { raw, used: Instant::now(), state: State::Clean })
    }

    async fn recycle(&self, kept: &mut Kept, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if kept.state != State::Clean {
            return Err(RecycleError::message("it was left in the middle of something"));
        }
        if kept.used.elapsed() >= PING_AFTER_IDLE {
            kept.raw.ping().await?;
        }
        Ok(())
    }
}

impl Pool {
    /// A pool that is empty as yet. Call it inside the runtime that its connections are to belong to.
    #[expect(clippy::expect_used, reason = "a pool that has a runtime for its time-outs is always built")]
    pub(crate) fn new(source: Source, most: usize, patience: Duration) -> Self {
        let (backend, runtime) = (source.backend(), RuntimeHandle::current());
        let pool = managed::Pool::builder(Opener { source, runtime: runtime.clone() })
            .max_size(most)
            // The one used last is the one that the processor's caches know, on both ends.
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts { wait: Some(patience), create: Some(patience), recycle: Some(patience) })
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can be built");
        Self { pool, backend, runtime }
    }

    /// Opens all connections that there can be, in the background.
    pub(crate) fn warm_up(&self) {
        let pool = self.pool.clone();
        self.runtime.spawn(async move {
            // Those that it holds must keep nobody waiting, so it doesn't wait either.
            let at_once = Timeouts { wait: Some(Duration::ZERO), ..pool.timeouts() };
            let mut lent = Vec::new();
            // Where the database can't be reached, those who ask for a connection are told.
            while let Ok(kept) = pool.timeout_get(&at_once).await {
                lent.push(kept);
            }
        });
    }

    pub(crate) const fn backend(&self) -> DbBackend {
        self.backend
    }

    pub(crate) async fn lend(&self) -> sqlx::Result<Lent> {
        let kept = self.pool.get().await.map_err(|failure| match failure {
            PoolError::Backend(failure) => failure,
            PoolError::Closed => sqlx::Error::PoolClosed,
            _ => sqlx::Error::PoolTimedOut,
        })?;
        Ok(Lent { kept: Some(kept), runtime: self.runtime.clone() })
    }

    /// The row of a statement that writes. Where the connection is lost it isn't asked again: it may have been carried out.
    pub(crate) async fn write(&self, statement: &Statement) -> sqlx::Result<Option<QueryResult>> {
        let mut lent = self.lend().await?;
        let row = lent.raw().fetch_one(statement).await;
        if !row.as_ref().is_err_and(is_lost) {
            lent.done();
        }
        row
    }

    /// Begins a transaction by a statement.
    pub(crate) async fn begin(&self, begin: &'static str) -> sqlx::Result<OpenTransaction> {
        let begun = self.begin_once(begin).await;
        match &begun {
            // Nothing has happened yet.
            Err(failure) if is_lost(failure) => {
                self.forget_idle();
                self.begin_once(begin).await
            }
            _ => begun,
        }
    }

    async fn begin_once(&self, begin: &'static str) -> sqlx::Result<OpenTransaction> {
        let mut lent = self.lend().await?;
        lent.begin(begin).await?;
        Ok(OpenTransaction::outermost(self.backend, Lease::Lent(lent)))
    }

    /// Forgets the connections that nobody uses: where one was lost, they were too.
    fn forget_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// How many connections there can be, are open, and are open without a user.
    pub(crate) fn figures(&self) -> [usize; 3] {
        let status = self.pool.status();
        [status.max_size, status.size, status.available]
    }

    /// Closes all connections, once their users give them back.
    pub(crate) async fn close(&self) {
        let most = self.pool.status().max_size;
        let mut all = Vec::new();
        while all.len() < most {
            let status = self.pool.status();
            // Those that aren't open needn't be opened for this.
            if status.size == all.len() {
                break;
            }
            match self.pool.get().await {
                Ok(kept) => all.push(kept),
                Err(_) => break,
            }
        }
        self.pool.close();
        for kept in all {
            Object::take(kept).raw.close().await;
        }
    }
}

/// Whether a connection is gone, and a new one may do better.
fn is_lost(failure: &sqlx::Error) -> bool {
    match failure {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => true,
        // The server is shutting down, was shut down, or is starting.
        sqlx::Error::Database(failure) => failure.code().is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "57P03")),
        _ => false,
    }
}

/// A connection that is lent out. It goes back when it is dropped; where that is in the middle of something, once that is undone.
pub(crate) struct Lent {
    kept: Option<Object<Opener>>,
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
        kept.raw.run(begin).await
    }

    /// Says that nothing is under way any more.
    pub(crate) fn done(mut self) {
        let kept = self.kept();
        kept.state = State::Clean;
        kept.used = Instant::now();
    }

    /// Throws the connection away.
    fn lost(mut self) {
        drop(self.kept.take().map(Object::take));
    }

    #[expect(clippy::expect_used, reason = "it is taken by what consumes or drops the lease alone")]
    fn kept(&mut self) -> &mut Kept {
        self.kept.as_mut().expect("it is there until it is given back")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut kept) = self.kept.take() else { return };
        if kept.state == State::Clean {
            return;
        }
        // Whoever it was is gone, by an error or with its client: the locks of its transaction are let go now, and not when somebody comes.
        self.runtime.spawn(async move {
            let undone = match kept.state {
                State::InTransaction => kept.raw.run("ROLLBACK").await,
                State::Clean | State::Busy => kept.raw.ping().await,
            };
            if undone.is_ok() {
                kept.state = State::Clean;
                kept.used = Instant::now();
            }
        });
    }
}

/// Each statement on a connection of its own, which goes back at once.
#[derive(Clone)]
pub struct Pooled(pub(crate) Pool);

macro_rules! ask {
    ($pooled:expr, $run:ident, $statement:expr) => {{
        let mut lent = $pooled.0.lend().await?;
        let mut answer = lent.raw().$run($statement).await;
        if answer.as_ref().is_err_and(is_lost) {
            // It was only a question, and may be asked again.
            lent.lost();
            $pooled.0.forget_idle();
            lent = $pooled.0.lend().await?;
            answer = lent.raw().$run($statement).await;
        }
        if !answer.as_ref().is_err_and(is_lost) {
            lent.done();
        }
        answer
    }};
}

impl Connection for Pooled {
    fn backend(&self) -> DbBackend {
        self.0.backend()
    }

    async fn fetch_one(&mut self, statement: Statement) -> sqlx::Result<Option<QueryResult>> {
        ask!(self, fetch_one, &statement)
    }

    async fn fetch_all(&mut self, statement: Statement) -> sqlx::Result<Vec<QueryResult>> {
        ask!(self, fetch_all, &statement)
    }

    async fn execute(&mut self, statement: Statement) -> sqlx::Result<u64> {
        let mut lent = self.0.lend().await?;
        let written = lent.raw().execute(&statement).await;
        if !written.as_ref().is_err_and(is_lost) {
            lent.done();
        }
        written
    }
}
