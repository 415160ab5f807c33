use super::store::{MemoryTransaction, Mode, View};
use crate::{
    ApiKeyId, AuditEvent, AuditFilter, BatchId, CodeId, OperatorId, Page, PageRequest, StoreError, TenantId,
    ports::{ActorNames, AuditReads, AuditWrites},
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

    async fn actor_names(&mut self, operators: &[OperatorId], api_keys: &[ApiKeyId]) -> Result<ActorNames, StoreError> {
        let tables = self.tables();
        let operators = operators.iter().filter_map(|id| Some((*id, tables.operators.get(id)?.name.clone()))).collect();
        let api_keys = api_keys.iter().filter_map(|id| Some((*id, tables.api_keys.get(id)?.name.clone()))).collect();
        Ok(ActorNames { operators, api_keys })
    }
}

impl AuditWrites for MemoryTransaction {
    async fn append_audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        self.tables_mut().audit.put(event.id, event.clone());
        Ok(())
    }
}
