use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, ExprTrait, QueryFilter, QueryTrait,
    sea_query::{Expr, OnConflict},
};
use tenantry_domain::{
    Entitlement, Page, PageRequest, Slug, StoreError, Subscription, Tenant, TenantId, Timestamp,
    ports::{TenantReads, TenantWrites},
};

use crate::{
    Handle,
    entities::{
        subscriptions::{self, EntitlementRow},
        tenants::{ActiveModel, Column, Entity, Model},
    },
    row::Row,
    search,
    timestamp::DbTime,
};

const ENTITLEMENT: &str = "
    SELECT s.state, p.monthly_run_quota, t.suspended_at
    FROM tenants t JOIN subscriptions s ON s.tenant_id = t.id JOIN plans p ON p.id = s.plan_id
    WHERE t.id = $1";

impl<C: ConnectionTrait + Send> TenantReads for Handle<C> {
    async fn tenant(&mut self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        self.find::<Model>(Entity::find().filter(Column::Slug.eq(slug.as_str())).build(self.backend())).await
    }

    async fn tenants_page(&mut self, search: Option<&str>, page: PageRequest<Tenant>) -> Result<Page<Tenant>, StoreError> {
        let mut query = Entity::find();
        if let Some(search) = search {
            let Some(pattern) = search::containing(search) else { return Ok(Page::of_nothing(page)) };
            query = query.filter(Column::SearchText.like(pattern));
        }
        self.page::<_, Model, _>(query, Column::Id, page).await
    }

    async fn subscription(&mut self, tenant: TenantId) -> Result<Option<Subscription>, StoreError> {
        let query = subscriptions::Entity::find().filter(subscriptions::Column::TenantId.eq(tenant.uuid()));
        self.find::<subscriptions::Model>(query.build(self.backend())).await
    }

    async fn entitlement(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        self.find::<EntitlementRow>(self.sql(ENTITLEMENT, [tenant.uuid().into()])).await
    }
}

impl TenantWrites for Handle<DatabaseTransaction> {
    async fn insert_tenant(&mut self, tenant: &Tenant) -> Result<bool, StoreError> {
        let unless_taken = OnConflict::column(Column::Slug).do_nothing().to_owned();
        let insert = Entity::insert(ActiveModel::from(tenant)).on_conflict(unless_taken);
        self.wrote(Model::WHAT, insert.build(self.backend())).await
    }

    async fn insert_subscription(&mut self, subscription: &Subscription) -> Result<(), StoreError> {
        let insert = subscriptions::Entity::insert(subscriptions::ActiveModel::from(subscription));
        self.write(subscriptions::Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn hold_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        self.find::<EntitlementRow>(self.locking_sql(ENTITLEMENT, "FOR KEY SHARE OF t", [tenant.uuid().into()])).await
    }

    async fn lock_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        lock_tenant_row(self, tenant).await?;
        // Read anew: the statement that waited for the lock sees the joined rows as they were before it waited.
        self.entitlement(tenant).await
    }

    async fn set_tenant_suspended(
        &mut self,
        tenant: TenantId,
        suspended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let otherwise = match suspended_at {
            Some(_) => Column::SuspendedAt.is_null(),
            None => Column::SuspendedAt.is_not_null(),
        };
        let update = Entity::update_many()
            .col_expr(Column::SuspendedAt, Expr::value(suspended_at.map(DbTime::from)))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(Column::Id.eq(tenant.uuid()).and(otherwise));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn delete_tenant(&mut self, tenant: TenantId) -> Result<bool, StoreError> {
        self.wrote(Model::WHAT, Entity::delete_by_id(tenant.uuid()).build(self.backend())).await
    }
}

/// Keeps every other transaction that does the same waiting until this one ends.
pub(crate) async fn lock_tenant_row(tx: &mut Handle<DatabaseTransaction>, tenant: TenantId) -> Result<(), StoreError> {
    if tx.backend() == DbBackend::Postgres {
        let lock = tx.sql("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", [tenant.uuid().into()]);
        tx.returned_id(Model::WHAT, lock).await?;
    }
    Ok(())
}
