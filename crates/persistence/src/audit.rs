use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QueryTrait, Statement,
};
use tenantry_domain::{
    AuditEvent, BatchId, CodeId, Page, PageRequest, StoreError, TenantId,
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

    async fn code_timeline(
        &mut self,
        code: CodeId,
        batch: Option<BatchId>,
        page: PageRequest<AuditEvent>,
    ) -> Result<Page<AuditEvent>, StoreError> {
        // Two indexes, each with its events in order: asked for at once, all of them would be sorted.
        let of_code = Entity::find().filter(Column::CodeId.eq(code.uuid()));
        let others = Column::CodeId.is_null().or(Column::CodeId.ne(code.uuid()));
        let of_batch = batch.map(|batch| Entity::find().filter(Column::BatchId.eq(batch.uuid())).filter(others));
        let (mut events, mut total) = (Vec::new(), 0);
        for query in [Some(of_code), of_batch].into_iter().flatten() {
            if page.count {
                total += self.count_all::<Entity, Model>(query.clone()).await?;
            }
            let query = query.apply_if(page.after, |query, after| query.filter(Column::Id.gt(after.uuid())));
            let mut oldest: Statement = query.order_by_asc(Column::Id).build(self.backend());
            oldest.sql.push_str(&format!(" LIMIT {}", page.limit.get() + 1));
            events.extend(self.list::<Model>(oldest).await?);
        }
        events.sort_unstable_by_key(|event: &AuditEvent| event.id);
        Ok(Page { total: page.count.then_some(total), ..Page::from_surplus(events, page.limit) })
    }
}

impl AuditWrites for Handle<DatabaseTransaction> {
    async fn append_audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(event));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }
}
