use std::future::Future;

use super::StoreError;
use crate::{BucketKey, Timestamp};

/// A kind of rows that come to an end, after which nothing brings them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leftover {
    /// Tenants' sessions. They end when they expire; one that was revoked counts until it would have expired.
    Sessions,
    /// Operators' sessions, alike.
    OperatorSessions,
    /// Challenges. What is counted of them is counted by when they were made, so that is what they are deleted by.
    Challenges,
    /// Idempotency keys, answered or not. They end when they expire.
    IdempotencyKeys,
    /// Messages. They end when they are settled; one that waits, or is being sent, never does.
    Messages,
    /// Links that make an owner. They end when they expire.
    BootstrapLinks,
}

impl Leftover {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Sessions, Self::OperatorSessions, Self::Challenges, Self::IdempotencyKeys, Self::Messages, Self::BootstrapLinks];
}

/// What became of a stretch of buckets that housekeeping looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweptBuckets {
    /// How many were deleted.
    pub deleted: u64,
    /// Where the next stretch begins; `None` behind the last.
    pub next: Option<BucketKey>,
}

/// Deletion of what has ended. Each call is meant for a transaction of its own.
///
/// None waits for another transaction that holds a row: it passes over that row. What has come to life again when the call gets to it, a
/// key that was claimed anew or a bucket that was taken from, stays.
pub trait HousekeepingWrites {
    /// Deletes up to `limit` rows of a kind that ended at `until` or before it, those first that were made first, and says how many.
    fn delete_leftovers(
        &mut self,
        kind: Leftover,
        until: Timestamp,
        limit: u16,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Looks at `limit` buckets from `after` on, exclusive, and deletes those that were full at `until`: a bucket that isn't stored is full.
    /// Buckets are looked at in an order of the store's own, from the first on where `after` is `None`.
    fn delete_full_buckets(
        &mut self,
        until: Timestamp,
        after: Option<BucketKey>,
        limit: u16,
    ) -> impl Future<Output = Result<SweptBuckets, StoreError>> + Send;
}
