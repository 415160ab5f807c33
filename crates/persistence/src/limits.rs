//! Rate limits by the generic cell rate algorithm.
//!
//! A bucket is one moment: when it will be full again, the theoretical arrival time. Taking one moves that moment an interval on,
//! unless it is more than `burst - 1` intervals away: then the bucket is empty. A bucket that isn't stored is full.

use tenantry_domain::{BucketKey, Limit, Rate, RateDecision, StoreError, Timestamp, ports::LimitWrites};
use time::Duration;

use crate::{Handle, connection::OpenTransaction};

const BUCKET: &str = "rate bucket";

impl LimitWrites for Handle<OpenTransaction> {
    async fn take_token(&mut self, bucket: BucketKey, rate: Rate, now: Timestamp) -> Result<RateDecision, StoreError> {
        // $2 now, $3 the interval, $4 the latest full-again moment that leaves one to take.
        const TAKE: &str = "
            INSERT INTO rate_buckets (bucket, tat) VALUES ($1, $2 + $3)
            ON CONFLICT (bucket)
            DO UPDATE SET tat = (CASE WHEN rate_buckets.tat > $2 THEN rate_buckets.tat ELSE $2 END) + $3
            WHERE rate_buckets.tat <= $4";
        const FULL_AGAIN: &str = "SELECT tat FROM rate_buckets WHERE bucket = $1";

        let Window { interval, latest } = Window::new(rate, now);
        let key = bucket.as_bytes().to_vec();
        let take = self.sql(TAKE, [key.clone().into(), now.unix_micros().into(), interval.into(), latest.into()]);
        if self.wrote(BUCKET, take).await? {
            return Ok(RateDecision::Allowed);
        }
        // On PostgreSQL the refused statement has locked the row, so this is the moment that it saw.
        let full_again = self.value::<i64>(BUCKET, self.sql(FULL_AGAIN, [key.into()])).await?;
        Ok(RateDecision::Limited { retry_after: wait(full_again.unwrap_or(latest), latest) })
    }

    async fn charge(&mut self, limit: Limit, now: Timestamp) -> Result<(), StoreError> {
        const CHARGE: &str = "
            INSERT INTO rate_buckets (bucket, tat) VALUES ($1, $2 + $3)
            ON CONFLICT (bucket)
            DO UPDATE SET tat = (CASE WHEN rate_buckets.tat > $2 THEN rate_buckets.tat ELSE $2 END) + $3";

        let Window { interval, .. } = Window::new(limit.rate, now);
        let values = [limit.bucket.as_bytes().to_vec().into(), now.unix_micros().into(), interval.into()];
        self.write(BUCKET, self.sql(CHARGE, values)).await.map(|_| ())
    }
}

/// Whether a bucket holds one that is full again at `full_again`, if it is stored.
pub(crate) fn decide(full_again: Option<i64>, rate: Rate, now: Timestamp) -> RateDecision {
    let latest = latest(rate, now);
    match full_again {
        Some(moment) if moment > latest => RateDecision::Limited { retry_after: wait(moment, latest) },
        _ => RateDecision::Allowed,
    }
}

/// The latest moment, in microseconds, at which a bucket may be full again and still hold one.
pub(crate) fn latest(rate: Rate, now: Timestamp) -> i64 {
    Window::new(rate, now).latest
}

/// How long until a bucket that is full again at `full_again` holds one.
fn wait(full_again: i64, latest: i64) -> Duration {
    Duration::microseconds(full_again.saturating_sub(latest).max(1))
}

/// A rate in microseconds, from a moment on; bounded so that no sum in the statement overflows.
struct Window {
    interval: i64,
    latest: i64,
}

impl Window {
    fn new(rate: Rate, now: Timestamp) -> Self {
        const DECADE: i128 = 10 * 366 * 86_400 * 1_000_000;

        let interval = rate.interval.whole_microseconds().clamp(1, DECADE);
        let ahead = interval * i128::from(rate.burst.saturating_sub(1));
        let latest = i128::from(now.unix_micros()) + ahead;
        let narrow = |micros: i128| i64::try_from(micros).unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
        Self { interval: narrow(interval), latest: narrow(latest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rate_overflows() {
        let rates = [(1, Duration::ZERO), (u32::MAX, Duration::MAX), (0, Duration::MIN), (3, Duration::minutes(10))];
        for (burst, interval) in rates {
            let window = Window::new(Rate { burst, interval }, Timestamp::MAX);
            assert!(window.interval > 0 && window.latest >= Timestamp::MAX.unix_micros());
            assert!(window.latest.checked_add(window.interval).is_some());
        }
    }
}
