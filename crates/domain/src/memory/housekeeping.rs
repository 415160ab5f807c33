use super::{store::MemoryTransaction, table::Table, tables::Tables};
use crate::{
    BucketKey, StoreError, StoredMessage, Timestamp,
    ports::{HousekeepingWrites, Leftover, SweptBuckets},
};

/// Deletes up to `limit` of the rows that `ended` holds for, those first that `made` says were made first; answers them.
fn delete_oldest<K: Ord + Clone, V: Clone>(
    table: &mut Table<K, V>,
    limit: u16,
    ended: impl Fn(&V) -> bool,
    made: impl Fn(&V) -> Timestamp,
) -> Vec<V> {
    let mut rows: Vec<(K, V)> =
        table.entries().filter(|(_, row)| ended(row)).map(|(key, row)| (key.clone(), row.clone())).collect();
    rows.sort_by_key(|(_, row)| made(row));
    rows.truncate(usize::from(limit));
    rows.into_iter().filter(|(key, _)| table.delete_if(key, |_| true)).map(|(_, row)| row).collect()
}

impl Tables {
    fn delete_leftovers(&mut self, kind: Leftover, until: Timestamp, limit: u16) -> usize {
        match kind {
            Leftover::Sessions => {
                let ended = delete_oldest(&mut self.sessions, limit, |row| row.expires_at <= until, |row| row.created_at);
                for session in &ended {
                    self.sessions_by_digest.delete_if(session.token_digest.as_bytes(), |_| true);
                }
                ended.len()
            }
            Leftover::OperatorSessions => {
                let rows = &mut self.operator_sessions;
                let ended = delete_oldest(rows, limit, |row| row.expires_at <= until, |row| row.created_at);
                for session in &ended {
                    self.operator_sessions_by_digest.delete_if(session.token_digest.as_bytes(), |_| true);
                }
                ended.len()
            }
            Leftover::Challenges => {
                delete_oldest(&mut self.challenges, limit, |row| row.created_at <= until, |row| row.created_at).len()
            }
            Leftover::IdempotencyKeys => {
                let rows = &mut self.idempotency_keys;
                delete_oldest(rows, limit, |(claim, _)| claim.expires_at <= until, |(claim, _)| claim.claimed_at).len()
            }
            Leftover::Messages => {
                let settled = |row: &StoredMessage| row.settled_at().is_some_and(|settled| settled <= until);
                delete_oldest(&mut self.outbox, limit, settled, |row| row.settled_at().unwrap_or(until)).len()
            }
            Leftover::BootstrapLinks => {
                delete_oldest(&mut self.bootstrap_links, limit, |row| row.expires_at <= until, |row| row.created_at).len()
            }
        }
    }
}

impl HousekeepingWrites for MemoryTransaction {
    async fn delete_leftovers(&mut self, kind: Leftover, until: Timestamp, limit: u16) -> Result<u64, StoreError> {
        Ok(self.tables_mut().delete_leftovers(kind, until, limit) as u64)
    }

    async fn delete_full_buckets(
        &mut self,
        until: Timestamp,
        after: Option<BucketKey>,
        limit: u16,
    ) -> Result<SweptBuckets, StoreError> {
        let buckets = &mut self.tables_mut().buckets;
        let behind = |key: &BucketKey| after.is_none_or(|after| *key > after);
        let stretch: Vec<BucketKey> = buckets.entries().map(|(key, _)| *key).filter(behind).take(usize::from(limit)).collect();
        let next = stretch.last().copied().filter(|_| stretch.len() == usize::from(limit));
        let deleted = stretch.iter().filter(|key| buckets.delete_if(key, |full_at| *full_at <= until)).count() as u64;
        Ok(SweptBuckets { deleted, next })
    }
}
