//! Deletion of what has ended.
//!
//! Each statement picks its rows and, on PostgreSQL, locks them, passing over those that others hold, before it deletes them. A lock is
//! taken on the row as it is by then, with the condition looked at again: a row that came to life meanwhile is let be. A deletion without
//! it would wait for whoever holds the row, and then delete what that one has made of it.

use tenantry_domain::{
    BucketKey, StoreError, Timestamp,
    ports::{HousekeepingWrites, Leftover, SweptBuckets},
};

use crate::{Handle, connection::OpenTransaction, row, timestamp::DbTime};

const LOCK: &str = "FOR UPDATE SKIP LOCKED";
const BUCKETS: &str = "rate bucket";

/// What rows of a kind are called, in which table they are, and their key; which have ended at `$1`, and in what order.
///
/// Sessions are looked for by when they were made, which is before they end: an index of `expires_at` would be written at each use.
const fn place(kind: Leftover) -> (&'static str, &'static str, &'static str, &'static str, &'static str) {
    const SESSION_ENDED: &str = "created_at <= $1 AND expires_at <= $1";
    match kind {
        Leftover::Sessions => ("session", "tenant_sessions", "id", SESSION_ENDED, "created_at"),
        Leftover::OperatorSessions => ("operator session", "operator_sessions", "id", SESSION_ENDED, "created_at"),
        Leftover::Challenges => ("challenge", "otp_challenges", "id", "created_at <= $1", "created_at"),
        Leftover::IdempotencyKeys => ("idempotency key", "idempotency_keys", "key_digest", "expires_at <= $1", "expires_at"),
        Leftover::Messages => ("message", "outbox", "id", "settled_at <= $1", "settled_at"),
        Leftover::BootstrapLinks => ("bootstrap link", "bootstrap_links", "token_digest", "expires_at <= $1", "expires_at"),
    }
}

impl Handle<OpenTransaction> {
    /// Locks on PostgreSQL; on SQLite, whose writers take turns, there is nothing to lock.
    fn lock(&self) -> &'static str {
        if self.backend() == sea_orm::DbBackend::Postgres { LOCK } else { "" }
    }
}

impl HousekeepingWrites for Handle<OpenTransaction> {
    async fn delete_leftovers(&mut self, kind: Leftover, until: Timestamp, limit: u16) -> Result<u64, StoreError> {
        let (what, table, key, ended, order) = place(kind);
        let lock = self.lock();
        // Materialized: as a mere subquery it could be run again for each row, and pick others each time.
        let delete = format!(
            "WITH ended AS MATERIALIZED (SELECT {key} FROM {table} WHERE {ended} ORDER BY {order} LIMIT {limit} {lock})
            DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM ended)"
        );
        self.write(what, self.sql(&delete, [DbTime::from(until).into()])).await
    }

    async fn delete_full_buckets(
        &mut self,
        until: Timestamp,
        after: Option<BucketKey>,
        limit: u16,
    ) -> Result<SweptBuckets, StoreError> {
        // By the key, as `tat` has no index: it is written at every take, and the bucket of all requests is the hottest row there is.
        let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
        let offset = limit.saturating_sub(1);
        let last = format!("SELECT bucket FROM rate_buckets WHERE bucket > $1 ORDER BY bucket LIMIT 1 OFFSET {offset}");
        let last = self.value::<Vec<u8>>(BUCKETS, self.sql(&last, [after.clone().into()])).await?;
        let to = last.clone().unwrap_or_else(|| vec![0xFF; 32]);
        let lock = self.lock();
        let delete = format!(
            "WITH full_again AS MATERIALIZED (SELECT bucket FROM rate_buckets WHERE bucket > $2 AND bucket <= $3 AND tat <= $1 {lock})
            DELETE FROM rate_buckets WHERE bucket IN (SELECT bucket FROM full_again)"
        );
        let delete = self.sql(&delete, [until.unix_micros().into(), after.into(), to.into()]);
        let deleted = self.write(BUCKETS, delete).await?;
        let next = last.map(|last| row::digest(&last)).transpose();
        let next = next.map_err(|source| StoreError::Corrupt { what: BUCKETS, source })?;
        Ok(SweptBuckets { deleted, next: next.map(BucketKey::from_bytes) })
    }
}
