use super::store::MemoryTransaction;
use crate::{BucketKey, Limit, Rate, RateDecision, StoreError, Timestamp, ports::LimitWrites};

/// After how long a bucket holds one that is full again at `full_at`.
pub(super) fn decide(full_at: Timestamp, rate: Rate, now: Timestamp) -> RateDecision {
    let latest = now + rate.interval.saturating_mul(i32::try_from(rate.burst).unwrap_or(i32::MAX));
    let after_next = full_at.max(now) + rate.interval;
    if after_next > latest { RateDecision::Limited { retry_after: after_next - latest } } else { RateDecision::Allowed }
}

impl LimitWrites for MemoryTransaction {
    // The generic cell rate algorithm: the one number kept of a bucket is when it will be full again. It holds `burst` while that is
    // not in the future, and nothing once it is `burst` intervals ahead.
    async fn take_token(&mut self, bucket: BucketKey, rate: Rate, now: Timestamp) -> Result<RateDecision, StoreError> {
        let buckets = &mut self.tables_mut().buckets;
        let full_at = buckets.get(&bucket).copied().unwrap_or(now).max(now);
        let decision = decide(full_at, rate, now);
        if decision == RateDecision::Allowed {
            buckets.put(bucket, full_at + rate.interval);
        }
        Ok(decision)
    }

    async fn charge(&mut self, limit: Limit, now: Timestamp) -> Result<(), StoreError> {
        let buckets = &mut self.tables_mut().buckets;
        let full_at = buckets.get(&limit.bucket).copied().unwrap_or(now).max(now) + limit.rate.interval;
        buckets.put(limit.bucket, full_at);
        Ok(())
    }
}
