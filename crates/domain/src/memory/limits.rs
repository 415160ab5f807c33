use super::store::MemoryTransaction;
use crate::{BucketKey, Rate, RateDecision, StoreError, Timestamp, ports::LimitWrites};

impl LimitWrites for MemoryTransaction {
    // The generic cell rate algorithm: the one number kept of a bucket is when it will be full again. It holds `burst` while that is
    // not in the future, and nothing once it is `burst` intervals ahead.
    async fn take_token(&mut self, bucket: BucketKey, rate: Rate, now: Timestamp) -> Result<RateDecision, StoreError> {
        let buckets = &mut self.tables_mut().buckets;
        let full_at = buckets.get(&bucket).copied().unwrap_or(now).max(now) + rate.interval;
        let latest = now + rate.interval.saturating_mul(i32::try_from(rate.burst).unwrap_or(i32::MAX));
        if full_at > latest {
            return Ok(RateDecision::Limited { retry_after: full_at - latest });
        }
        buckets.put(bucket, full_at);
        Ok(RateDecision::Allowed)
    }
}
