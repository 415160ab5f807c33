use tenantry_domain::{BucketKey, Limit, Rate, RateDecision, StoreError, Timestamp, ports::LimitWrites};

use crate::{store::RedbTransaction, tables::BUCKETS};

impl LimitWrites for RedbTransaction {
    async fn take_token(&mut self, bucket: BucketKey, rate: Rate, now: Timestamp) -> Result<RateDecision, StoreError> {
        let rows = self.rows_mut();
        let full_at = rows.get(BUCKETS, bucket.as_bytes())?.unwrap_or(now).max(now);
        let decision = rate.decide(full_at, now);
        if decision == RateDecision::Allowed {
            rows.put(BUCKETS, bucket.as_bytes(), &(full_at + rate.interval))?;
        }
        Ok(decision)
    }

    async fn charge(&mut self, limit: Limit, now: Timestamp) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        let full_at = rows.get(BUCKETS, limit.bucket.as_bytes())?.unwrap_or(now).max(now) + limit.rate.interval;
        rows.put(BUCKETS, limit.bucket.as_bytes(), &full_at)
    }
}
