use tenantry_domain::{
    Batch, BatchId, BatchState, Code, CodeId, CodeStatus, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{BatchFilter, BatchReads, BatchWrites, CodeWrites as _, RevokedCodes},
};

use crate::{
    stats::tally,
    store::{Mode, RedbTransaction, View},
    tables::{BATCHES, CODES},
};

impl<M: Mode> BatchReads for View<M> {
    async fn batch_of_anyone(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        self.rows()?.get(BATCHES, &id)
    }

    async fn batches_of_anyone_page(
        &mut self,
        filter: &BatchFilter,
        page: PageRequest<Batch>,
    ) -> Result<Page<Batch>, StoreError> {
        self.rows()?.page(BATCHES, page, |batch| filter.keeps(batch))
    }

    async fn count_batch_codes(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<[u64; 4], StoreError> {
        let rows = self.rows()?;
        let codes = rows.list(CODES, |code| code.tenant_id == tenant && code.batch_id == id)?;
        Ok(tally(CodeStatus::ALL, codes.iter().map(|code| code.status(now))))
    }
}

impl BatchWrites for RedbTransaction {
    async fn insert_batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        rows.demand_tenant(batch.tenant_id)?;
        rows.put(BATCHES, &batch.id, batch)
    }

    async fn count_issued(&mut self, tenant: TenantId, id: BatchId, codes: u32, now: Timestamp) -> Result<bool, StoreError> {
        let has_room = |batch: &Batch| issuing(batch, tenant) && batch.issued.saturating_add(codes) <= batch.ordered;
        let counted = self.rows_mut().change_if(BATCHES, &id, has_room, |batch| {
            batch.issued += codes;
            batch.updated_at = now;
        })?;
        Ok(counted.is_some())
    }

    async fn complete_batch(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<bool, StoreError> {
        let whole = |batch: &Batch| issuing(batch, tenant) && batch.issued == batch.ordered;
        let ended = self.rows_mut().change_if(BATCHES, &id, whole, |batch| {
            batch.state = BatchState::Complete;
            batch.updated_at = now;
        })?;
        Ok(ended.is_some())
    }

    async fn cancel_batch(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let ended = self.rows_mut().change_if(
            BATCHES,
            &id,
            |batch| issuing(batch, tenant),
            |batch| {
                batch.state = BatchState::Cancelled;
                batch.updated_at = now;
            },
        )?;
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
        let behind = |code: &Code| after.is_none_or(|after| code.id > after);
        let of_batch = |code: &Code| code.tenant_id == tenant && code.batch_id == id && behind(code);
        let part: Vec<CodeId> = self.rows()?.list(CODES, of_batch)?.into_iter().take(limit).map(|code| code.id).collect();
        let last = part.last().copied().filter(|_| part.len() == limit);
        let mut revoked = 0;
        for id in part {
            revoked += u64::from(self.revoke_code(tenant, id, now).await?);
        }
        Ok(RevokedCodes { revoked, last })
    }
}

fn issuing(batch: &Batch, tenant: TenantId) -> bool {
    batch.tenant_id == tenant && batch.state == BatchState::Issuing
}
