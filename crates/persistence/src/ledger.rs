use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QueryTrait,
    sea_query::{Expr, OnConflict},
};
use tenantry_domain::{
    CalendarMonth, CodeId, ProjectId, Quota, Redemption, RedemptionId, StoreError, TenantId, Timestamp,
    ports::{LedgerReads, LedgerWrites},
};

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::{
        redemptions::{ActiveModel, Column, Entity, Model},
        usage_months,
    },
    row::Row,
    timestamp::DbTime,
};

impl<C: Connection> LedgerReads for Handle<C> {
    async fn redemptions_of_code(&mut self, tenant: TenantId, code: CodeId) -> Result<Vec<Redemption>, StoreError> {
        let query = Entity::find()
            .filter(Column::ActivationCodeId.eq(code.uuid()))
            .filter(Column::TenantId.eq(tenant.uuid()))
            .order_by_asc(Column::RedeemedAt)
            .order_by_asc(Column::Id);
        self.list::<Model>(query.build(self.backend())).await
    }

    async fn live_redemption(&mut self, tenant: TenantId, project: ProjectId) -> Result<Option<Redemption>, StoreError> {
        let query = Entity::find()
            .filter(Column::ProjectId.eq(project.uuid()))
            .filter(Column::TenantId.eq(tenant.uuid()))
            .filter(Column::ReturnedAt.is_null());
        self.find::<Model>(query.build(self.backend())).await
    }

    async fn latest_redemption(&mut self, tenant: TenantId, project: ProjectId) -> Result<Option<Redemption>, StoreError> {
        let query = Entity::find()
            .filter(Column::ProjectId.eq(project.uuid()))
            .filter(Column::TenantId.eq(tenant.uuid()))
            .order_by_desc(Column::RedeemedAt)
            .order_by_desc(Column::Id);
        let mut statement = query.build(self.backend());
        statement.sql.push_str(" LIMIT 1");
        self.find::<Model>(statement).await
    }

    async fn activations_in(&mut self, tenant: TenantId, month: CalendarMonth) -> Result<u32, StoreError> {
        let query = usage_months::Entity::find_by_id((tenant.uuid(), month.year.into(), month.month.into()));
        Ok(self.find::<usage_months::Model>(query.build(self.backend())).await?.unwrap_or(0))
    }
}

impl LedgerWrites for Handle<OpenTransaction> {
    async fn insert_redemption(&mut self, redemption: &Redemption) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(redemption));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn count_activation(
        &mut self,
        tenant: TenantId,
        month: CalendarMonth,
        quota: Quota,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        // A quota is at least one, so a month's first activation is within it.
        let first = usage_months::ActiveModel {
            tenant_id: Set(tenant.uuid()),
            year: Set(month.year.into()),
            month: Set(month.month.into()),
            activations: Set(1),
            updated_at: Set(now.into()),
        };
        let counted = || Expr::col((usage_months::Entity, usage_months::Column::Activations));
        let one_more =
            OnConflict::columns([usage_months::Column::TenantId, usage_months::Column::Year, usage_months::Column::Month])
                .value(usage_months::Column::Activations, counted().add(1))
                .update_column(usage_months::Column::UpdatedAt)
                .action_and_where(counted().lt(i64::from(quota.get())))
                .to_owned();
        let mut count = usage_months::Entity::insert(first).on_conflict(one_more).build(self.backend());
        count.sql.push_str(" RETURNING activations");
        let counted = self.value::<i64>(usage_months::Model::WHAT, count).await?;
        let counted = counted.map(crate::row::count).transpose();
        counted.map_err(|source| StoreError::Corrupt { what: usage_months::Model::WHAT, source })
    }

    async fn return_redemption(&mut self, tenant: TenantId, id: RedemptionId, now: Timestamp) -> Result<bool, StoreError> {
        let update = Entity::update_many()
            .col_expr(Column::ReturnedAt, Expr::value(DbTime::from(now)))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::TenantId.eq(tenant.uuid()))
            .filter(Column::ReturnedAt.is_null());
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn uncount_activation(&mut self, tenant: TenantId, month: CalendarMonth, now: Timestamp) -> Result<bool, StoreError> {
        use usage_months::Column;

        let update = usage_months::Entity::update_many()
            .col_expr(Column::Activations, Expr::col(Column::Activations).sub(1))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(Column::TenantId.eq(tenant.uuid()))
            .filter(Column::Year.eq(i64::from(month.year)))
            .filter(Column::Month.eq(i64::from(month.month)))
            .filter(Column::Activations.gt(0));
        self.wrote(usage_months::Model::WHAT, update.build(self.backend())).await
    }
}
