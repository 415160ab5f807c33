//! A guard against floods: what comes too often from one address is refused in memory, before the database is asked anything.
//!
//! It is no rule. The rules are counted in the database, hold over all servers and restarts, and are stricter; this one only keeps a flood
//! from costing a statement a request. It counts in a table of fixed size, so that no number of addresses makes it grow or makes it forget
//! one: an address has a cell in each row, chosen by a keyed digest, and is as far as the cell that was moved the least (a count-min
//! sketch with conservative update, whose cells are the full-again moments of the generic cell rate algorithm). Addresses that share all
//! their cells share their limit; for that to befall a stranger, others must exceed theirs in thousands at once.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use bytemuck::zeroed_slice_box;
use tenantry_auth::{AuthError, KeyRing};
use tenantry_domain::{BucketKey, Rate};
use time::Duration;

use crate::{errors::ErrorCode, problem::Problem};

/// The two guards of a server: they are apart, so that a flood at the doors shuts nobody out who is signed in.
pub(crate) struct Floods {
    /// Of requests that need nobody signed in.
    pub doors: Guard,
    /// Of tokens that opened nothing.
    pub tokens: Guard,
}

impl Floods {
    /// At this rate of an address; `None` refuses nothing.
    pub fn new(rate: Option<Rate>) -> Self {
        Self { doors: Guard::new(rate), tokens: Guard::new(rate) }
    }

    /// Finds out whose token it is, unless the address has presented too many that opened nothing.
    pub async fn find<T>(
        &self,
        keys: &KeyRing,
        address: Option<IpAddr>,
        found: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, Problem> {
        self.tokens.check(keys, address)?;
        let found = found.await;
        if matches!(found, Err(AuthError::Unauthenticated)) {
            self.tokens.count(keys, address);
        }
        Ok(found?)
    }
}

/// Counts by address, an IPv6 network of 64 bits being one.
pub(crate) struct Guard(Option<Sketch>);

impl Guard {
    fn new(rate: Option<Rate>) -> Self {
        Self(rate.map(Sketch::new))
    }

    /// Refuses an address that has nothing left.
    pub fn check(&self, keys: &KeyRing, address: Option<IpAddr>) -> Result<(), Problem> {
        let (Some(sketch), Some(address)) = (&self.0, address) else { return Ok(()) };
        let wait = sketch.wait(&keys.address_bucket(address), sketch.now());
        if wait == 0 {
            return Ok(());
        }
        let wait = Duration::microseconds(i64::try_from(wait).unwrap_or(i64::MAX));
        Err(Problem::new(ErrorCode::RateLimited, "too many requests come from your address").retry_after(wait))
    }

    /// Takes one of what an address has.
    pub fn count(&self, keys: &KeyRing, address: Option<IpAddr>) {
        if let (Some(sketch), Some(address)) = (&self.0, address) {
            sketch.take(&keys.address_bucket(address), sketch.now());
        }
    }
}

const ROWS: usize = 4;
const COLUMNS: usize = 1 << 14;

/// The cells: 512 KiB at the most, as the system gives pages when they are written. Moments are microseconds since it was made.
struct Sketch {
    cells: Box<[AtomicU64]>,
    made: Instant,
    interval: u64,
    /// How far ahead of now an address may be that still has one left.
    ahead: u64,
}

impl Sketch {
    fn new(rate: Rate) -> Self {
        let interval = u64::try_from(rate.interval.whole_microseconds()).unwrap_or(1).max(1);
        let ahead = interval.saturating_mul(u64::from(rate.burst.saturating_sub(1)));
        Self { cells: zeroed_slice_box(ROWS * COLUMNS), made: Instant::now(), interval, ahead }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn cells(&self, key: &BucketKey) -> impl Iterator<Item = &AtomicU64> {
        let (words, _) = key.as_bytes().as_chunks::<8>();
        let places = words.iter().map(|word| usize::try_from(u64::from_le_bytes(*word) % COLUMNS as u64).unwrap_or(0));
        places.zip(self.cells.chunks(COLUMNS)).filter_map(|(place, row)| row.get(place))
    }

    /// When the address is full again.
    fn full_again(&self, key: &BucketKey) -> u64 {
        self.cells(key).map(|cell| cell.load(Ordering::Relaxed)).min().unwrap_or(0)
    }

    /// How long until the address has one left; zero: it has.
    fn wait(&self, key: &BucketKey, now: u64) -> u64 {
        self.full_again(key).saturating_sub(now.saturating_add(self.ahead))
    }

    /// Two that come at the very same moment may be counted as one.
    fn take(&self, key: &BucketKey, now: u64) {
        let next = self.full_again(key).max(now).saturating_add(self.interval);
        self.cells(key).for_each(|cell| {
            cell.fetch_max(next, Ordering::Relaxed);
        });
    }
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{KeyId, SeededEntropy};

    use super::*;

    const RATE: Rate = Rate { burst: 20, interval: Duration::milliseconds(100) };
    const SECOND: u64 = 1_000_000;

    fn keys() -> KeyRing {
        KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1").unwrap(), &SeededEntropy::new(1))).unwrap()
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    /// How many of `count` requests at one moment pass.
    fn passed(sketch: &Sketch, key: &BucketKey, now: u64, count: usize) -> usize {
        let asked = (0..count).filter(|_| {
            let passes = sketch.wait(key, now) == 0;
            if passes {
                sketch.take(key, now);
            }
            passes
        });
        asked.count()
    }

    #[test]
    fn an_address_has_its_burst_and_then_one_each_interval() {
        let (sketch, keys) = (Sketch::new(RATE), keys());
        let [one, other] = [1, 2].map(|number| keys.address_bucket(address(number)));
        assert_eq!(passed(&sketch, &one, SECOND, 50), 20);
        assert_eq!(sketch.wait(&one, SECOND), 100_000);
        assert_eq!(passed(&sketch, &one, SECOND + 99_999, 50), 0);
        assert_eq!(passed(&sketch, &one, SECOND + 500_000, 50), 5);
        assert_eq!(passed(&sketch, &one, 60 * SECOND, 50), 20, "after rest, no more than the burst");
        assert_eq!(passed(&sketch, &other, SECOND, 50), 20);
    }

    /// A million addresses that ask once each are no flood: nobody is refused for them, and a flood before them isn't forgotten.
    #[test]
    fn a_million_addresses_neither_grow_the_table_nor_empty_it() {
        let (sketch, keys) = (Sketch::new(Rate { burst: 100, ..RATE }), keys());
        let flood = keys.address_bucket(address(0));
        let cells = sketch.cells.len();
        assert_eq!(passed(&sketch, &flood, SECOND, 150), 100);
        let refused = (1..1_000_000).filter(|&number| passed(&sketch, &keys.address_bucket(address(number)), SECOND + 1, 1) == 0);
        assert_eq!(refused.count(), 0);
        assert_eq!(passed(&sketch, &flood, SECOND + 1, 150), 0, "the flood is still known");
        assert_eq!(sketch.cells.len(), cells);
    }

    #[test]
    fn a_thousand_floods_shut_nobody_else_out() {
        let (sketch, keys) = (Sketch::new(RATE), keys());
        for number in 0..1000 {
            assert!(passed(&sketch, &keys.address_bucket(address(number)), SECOND, 30) <= 20);
        }
        let shut_out = (1000..11_000).filter(|&number| passed(&sketch, &keys.address_bucket(address(number)), SECOND, 1) == 0);
        assert!(shut_out.count() <= 5);
    }

    #[test]
    fn without_a_rate_nobody_is_refused() {
        let guard = Guard::new(None);
        let keys = keys();
        for _ in 0..1000 {
            guard.count(&keys, Some(address(1)));
        }
        assert!(guard.check(&keys, Some(address(1))).is_ok());
    }
}
