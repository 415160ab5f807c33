use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, ExprTrait, FromQueryResult, Iterable, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{BinOper, Expr, Func, LockType, OnConflict, Query, SelectStatement},
};
use tenantry_domain::{
    DomainName, Entitlement, Expected, HexColor, Holdings, HttpsUrl, Limit, Page, PageRequest, RateDecision, Slug, StoreError,
    Subscription, SubscriptionTerms, Tenant, TenantId, TenantName, TenantProfile, Timestamp, Version,
    ports::{TenantFilter, TenantReads, TenantWrites},
};
use uuid::Uuid;

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::{
        outbox,
        subscriptions::{self, EntitlementRow, LimitedRow},
        tenants::{ActiveModel, Column, Entity, HoldingsRow, Model},
    },
    handle::returning,
    limits::decide,
    row::{Corruption, Row},
    search,
    timestamp::DbTime,
};

macro_rules! entitlement {
    ($more:literal) => {
        concat!(
            "SELECT s.state, p.monthly_run_quota, t.suspended_at, s.updated_at,
                (EXISTS (SELECT 1 FROM webhooks w WHERE w.tenant_id IS NULL AND w.disabled_at IS NULL)
                    OR EXISTS (SELECT 1 FROM webhooks w WHERE w.tenant_id = t.id AND w.disabled_at IS NULL)) AS has_listeners",
            $more,
            " FROM tenants t JOIN subscriptions s ON s.tenant_id = t.id JOIN plans p ON p.id = s.plan_id
            WHERE t.id = $1"
        )
    };
}

const ENTITLEMENT: &str = entitlement!("");

/// The same, and when a bucket is full again.
const ENTITLEMENT_WITHIN: &str = entitlement!(", (SELECT tat FROM rate_buckets WHERE bucket = $2) AS full_again");

/// Each count is of one index; nothing but the tenant's own rows is looked at.
const HOLDINGS: &str = "
    SELECT
        (SELECT count(*) FROM llm_project_config WHERE tenant_id = $1) AS projects,
        (SELECT count(*) FROM activation_codes WHERE tenant_id = $1) AS codes,
        (SELECT count(*) FROM tenant_sessions WHERE tenant_id = $1) AS sessions,
        (SELECT count(*) FROM redemptions WHERE tenant_id = $1 AND returned_at IS NULL) AS live_redemptions,
        (SELECT count(*) FROM redemptions WHERE tenant_id = $1 AND returned_at IS NOT NULL) AS returned_redemptions
    FROM tenants WHERE id = $1";

impl<C: Connection> TenantReads for Handle<C> {
    async fn tenant(&mut self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn tenants_by_ids(&mut self, ids: &[TenantId]) -> Result<Vec<Tenant>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let named = Entity::find().filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        self.list::<Model>(named.build(self.backend())).await
    }

    async fn tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        self.find::<Model>(Entity::find().filter(Column::Slug.eq(slug.as_str())).build(self.backend())).await
    }

    async fn tenants_page(&mut self, filter: &TenantFilter, page: PageRequest<Tenant>) -> Result<Page<Tenant>, StoreError> {
        let mut query = Entity::find();
        if filter.plan_id.is_some() || filter.state.is_some() {
            query = query.filter(Column::Id.in_subquery(subscribers(filter, page.after)));
        }
        match filter.suspended {
            Some(true) => query = query.filter(Column::SuspendedAt.is_not_null()),
            Some(false) => query = query.filter(Column::SuspendedAt.is_null()),
            None => {}
        }
        if let Some(search) = &filter.search {
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

    async fn count_holdings(&mut self, tenant: TenantId) -> Result<Option<Holdings>, StoreError> {
        self.find::<HoldingsRow>(self.sql(HOLDINGS, [tenant.uuid().into()])).await
    }
}

/// The tenants whose subscription a filter wants, behind the last one of the page before: said here too, or PostgreSQL walks all pages
/// before this one.
fn subscribers(filter: &TenantFilter, after: Option<TenantId>) -> SelectStatement {
    use subscriptions::Column as Of;
    let mut query = Query::select().column(Of::TenantId).from(subscriptions::Entity).to_owned();
    if let Some(after) = after {
        query.and_where(Of::TenantId.lt(after.uuid()));
    }
    if let Some(plan) = filter.plan_id {
        query.and_where(Of::PlanId.eq(plan.uuid()));
    }
    if let Some(state) = filter.state {
        query.and_where(Of::State.eq(state.as_str()));
    }
    query
}

impl TenantWrites for Handle<OpenTransaction> {
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

    async fn hold_tenant_within(
        &mut self,
        tenant: TenantId,
        limit: Limit,
        now: Timestamp,
    ) -> Result<Option<(Entitlement, RateDecision)>, StoreError> {
        let values = [tenant.uuid().into(), limit.bucket.as_bytes().to_vec().into()];
        let held = self.find::<LimitedRow>(self.locking_sql(ENTITLEMENT_WITHIN, "FOR KEY SHARE OF t", values)).await?;
        Ok(held.map(|(entitlement, full_again)| (entitlement, decide(full_again, limit.rate, now))))
    }

    async fn lock_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        lock_tenant_row(self, tenant).await?;
        // Read anew: the statement that waited for the lock sees the joined rows as they were before it waited.
        self.entitlement(tenant).await
    }

    async fn lock_tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        let query = Entity::find().filter(Column::Slug.eq(slug.as_str())).lock(LockType::NoKeyUpdate);
        self.find::<Model>(query.build(self.backend())).await
    }

    async fn confirm_entitlement(&mut self, tenant: TenantId, version: Version) -> Result<bool, StoreError> {
        let query = subscriptions::Entity::find().filter(subscriptions::Column::TenantId.eq(tenant.uuid()));
        let subscription = self.find::<subscriptions::Model>(query.lock(LockType::Share).build(self.backend())).await?;
        Ok(subscription.is_some_and(|subscription| subscription.version() == version))
    }

    async fn change_tenant(
        &mut self,
        tenant: TenantId,
        profile: &TenantProfile,
        now: Timestamp,
    ) -> Result<Option<Tenant>, StoreError> {
        let TenantProfile { name, contact_email, branding } = profile;
        let update = Entity::update_many()
            .col_expr(Column::Name, Expr::value(name.as_str()))
            .col_expr(Column::ContactEmail, Expr::value(contact_email.as_str()))
            .col_expr(Column::LogoUrl, Expr::value(branding.logo_url.as_ref().map(HttpsUrl::as_str)))
            .col_expr(Column::PrimaryColor, Expr::value(branding.primary_color.as_ref().map(HexColor::as_str)))
            .col_expr(Column::Domain, Expr::value(branding.domain.as_ref().map(DomainName::as_str)))
            .col_expr(Column::SearchText, search_text(name))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(Column::Id.eq(tenant.uuid()));
        self.find::<Model>(returning(update, Column::iter()).build(self.backend())).await
    }

    async fn change_subscription(
        &mut self,
        tenant: TenantId,
        terms: &SubscriptionTerms,
        now: Timestamp,
    ) -> Result<Option<Subscription>, StoreError> {
        use subscriptions::Column as Of;
        let moment = DbTime::from(now);
        let touch = Entity::update_many().col_expr(Column::UpdatedAt, Expr::value(moment)).filter(Column::Id.eq(tenant.uuid()));
        let update = subscriptions::Entity::update_many()
            .col_expr(Of::PlanId, Expr::value(terms.plan_id.uuid()))
            .col_expr(Of::State, Expr::value(terms.state.as_str()))
            .col_expr(Of::CurrentPeriodStart, Expr::value(DbTime::from(terms.current_period_start)))
            .col_expr(Of::CurrentPeriodEnd, Expr::value(DbTime::from(terms.current_period_end)))
            .col_expr(Of::UpdatedAt, Expr::value(moment))
            .filter(Of::TenantId.eq(tenant.uuid()));
        self.write(Model::WHAT, touch.build(self.backend())).await?;
        self.find::<subscriptions::Model>(returning(update, Of::iter()).build(self.backend())).await
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
        if !self.wrote(Model::WHAT, update.build(self.backend())).await? {
            return Ok(false);
        }
        let touch = subscriptions::Entity::update_many()
            .col_expr(subscriptions::Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(subscriptions::Column::TenantId.eq(tenant.uuid()));
        self.write(subscriptions::Model::WHAT, touch.build(self.backend())).await?;
        Ok(true)
    }

    async fn delete_tenant(&mut self, tenant: TenantId, expected: &Expected) -> Result<bool, StoreError> {
        if *expected != Expected::Any {
            // As strong as the deletion's own lock. A weaker one before it would let holders come between, who go on to lock the tenant:
            // they would wait for this transaction, and it for them.
            let locked = Entity::find_by_id(tenant.uuid()).lock(LockType::Update);
            let locked = self.find::<Model>(locked.build(self.backend())).await?;
            if !locked.is_some_and(|tenant| expected.admits(tenant.version())) {
                return Ok(false);
            }
        }
        // The tenant before its webhooks, and these before the messages to them, which go by no foreign key.
        let webhooks = "SELECT id FROM webhooks WHERE tenant_id = $1";
        let webhooks = self.list::<WebhookIdRow>(self.sql(webhooks, [tenant.uuid().into()])).await?;
        if !self.wrote(Model::WHAT, Entity::delete_by_id(tenant.uuid()).build(self.backend())).await? {
            return Ok(false);
        }
        if !webhooks.is_empty() {
            let messages = outbox::Entity::delete_many().filter(outbox::Column::WebhookId.is_in(webhooks));
            self.write(outbox::Model::WHAT, messages.build(self.backend())).await?;
        }
        Ok(true)
    }
}

#[derive(FromQueryResult)]
struct WebhookIdRow {
    id: Uuid,
}

impl Row for WebhookIdRow {
    type Value = Uuid;
    const WHAT: &'static str = "webhook";

    fn into_value(self) -> Result<Uuid, Corruption> {
        Ok(self.id)
    }
}

/// Name and slug in lower case, the slug as only the row knows it: being ASCII, it is folded alike by every database.
fn search_text(name: &TenantName) -> Expr {
    let name = Expr::value(format!("{}\n", name.as_str().to_lowercase()));
    name.binary(BinOper::Custom("||"), Func::lower(Expr::col(Column::Slug)))
}

/// Keeps every other transaction that does the same waiting until this one ends.
pub(crate) async fn lock_tenant_row(tx: &mut Handle<OpenTransaction>, tenant: TenantId) -> Result<(), StoreError> {
    if tx.backend() == DbBackend::Postgres {
        let lock = tx.sql("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", [tenant.uuid().into()]);
        tx.returned_id(Model::WHAT, lock).await?;
    }
    Ok(())
}
