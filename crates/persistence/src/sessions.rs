use std::sync::LazyLock;

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::{
        sessions::{ActiveModel, Column, Entity, Model},
        tenants,
    },
    handle::places,
    row::{Columns, Corruption, HotRow, InOrder, Row},
    session_pages::Question,
    timestamp::DbTime,
};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult, QueryTrait, UpdateMany, sea_query::Expr,
};
use tenantry_domain::{
    Page, PageRequest, Project, Session, SessionId, StoreError, Tenant, TenantId, Timestamp, TokenDigest,
    ports::{ProjectReads as _, SessionReads, SessionTouch, SessionWrites},
};

/// A session and its tenant: the one query that every request of a tenant makes.
static BY_DIGESTS: LazyLock<String> = LazyLock::new(|| format!("SELECT {} {FROM_SESSIONS}", SESSION_AND_TENANT.join(", ")));

/// Where sessions and their tenants are.
pub(crate) const FROM_SESSIONS: &str = "FROM tenant_sessions s JOIN tenants t ON t.id = s.tenant_id WHERE s.token_digest IN";

/// What is read of a session and its tenant, in the order of [`SessionAndTenant::in_order`].
pub(crate) const SESSION_AND_TENANT: [&str; 20] = [
    "s.id",
    "s.tenant_id",
    "s.token_digest",
    "s.last_activity",
    "s.expires_at",
    "s.client_ip",
    "s.user_agent",
    "s.revoked_at",
    "s.created_at",
    "s.updated_at",
    "t.id",
    "t.slug",
    "t.name",
    "t.contact_email",
    "t.logo_url",
    "t.primary_color",
    "t.domain",
    "t.suspended_at",
    "t.created_at",
    "t.updated_at",
];

/// A row of [`SESSION_AND_TENANT`].
pub(crate) struct SessionAndTenant(Model, tenants::Model);

impl SessionAndTenant {
    pub(crate) fn in_order<C, I>(columns: &mut InOrder<'_, C, I>) -> Result<Self, DbErr>
    where
        C: Columns,
        I: Iterator<Item = usize>,
    {
        Ok(Self(Model::in_order(columns)?, tenants::Model::in_order(columns)?))
    }
}

impl FromQueryResult for SessionAndTenant {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        Self::read(row)
    }
}

impl HotRow for SessionAndTenant {
    fn read(row: &impl Columns) -> Result<Self, DbErr> {
        Self::in_order(&mut InOrder::of(row))
    }
}

impl Row for SessionAndTenant {
    type Value = (Session, Tenant);
    const WHAT: &'static str = "session";

    fn into_value(self) -> Result<Self::Value, Corruption> {
        Ok((self.0.into_value()?, self.1.into_value()?))
    }
}

impl<C: Connection> SessionReads for Handle<C> {
    async fn session_by_digests(&mut self, digests: &[TokenDigest]) -> Result<Option<(Session, Tenant)>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let query = format!("{} ({})", *BY_DIGESTS, places(digests.len()));
        let values = digests.iter().map(|digest| digest.as_bytes().to_vec().into());
        self.find_hot::<SessionAndTenant>(self.sql(&query, values)).await
    }

    async fn session_and_projects(
        &mut self,
        digests: &[TokenDigest],
        page: PageRequest<Project>,
    ) -> Result<Option<(Session, Tenant, Page<Project>)>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let together = match self.connection.session_pages() {
            Some(pages) if page.after.is_none() => pages.ask(Question { digests: digests.to_vec(), limit: page.limit }).await,
            _ => None,
        };
        let found = match together {
            Some(found) => found,
            None => self.session_page(digests, page).await?,
        };
        let Some((session, tenant, mut projects)) = found else { return Ok(None) };
        if page.count {
            projects.total = Some(self.count_projects(tenant.id).await?);
        }
        Ok(Some((session, tenant, projects)))
    }

    async fn live_sessions_page(
        &mut self,
        tenant: TenantId,
        now: Timestamp,
        page: PageRequest<Session>,
    ) -> Result<Page<Session>, StoreError> {
        let query = Entity::find()
            .filter(Column::TenantId.eq(tenant.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(DbTime::from(now)));
        self.page::<_, Model, _>(query, Column::Id, page).await
    }
}

impl SessionWrites for Handle<OpenTransaction> {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(session));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn touch_session(&mut self, id: SessionId, touch: SessionTouch) -> Result<bool, StoreError> {
        let update = update_live(touch.now)
            .col_expr(Column::LastActivity, Expr::value(DbTime::from(touch.now)))
            .col_expr(Column::ExpiresAt, Expr::value(DbTime::from(touch.expires_at)))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::LastActivity.lte(DbTime::from(touch.unless_active_since)))
            .apply_if(touch.rekeyed, |update, digest| {
                update.col_expr(Column::TokenDigest, Expr::value(digest.as_bytes().to_vec()))
            });
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn revoke_session(&mut self, tenant: TenantId, id: SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let update = revoke_live(tenant, now).filter(Column::Id.eq(id.uuid()));
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn revoke_sessions(&mut self, tenant: TenantId, now: Timestamp) -> Result<u64, StoreError> {
        self.write(Model::WHAT, revoke_live(tenant, now).build(self.backend())).await
    }

    async fn revoke_other_sessions(&mut self, tenant: TenantId, kept: SessionId, now: Timestamp) -> Result<u64, StoreError> {
        let update = revoke_live(tenant, now).filter(Column::Id.ne(kept.uuid()));
        self.write(Model::WHAT, update.build(self.backend())).await
    }
}

fn update_live(now: Timestamp) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(DbTime::from(now)))
}

fn revoke_live(tenant: TenantId, now: Timestamp) -> UpdateMany<Entity> {
    update_live(now).col_expr(Column::RevokedAt, Expr::value(DbTime::from(now))).filter(Column::TenantId.eq(tenant.uuid()))
}
