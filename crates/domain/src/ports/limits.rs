use std::future::Future;

use super::StoreError;
use crate::{BucketKey, Rate, RateDecision, Timestamp};

/// Counted limits.
pub trait LimitWrites {
    /// Takes one from a bucket, unless it is empty at `now`. Of any number of racing calls, as many are allowed as the bucket holds.
    fn take_token(
        &mut self,
        bucket: BucketKey,
        rate: Rate,
        now: Timestamp,
    ) -> impl Future<Output = Result<RateDecision, StoreError>> + Send;
}
