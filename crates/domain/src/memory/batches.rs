use super::store::{MemoryTransaction, Mode, View};
use crate::{
    Batch, BatchId, BatchState, Code, CodeId, CodeStatus, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{BatchFilter, BatchReads, BatchWrites, RevokedCodes},
};

impl<M: Mode> BatchReads for View<M> {
    async fn batch_of_anyone(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        Ok(self.tables().batches.get(&id).cloned())
    }

    async fn batches_of_anyone_page(
        &mut self,
        filter: &BatchFilter,
        page: PageRequest<Batch>,
    ) -> Result<Page<Batch>, StoreError> {
        Ok(self.tables().batches.page(page, |batch| filter.keeps(batch)))
    }

    async fn count_batch_codes(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<[u64; 4], StoreError> {
        let tables = self.tables();
        let codes: Vec<&Code> = tables.codes.rows().filter(|code| code.tenant_id == tenant && code.batch_id == id).collect();
        Ok(CodeStatus::ALL.map(|status| codes.iter().map(|code| u64::from(code.status(now) == status)).sum()))
    }
}

impl BatchWrites for MemoryTransaction {
    async fn insert_batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        tables.demand_tenant(batch.tenant_id)?;
        tables.batches.put(batch.id, batch.clone());
        Ok(())
    }

    async fn count_issued(&mut self, tenant: TenantId, id: BatchId, codes: u32, now: Timestamp) -> Result<bool, StoreError> {
        let has_room = |batch: &Batch| issuing(batch, tenant) && batch.issued.saturating_add(codes) <= batch.ordered;
        let counted = self.tables_mut().batches.change_if(&id, has_room, |batch| {
            batch.issued += codes;
            batch.updated_at = now;
        });
        Ok(counted.is_some())
    }

    async fn complete_batch(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<bool, StoreError> {
        let whole = |batch: &Batch| issuing(batch, tenant) && batch.issued == batch.ordered;
        let ended = self.tables_mut().batches.change_if(&id, whole, |batch| {
            batch.state = BatchState::Complete;
            batch.updated_at = now;
        });
        Ok(ended.is_some())
    }

    async fn cancel_batch(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let ended = self.tables_mut().batches.change_if(
            &id,
            |batch| issuing(batch, tenant),
            |batch| {
                batch.state = BatchState::Cancelled;
                batch.updated_at = now;
            },
        );
        Ok(ended.map(|batch| batch.issued))
    }

    async fn revoke_batch_codes(
        &mut self,
        tenant: TenantId,
        id: BatchId,
        after: Option<CodeId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<RevokedCodes, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let tables = self.tables();
        let behind = |code: &&Code| after.is_none_or(|after| code.id > after);
        let of_batch = |code: &&Code| code.tenant_id == tenant && code.batch_id == id;
        let part: Vec<CodeId> = tables.codes.rows().filter(of_batch).filter(behind).take(limit).map(|code| code.id).collect();
        let last = part.last().copied().filter(|_| part.len() == limit);
        let mut revoked = 0;
        for id in part {
            revoked += u64::from(crate::ports::CodeWrites::revoke_code(self, tenant, id, now).await?);
        }
        Ok(RevokedCodes { revoked, last })
    }
}

fn issuing(batch: &Batch, tenant: TenantId) -> bool {
    batch.tenant_id == tenant && batch.state == BatchState::Issuing
}
