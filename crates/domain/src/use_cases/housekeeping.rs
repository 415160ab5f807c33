//! What has ended is deleted some time later, a small batch at a time.

use time::Duration;

use crate::{
    BucketKey, StoreError, Timestamp,
    ports::{HousekeepingWrites as _, Leftover, Store, Transaction as _},
};

/// How long what has ended is kept, for whoever wants to know what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Sessions, from when they expired.
    pub sessions: Duration,
    /// Messages, from when they were settled.
    pub messages: Duration,
    /// Challenges, from when they were made: as long as the failures of an account count. They are kept a day longer than that, for servers
    /// that don't agree on it yet.
    pub failures_count_for: Duration,
}

impl Retention {
    /// What was good until now on one server's clock may be good for a while on another's.
    const CLOCKS_DIFFER: Duration = Duration::HOUR;

    /// The moment at or before which rows of a kind must have ended to be deleted at `now`.
    fn end(&self, kind: Leftover, now: Timestamp) -> Timestamp {
        now - match kind {
            Leftover::Sessions | Leftover::OperatorSessions => self.sessions.max(Self::CLOCKS_DIFFER),
            Leftover::Messages => self.messages.max(Self::CLOCKS_DIFFER),
            Leftover::Challenges => self.failures_count_for.saturating_add(Duration::DAY),
            Leftover::IdempotencyKeys | Leftover::BootstrapLinks => Self::CLOCKS_DIFFER,
        }
    }
}

/// How many rows a [`Sweep`] has deleted, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Tenants' sessions that had expired.
    pub sessions: u64,
    /// Operators' sessions that had expired.
    pub operator_sessions: u64,
    /// Challenges whose failures count no more.
    pub challenges: u64,
    /// Idempotency keys that had expired, with their answers.
    pub idempotency_keys: u64,
    /// Messages that were sent or dropped.
    pub messages: u64,
    /// Links that make an owner, and had expired.
    pub bootstrap_links: u64,
    /// Buckets of rate limits that were full, which is what a bucket is that isn't stored.
    pub buckets: u64,
}

impl Swept {
    const fn of(&mut self, kind: Leftover) -> &mut u64 {
        match kind {
            Leftover::Sessions => &mut self.sessions,
            Leftover::OperatorSessions => &mut self.operator_sessions,
            Leftover::Challenges => &mut self.challenges,
            Leftover::IdempotencyKeys => &mut self.idempotency_keys,
            Leftover::Messages => &mut self.messages,
            Leftover::BootstrapLinks => &mut self.bootstrap_links,
        }
    }
}

/// A round of housekeeping: it deletes all that had ended for long enough when it began, a small batch at a time.
///
/// Any number may be under way at once, on any number of servers: they share the work.
///
/// # Example
///
/// ```
/// # use time::Duration;
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// let retention = Retention {
///     sessions: Duration::days(30),
///     messages: Duration::days(30),
///     failures_count_for: Duration::DAY, // `OtpBudget::window`
/// };
/// let mut sweep = Sweep::new(cx.now, retention);
/// while sweep.next_batch(&store).await? {
///     // Others get their turn here; a server also pauses.
/// }
/// println!("deleted {:?}", sweep.swept);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Sweep {
    now: Timestamp,
    retention: Retention,
    stage: Stage,
    /// What was deleted so far.
    pub swept: Swept,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Leftovers(usize),
    Buckets(Option<BucketKey>),
    Over,
}

impl Sweep {
    /// How many rows a batch deletes, or buckets it looks at: few enough that whoever waits for SQLite's one writer doesn't notice.
    pub const BATCH: u16 = 500;

    /// A round that begins at `now`.
    #[must_use]
    pub fn new(now: Timestamp, retention: Retention) -> Self {
        Self { now, retention, stage: Stage::Leftovers(0), swept: Swept::default() }
    }

    /// Deletes the next batch in a transaction of its own, and says whether the round goes on.
    ///
    /// # Errors
    /// [`StoreError`]; the same batch can be tried again.
    pub async fn next_batch<S: Store>(&mut self, store: &S) -> Result<bool, StoreError> {
        self.stage = match self.stage {
            Stage::Leftovers(place) => match Leftover::ALL.get(place) {
                None => Stage::Buckets(None),
                Some(&kind) => {
                    let until = self.retention.end(kind, self.now);
                    let mut tx = store.begin().await?;
                    let deleted = tx.delete_leftovers(kind, until, Self::BATCH).await?;
                    tx.commit().await?;
                    *self.swept.of(kind) += deleted;
                    // Fewer than that: the rest is young, or another's who sweeps too.
                    Stage::Leftovers(if deleted < u64::from(Self::BATCH) { place + 1 } else { place })
                }
            },
            Stage::Buckets(after) => {
                let mut tx = store.begin().await?;
                let stretch = tx.delete_full_buckets(self.now - Retention::CLOCKS_DIFFER, after, Self::BATCH).await?;
                tx.commit().await?;
                self.swept.buckets += stretch.deleted;
                stretch.next.map_or(Stage::Over, |next| Stage::Buckets(Some(next)))
            }
            Stage::Over => Stage::Over,
        };
        Ok(!matches!(self.stage, Stage::Over))
    }
}
