use tenantry_domain::{
    ApiKeyId, AuditEvent, AuditFilter, BatchId, CodeId, OperatorId, Page, PageRequest, StoreError, TenantId,
    ports::{ActorNames, AuditReads, AuditWrites},
};

use crate::{
    store::{Mode, RedbTransaction, View},
    tables::{API_KEYS, AUDIT, OPERATORS},
};

impl<M: Mode> AuditReads for View<M> {
    async fn audit_page(
        &mut self,
        tenant: Option<TenantId>,
        filter: &AuditFilter,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        self.rows()?.page(AUDIT, page, |event| (tenant.is_none() || event.tenant_id == tenant) && filter.keeps(event))
    }

    async fn code_timeline(
        &mut self,
        code: CodeId,
        batch: Option<BatchId>,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let concerns = |event: &AuditEvent| event.code_id == Some(code) || (batch.is_some() && event.batch_id == batch);
        self.rows()?.page_oldest_first(AUDIT, page, concerns)
    }

    async fn actor_names(&mut self, operators: &[OperatorId], api_keys: &[ApiKeyId]) -> Result<ActorNames, StoreError> {
        let rows = self.rows()?;
        let mut names = ActorNames::default();
        for &id in operators {
            names.operators.extend(rows.get(OPERATORS, &id)?.map(|operator| (id, operator.name)));
        }
        for &id in api_keys {
            names.api_keys.extend(rows.get(API_KEYS, &id)?.map(|key| (id, key.name)));
        }
        Ok(names)
    }
}

impl AuditWrites for RedbTransaction {
    async fn append_audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        self.rows_mut().put(AUDIT, &event.id, event)
    }
}
