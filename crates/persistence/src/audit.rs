use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryTrait};
use tenantry_domain::{
    AuditEvent, Page, PageRequest, StoreError, TenantId,
    ports::{AuditReads, AuditWrites},
};

use crate::{
    Handle,
    entities::audit_events::{ActiveModel, Column, Entity, Model},
    row::Row,
};

impl<C: ConnectionTrait + Send> AuditReads for Handle<C> {
    async fn audit_page(
        &mut self,
        tenant: Option<TenantId>,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let query = Entity::find().apply_if(tenant, |query, tenant| query.filter(Column::TenantId.eq(tenant.uuid())));
        self.page::<_, Model, _>(query, Column::Id, page).await
    }
}

impl AuditWrites for Handle<DatabaseTransaction> {
    async fn append_audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(event));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }
}
