use std::future::Future;

use super::StoreError;
use crate::{BucketKey, Limit, Rate, RateDecision, Timestamp};

/// Counted limits.
///
/// A bucket that is to refuse before the deed, and is charged only where the deed fails, is looked at by
/// [`hold_tenant_within`](super::TenantWrites::hold_tenant_within) and charged by [`charge`](Self::charge).
pub trait LimitWrites {
    /// Takes one from a bucket, unless it is empty at `now`. Of any number of racing calls, as many are allowed as the bucket holds.
    fn take_token(
        &mut self,
        bucket: BucketKey,
        rate: Rate,
        now: Timestamp,
    ) -> impl Future<Output = Result<RateDecision, StoreError>> + Send;

    /// Takes one from a bucket though it be empty: it is then in debt, and holds nothing until all that was taken has come back. For what
    /// has happened already. Of any number of racing calls each is counted.
    fn charge(&mut self, limit: Limit, now: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
}
