use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryTrait, UpdateMany, sea_query::Expr};
use tenantry_domain::{
    Batch, BatchId, BatchState, CodeId, Id, Page, PageRequest, StoreError, TenantId, Timestamp,
    ports::{BatchFilter, BatchReads, BatchWrites, RevokedCodes},
};
use uuid::Uuid;

use crate::{
    Handle,
    codes::{StatusCount, by_status, counted},
    connection::{Connection, OpenTransaction},
    entities::{
        batches::{ActiveModel, Column, Entity, Model},
        codes,
    },
    handle::returning,
    row::Row,
    timestamp::DbTime,
};

impl<C: Connection> BatchReads for Handle<C> {
    async fn batch_of_anyone(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        let query = Entity::find_by_id(id.uuid());
        self.find::<Model>(query.build(self.backend())).await
    }

    async fn batches_of_anyone_page(
        &mut self,
        filter: &BatchFilter,
        page: PageRequest<Batch>,
    ) -> Result<Page<Batch>, StoreError> {
        let query = Entity::find()
            .apply_if(filter.tenant, |query, tenant| query.filter(Column::TenantId.eq(tenant.uuid())))
            .apply_if(filter.label.as_ref(), |query, label| query.filter(Column::Label.eq(label.as_str())));
        self.page::<_, Model, _>(query, Column::Id, page).await
    }

    async fn count_batch_codes(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<[u64; 4], StoreError> {
        let values = [tenant.uuid().into(), DbTime::from(now).into(), id.uuid().into()];
        let counts = self.sql(&by_status("tenant_id = $1 AND batch_id = $3"), values);
        Ok(counted(self.list::<StatusCount>(counts).await?))
    }
}

impl BatchWrites for Handle<OpenTransaction> {
    async fn insert_batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(batch));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn count_issued(&mut self, tenant: TenantId, id: BatchId, codes: u32, now: Timestamp) -> Result<bool, StoreError> {
        let issued = Expr::col(Column::Issued).add(i64::from(codes));
        let update =
            issuing(tenant, id, now).col_expr(Column::Issued, issued.clone()).filter(issued.lte(Expr::col(Column::Ordered)));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn complete_batch(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<bool, StoreError> {
        let update = issuing(tenant, id, now)
            .col_expr(Column::State, Expr::value(BatchState::Complete.as_str()))
            .filter(Expr::col(Column::Issued).eq(Expr::col(Column::Ordered)));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn cancel_batch(&mut self, tenant: TenantId, id: BatchId, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let update = issuing(tenant, id, now).col_expr(Column::State, Expr::value(BatchState::Cancelled.as_str()));
        let update = returning(update, [Column::Issued]);
        let issued = self.value::<i64>(Model::WHAT, update.build(self.backend())).await?;
        let count = issued.map(crate::row::count).transpose();
        count.map_err(|source| StoreError::Corrupt { what: Model::WHAT, source })
    }

    async fn revoke_batch_codes(
        &mut self,
        tenant: TenantId,
        id: BatchId,
        after: Option<CodeId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<RevokedCodes, StoreError> {
        // Every identifier lies above the nil one.
        let after = after.map_or(Uuid::nil(), Id::uuid);
        // The part's end first, by the index alone: the update is then a range, and needs no list.
        let end = "SELECT id FROM activation_codes WHERE tenant_id = $1 AND batch_id = $2 AND id > $3 ORDER BY id";
        let end = format!("{end} LIMIT 1 OFFSET {}", limit.saturating_sub(1));
        let end = self.sql(&end, [tenant.uuid().into(), id.uuid().into(), after.into()]);
        let last = self.returned_id(codes::Model::WHAT, end).await?;
        let moment = DbTime::from(now);
        let update = codes::Entity::update_many()
            .col_expr(codes::Column::RevokedAt, Expr::value(moment))
            .col_expr(codes::Column::UpdatedAt, Expr::value(moment))
            .filter(codes::Column::TenantId.eq(tenant.uuid()))
            .filter(codes::Column::BatchId.eq(id.uuid()))
            .filter(codes::Column::Id.gt(after))
            .filter(codes::Column::Id.lte(last.unwrap_or(Uuid::max())))
            .filter(codes::Column::RevokedAt.is_null());
        let revoked = self.write(codes::Model::WHAT, update.build(self.backend())).await?;
        Ok(RevokedCodes { revoked, last: last.map(Id::from_uuid) })
    }
}

/// A change of a tenant's batch, made while that is being issued.
fn issuing(tenant: TenantId, id: BatchId, now: Timestamp) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
        .filter(Column::Id.eq(id.uuid()))
        .filter(Column::TenantId.eq(tenant.uuid()))
        .filter(Column::State.eq(BatchState::Issuing.as_str()))
}
