use super::store::{MemoryTransaction, Mode, View};
use crate::{
    AuditEvent, AuditFilter, BatchId, CodeId, Page, PageRequest, StoreError, TenantId,
    ports::{AuditReads, AuditWrites},
};

impl<M: Mode> AuditReads for View<M> {
    async fn audit_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &AuditFilter,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        Ok(self.tables().audit.page(page, |event| (tenant.is_none() || event.tenant_id == tenant) && filter.keeps(event)))
    }

    async fn code_timeline(
        &mut self,
        code: CodeId,
        batch: Option<BatchId>,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let concerns = |event: &AuditEvent| event.code_id == Some(code) || (batch.is_some() && event.batch_id == batch);
        Ok(self.tables().audit.page_oldest_first(page, concerns))
    }
}

impl AuditWrites for MemoryTransaction {
    async fn append_audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        self.tables_mut().audit.put(event.id, event.clone());
        Ok(())
    }
}
