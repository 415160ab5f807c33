use super::store::MemoryTransaction;
use crate::{BucketKey, Limit, Rate, RateDecision, StoreError, Timestamp, ports::LimitWrites};

impl LimitWrites for MemoryTransaction {
    async fn take_token(&mut self, bucket: BucketKey, rate: Rate, now: Timestamp) -> Result<RateDecision, StoreError> {
        let buckets = &mut self.tables_mut().buckets;
        let full_at = buckets.get(&bucket).copied().unwrap_or(now).max(now);
        let decision = rate.decide(full_at, now);
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
