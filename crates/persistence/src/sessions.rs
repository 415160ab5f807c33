use std::cmp::Reverse;

use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, IdenStatic as _, QueryFilter, QueryResult, QueryTrait, UpdateMany, Value,
    sea_query::Expr,
};
use tenantry_domain::{
    Page, PageRequest, Project, Session, SessionId, StoreError, Tenant, TenantId, Timestamp, TokenDigest,
    ports::{ProjectReads as _, SessionReads, SessionTouch, SessionWrites},
};
use uuid::Uuid;

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::{
        projects::{self, ProjectRow},
        sessions::{ActiveModel, Column, Entity, Model},
        tenants,
    },
    handle::places,
    row::{Corruption, Row},
    timestamp::DbTime,
};

/// A session and its tenant, whose columns start with `t_`: the one query that every request of a tenant makes.
const SESSION_AND_TENANT: &str = "
    SELECT s.id, s.tenant_id, s.token_digest, s.last_activity, s.expires_at, s.client_ip, s.user_agent, s.revoked_at,
        s.created_at, s.updated_at,
        t.id AS t_id, t.slug AS t_slug, t.name AS t_name, t.contact_email AS t_contact_email, t.logo_url AS t_logo_url,
        t.primary_color AS t_primary_color, t.domain AS t_domain, t.suspended_at AS t_suspended_at, '' AS t_search_text,
        t.created_at AS t_created_at, t.updated_at AS t_updated_at
    FROM tenant_sessions s JOIN tenants t ON t.id = s.tenant_id
    WHERE s.token_digest IN ";

struct SessionAndTenant(Model, tenants::Model);

impl FromQueryResult for SessionAndTenant {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self(Model::from_query_result(row, "")?, tenants::Model::from_query_result(row, "t_")?))
    }
}

impl Row for SessionAndTenant {
    type Value = (Session, Tenant);
    const WHAT: &'static str = "session";

    fn into_value(self) -> Result<Self::Value, Corruption> {
        Ok((self.0.into_value()?, self.1.into_value()?))
    }
}

/// A row of [`session_and_projects`].
enum Either {
    Session(Box<(Session, Tenant)>),
    Project(Box<Project>),
}

struct SessionOrProject(Result<SessionAndTenant, ProjectRow>);

impl FromQueryResult for SessionOrProject {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, sea_orm::DbErr> {
        let project: Option<Uuid> = row.try_get("", "p_id")?;
        Ok(Self(match project {
            None => Ok(SessionAndTenant::from_query_result(row, "")?),
            Some(_) => Err(ProjectRow::from_query_result(row, "p_")?),
        }))
    }
}

impl Row for SessionOrProject {
    type Value = Either;
    const WHAT: &'static str = SessionAndTenant::WHAT;

    fn into_value(self) -> Result<Self::Value, Corruption> {
        Ok(match self.0 {
            Ok(found) => Either::Session(Box::new(found.into_value()?)),
            Err(project) => Either::Project(Box::new(project.into_value()?)),
        })
    }
}

/// [`SESSION_AND_TENANT`], and one project more than a page has, as rows of one answer. The projects' tenant is looked up once more, in
/// place of a join: that is what leads to the index in the list's order.
fn session_and_projects(digests: &[TokenDigest], page: PageRequest<Project>) -> (String, Vec<Value>) {
    const SESSION: [&str; 21] = [
        "id",
        "tenant_id",
        "token_digest",
        "last_activity",
        "expires_at",
        "client_ip",
        "user_agent",
        "revoked_at",
        "created_at",
        "updated_at",
        "t_id",
        "t_slug",
        "t_name",
        "t_contact_email",
        "t_logo_url",
        "t_primary_color",
        "t_domain",
        "t_suspended_at",
        "t_search_text",
        "t_created_at",
        "t_updated_at",
    ];
    let mut values: Vec<Value> = digests.iter().map(|digest| digest.as_bytes().to_vec().into()).collect();
    let places = places(values.len());
    let after = page.after.map_or_else(String::new, |after| {
        values.push(after.uuid().into());
        format!("AND id < ${}", values.len())
    });
    let names = projects::READ.map(|column| column.as_str().to_owned());
    let no_project = names.each_ref().map(|name| format!("NULL AS p_{name}")).join(", ");
    let project = names.each_ref().map(|name| format!("{name} AS p_{name}")).join(", ");
    let no_session = SESSION.map(|name| format!("NULL AS {name}")).join(", ");
    let session = SESSION_AND_TENANT.replacen("FROM", &format!(", {no_project} FROM"), 1);
    let query = format!(
        "{session} ({places}) UNION ALL SELECT {no_session}, projects.* FROM (
            SELECT {project} FROM llm_project_config
            WHERE tenant_id = (SELECT tenant_id FROM tenant_sessions WHERE token_digest IN ({places}) LIMIT 1) {after}
            ORDER BY llm_project_config.id DESC LIMIT {}
        ) AS projects",
        page.limit.get() + 1
    );
    (query, values)
}

impl<C: Connection> SessionReads for Handle<C> {
    async fn session_by_digests(&mut self, digests: &[TokenDigest]) -> Result<Option<(Session, Tenant)>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let query = format!("{SESSION_AND_TENANT} ({})", places(digests.len()));
        let values = digests.iter().map(|digest| digest.as_bytes().to_vec().into());
        self.find::<SessionAndTenant>(self.sql(&query, values)).await
    }

    async fn session_and_projects(
        &mut self,
        digests: &[TokenDigest],
        page: PageRequest<Project>,
    ) -> Result<Option<(Session, Tenant, Page<Project>)>, StoreError> {
        if digests.is_empty() {
            return Ok(None);
        }
        let (query, values) = session_and_projects(digests, page);
        let rows = self.list::<SessionOrProject>(self.sql(&query, values)).await?;
        let (mut found, mut projects) = (None, Vec::new());
        for row in rows {
            match row {
                Either::Session(session) => found = Some(*session),
                Either::Project(project) => projects.push(*project),
            }
        }
        let Some((session, tenant)) = found else { return Ok(None) };
        // In the database's order; a union need not keep it.
        projects.sort_unstable_by_key(|project| Reverse(project.id));
        let mut projects = Page::from_surplus(projects, page.limit);
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
