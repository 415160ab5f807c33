//! What the rules are written with: a store, a fixed clock, seeded entropy, races.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::{
    future::{join, join_all},
    lock::Mutex,
};
use time::{Duration, macros::datetime};

use crate::{Context, Id, Page, PageLimit, PageRequest, SeededEntropy, StoreError, Timestamp, id::Kind, ports::*};

/// How many callers race, unless a rule says otherwise.
pub const RACERS: usize = 32;

/// The least difference between two moments.
pub const TICK: Duration = Duration::MICROSECOND;

/// The moment that most rules take place at.
pub fn noon() -> Timestamp {
    Timestamp::new(datetime!(2026-03-15 12:00 UTC))
}

/// `seconds` after [`noon`].
pub fn later(seconds: i64) -> Timestamp {
    noon() + Duration::seconds(seconds)
}

/// The first page, as long as pages get.
pub fn first_page<K>() -> PageRequest<K> {
    PageRequest { limit: PageLimit::new(PageLimit::MAX).unwrap(), after: None, count: false }
}

/// A store under test, and what a rule needs beside it.
pub struct World<S> {
    pub store: S,
    entropy: SeededEntropy,
    made: AtomicU32,
}

impl<S: Store> World<S> {
    pub fn new(store: S) -> Self {
        Self { store, entropy: SeededEntropy::new(1), made: AtomicU32::new(0) }
    }

    /// A number that this world hasn't given out before.
    pub fn number(&self) -> u32 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// A new identifier of something made at `at`.
    pub fn id<K: Kind>(&self, at: Timestamp) -> Id<K> {
        Id::generate(at, &self.entropy)
    }

    /// 32 bytes that nothing else in this world has.
    pub fn bytes(&self) -> [u8; 32] {
        let mut bytes = [7; 32];
        bytes.iter_mut().zip(self.number().to_le_bytes()).for_each(|(byte, part)| *byte = part);
        bytes
    }

    pub fn cx(&self, now: Timestamp) -> Context<'_> {
        Context::system(now, &self.entropy)
    }

    pub fn read(&self) -> S::Reader {
        self.store.reader()
    }

    pub async fn begin(&self) -> S::Transaction {
        self.store.begin().await.unwrap()
    }

    /// Runs `body` in a transaction of its own, which must succeed.
    pub async fn write<T>(&self, body: impl AsyncFnOnce(&mut S::Transaction) -> Result<T, StoreError>) -> T {
        self.try_write(body).await.unwrap()
    }

    /// Runs `body` in a transaction of its own, which is rolled back if it fails.
    pub async fn try_write<T>(
        &self,
        body: impl AsyncFnOnce(&mut S::Transaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tx = self.store.begin().await?;
        let answer = body(&mut tx).await?;
        tx.commit().await?;
        Ok(answer)
    }

    /// How many of 32 racing transactions, each of which runs `body` with the number of its racer, answer `true`.
    pub async fn winners(&self, body: impl AsyncFn(usize, &mut S::Transaction) -> Result<bool, StoreError>) -> usize {
        let won = race(RACERS, async |racer| self.write(async |tx| body(racer, tx).await).await).await;
        won.into_iter().filter(|&won| won).count()
    }
}

impl<S: Store> World<S> {
    /// Runs `first` in a transaction that stays open while `second` has every chance to end, and says whether it did, and what it
    /// answered. On a store whose writers take turns, `second` waits for its turn.
    pub async fn overtakes<T>(&self, first: impl AsyncFnOnce(&mut S::Transaction), second: impl AsyncFnOnce() -> T) -> (bool, T) {
        const CHANCES: usize = 300;
        let (open, ended) = (Mutex::new(()), AtomicBool::new(false));
        let opening = open.lock().await;
        let first = async {
            let mut tx = self.begin().await;
            first(&mut tx).await;
            drop(opening);
            for _ in 0..CHANCES {
                tx.plan(self.id(noon())).await.unwrap();
            }
            let overtaken = ended.load(Ordering::Relaxed);
            tx.commit().await.unwrap();
            overtaken
        };
        let second = async {
            drop(open.lock().await);
            let answer = second().await;
            ended.store(true, Ordering::Relaxed);
            answer
        };
        join(first, second).await
    }
}

/// Runs `racer` so many times at once, on one task: every await is a place where others may overtake.
pub async fn race<T>(racers: usize, racer: impl AsyncFn(usize) -> T) -> Vec<T> {
    join_all((0..racers).map(|number| racer(number))).await
}

/// Every item of a list, read in pages of `limit`.
pub async fn all_pages<K>(
    limit: u16,
    id: impl Fn(&K) -> Id<K>,
    read: impl AsyncFn(PageRequest<K>) -> Result<Page<K>, StoreError>,
) -> Vec<K> {
    let mut request = PageRequest { limit: PageLimit::new(limit).unwrap(), after: None, count: false };
    let mut items = Vec::new();
    loop {
        let page = read(request).await.unwrap();
        assert!(page.items.len() <= usize::from(limit), "a page is longer than its limit");
        let full = page.items.len() == usize::from(limit);
        assert!(full || !page.has_more, "a page that is not full says that there is more");
        let anew = page.items.iter().any(|item| Some(id(item)) == request.after);
        assert!(!anew, "a page has the last item of the page before");
        items.extend(page.items);
        if !page.has_more {
            return items;
        }
        request.after = items.last().map(&id);
    }
}
