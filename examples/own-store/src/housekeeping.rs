use serde::de::DeserializeOwned;
use tenantry_domain::{
    BucketKey, OperatorSession, Session, StoreError, StoredMessage, Timestamp,
    ports::{HousekeepingWrites, Leftover, SweptBuckets},
};

use crate::{
    rows::Rows,
    store::RedbTransaction,
    tables::{
        BOOTSTRAP_LINKS, BUCKETS, CHALLENGES, IDEMPOTENCY_KEYS, Key, OPERATOR_SESSIONS, OPERATOR_SESSIONS_BY_DIGEST, OUTBOX,
        SESSIONS, SESSIONS_BY_DIGEST, Table,
    },
};

impl Rows {
    /// Deletes up to `limit` of the rows that `ended` holds for, those first that `made` says were made first; answers them.
    fn delete_oldest<K: Key, V: DeserializeOwned>(
        &mut self,
        table: Table<K, V>,
        limit: u16,
        ended: impl Fn(&V) -> bool,
        made: impl Fn(&V) -> Timestamp,
    ) -> Result<Vec<V>, StoreError> {
        let mut rows = self.entries(table)?;
        rows.retain(|(_, row)| ended(row));
        rows.sort_by_key(|(_, row)| made(row));
        rows.truncate(usize::from(limit));
        let delete = |(key, row)| {
            self.delete_raw(table, key);
            row
        };
        Ok(rows.into_iter().map(delete).collect())
    }

    fn delete_leftovers(&mut self, kind: Leftover, until: Timestamp, limit: u16) -> Result<usize, StoreError> {
        Ok(match kind {
            Leftover::Sessions => {
                let expired = |row: &Session| row.expires_at <= until;
                let ended = self.delete_oldest(SESSIONS, limit, expired, |row| row.created_at)?;
                ended.iter().for_each(|session| self.delete(SESSIONS_BY_DIGEST, session.token_digest.as_bytes()));
                ended.len()
            }
            Leftover::OperatorSessions => {
                let expired = |row: &OperatorSession| row.expires_at <= until;
                let ended = self.delete_oldest(OPERATOR_SESSIONS, limit, expired, |row| row.created_at)?;
                ended.iter().for_each(|session| self.delete(OPERATOR_SESSIONS_BY_DIGEST, session.token_digest.as_bytes()));
                ended.len()
            }
            Leftover::Challenges => {
                self.delete_oldest(CHALLENGES, limit, |row| row.created_at <= until, |row| row.created_at)?.len()
            }
            Leftover::IdempotencyKeys => {
                let made = |(claim, _): &(tenantry_domain::KeyClaim, _)| claim.claimed_at;
                self.delete_oldest(IDEMPOTENCY_KEYS, limit, |(claim, _)| claim.expires_at <= until, made)?.len()
            }
            Leftover::Messages => {
                let settled = |row: &StoredMessage| row.settled_at().is_some_and(|settled| settled <= until);
                self.delete_oldest(OUTBOX, limit, settled, |row| row.settled_at().unwrap_or(until))?.len()
            }
            Leftover::BootstrapLinks => {
                self.delete_oldest(BOOTSTRAP_LINKS, limit, |row| row.expires_at <= until, |row| row.created_at)?.len()
            }
        })
    }
}

impl HousekeepingWrites for RedbTransaction {
    async fn delete_leftovers(&mut self, kind: Leftover, until: Timestamp, limit: u16) -> Result<u64, StoreError> {
        Ok(self.rows_mut().delete_leftovers(kind, until, limit)? as u64)
    }

    async fn delete_full_buckets(
        &mut self,
        until: Timestamp,
        after: Option<BucketKey>,
        limit: u16,
    ) -> Result<SweptBuckets, StoreError> {
        let rows = self.rows_mut();
        let limit = usize::from(limit);
        let after = after.map(|key| key.as_bytes().to_vec());
        let behind = rows.entries(BUCKETS)?.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        let stretch: Vec<_> = behind.take(limit).collect();
        let last = stretch.last().filter(|_| stretch.len() == limit);
        let next = last.and_then(|(key, _)| key.as_slice().try_into().ok()).map(BucketKey::from_bytes);
        let full = stretch.into_iter().filter(|(_, full_at)| *full_at <= until);
        let deleted = full.map(|(key, _)| rows.delete_raw(BUCKETS, key)).count() as u64;
        Ok(SweptBuckets { deleted, next })
    }
}
