use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, QueryTrait, Select, UpdateMany,
    sea_query::{BinOper, Expr, Func, LockType, OnConflict},
};
use tenantry_domain::{
    CodeId, Description, Page, PageRequest, Priority, Project, ProjectDetails, ProjectId, ProjectStatus, Slug, StoreError,
    TenantId, Timestamp, Transition,
    ports::{Ownership, ProjectFilter, ProjectReads, ProjectStanding, ProjectWrites},
};
use uuid::Uuid;

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::projects::{ActiveModel, Column, Entity, ProjectRow, READ, StandingRow},
    error::is_unique_violation,
    handle::returning,
    row::Row,
    search,
    timestamp::DbTime,
};

/// One statement, and so one moment.
const STANDING: &str = "
    SELECT p.id, p.project_id, p.tenant_id, p.activation_code_id, p.client_name, p.description, p.objectives, p.priority,
        p.project_status, p.started_at, p.completed_at, p.created_by, p.created_at, p.updated_at,
        t.slug AS tenant_slug, t.suspended_at, s.state
    FROM llm_project_config p JOIN tenants t ON t.id = p.tenant_id JOIN subscriptions s ON s.tenant_id = t.id
    WHERE p.id = $1 AND p.tenant_id = $2";

impl<C: Connection> ProjectReads for Handle<C> {
    async fn project(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>, StoreError> {
        let query = read().filter(Column::Id.eq(id.uuid())).filter(Column::TenantId.eq(tenant.uuid()));
        self.find::<ProjectRow>(query.build(self.backend())).await
    }

    async fn project_standing(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<ProjectStanding>, StoreError> {
        self.find::<StandingRow>(self.sql(STANDING, [id.uuid().into(), tenant.uuid().into()])).await
    }

    async fn projects_page(
        &mut self,
        tenant: TenantId,
        filter: &ProjectFilter,
        page: PageRequest<Project>,
    ) -> Result<Page<Project>, StoreError> {
        self.projects_of_anyone_page(Ownership::Tenant(tenant), filter, page).await
    }

    async fn count_projects(&mut self, tenant: TenantId) -> Result<u64, StoreError> {
        self.count(
            "count of projects",
            self.sql("SELECT count(*) FROM llm_project_config WHERE tenant_id = $1", [tenant.uuid().into()]),
        )
        .await
    }

    async fn project_slug_taken(&mut self, tenant: TenantId, slug: &Slug) -> Result<bool, StoreError> {
        let taken = "SELECT id FROM llm_project_config WHERE tenant_id = $1 AND project_id = $2";
        let taken = self.sql(taken, [tenant.uuid().into(), slug.as_str().into()]);
        Ok(self.returned_id(ProjectRow::WHAT, taken).await?.is_some())
    }

    async fn project_of_anyone(&mut self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.find::<ProjectRow>(read().filter(Column::Id.eq(id.uuid())).build(self.backend())).await
    }

    async fn projects_of_anyone_page(
        &mut self,
        ownership: Ownership,
        filter: &ProjectFilter,
        page: PageRequest<Project>,
    ) -> Result<Page<Project>, StoreError> {
        let mut query = match ownership {
            Ownership::Any => read(),
            Ownership::Nobody => read().filter(Column::TenantId.is_null()),
            Ownership::Tenant(tenant) => read().filter(Column::TenantId.eq(tenant.uuid())),
        };
        if let Some(status) = filter.status {
            query = query.filter(Column::ProjectStatus.eq(status.as_str()));
        }
        if let Some(search) = &filter.search {
            let Some(pattern) = search::containing(search) else { return Ok(Page::of_nothing(page)) };
            query = query.filter(Column::SearchText.like(pattern));
        }
        self.page::<_, ProjectRow, _>(query, Column::Id, page).await
    }
}

impl ProjectWrites for Handle<OpenTransaction> {
    async fn lock_project(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>, StoreError> {
        let query = read().filter(Column::Id.eq(id.uuid())).filter(Column::TenantId.eq(tenant.uuid()));
        // Left out for SQLite, where a transaction that writes is alone.
        self.find::<ProjectRow>(query.lock(LockType::NoKeyUpdate).build(self.backend())).await
    }

    async fn insert_project(&mut self, project: &Project) -> Result<bool, StoreError> {
        // No target: the slug of a project without a tenant has an index of its own.
        let unless_taken = OnConflict::new().do_nothing().to_owned();
        let insert = Entity::insert(ActiveModel::from(project)).on_conflict(unless_taken);
        self.wrote(ProjectRow::WHAT, insert.build(self.backend())).await
    }

    async fn change_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        details: &ProjectDetails,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let description = details.description.as_ref().map(Description::as_str);
        let objectives = details.objectives.as_ref().map(Description::as_str);
        let update = Entity::update_many()
            .col_expr(Column::ClientName, Expr::value(details.client_name.as_str()))
            .col_expr(Column::Description, Expr::value(description))
            .col_expr(Column::Objectives, Expr::value(objectives))
            .col_expr(Column::Priority, Expr::value(details.priority.as_ref().map(Priority::as_str)))
            .col_expr(Column::SearchText, search_text(details))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::TenantId.eq(tenant.uuid()));
        self.find::<ProjectRow>(returning(update, READ).build(self.backend())).await
    }

    async fn start_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        code: CodeId,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let update = update(tenant, id, ProjectStatus::Pending, ProjectStatus::Active, now)
            .col_expr(Column::ActivationCodeId, Expr::value(code.uuid()))
            .col_expr(Column::StartedAt, Expr::value(DbTime::from(now)));
        self.find::<ProjectRow>(update.build(self.backend())).await
    }

    async fn transition_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        transition: Transition,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let mut update = update(tenant, id, transition.from(), transition.to(), now);
        if transition == Transition::Complete {
            update = update.col_expr(Column::CompletedAt, Expr::value(DbTime::from(now)));
        }
        self.find::<ProjectRow>(update.build(self.backend())).await
    }

    async fn return_project(&mut self, tenant: TenantId, id: ProjectId, now: Timestamp) -> Result<Option<Project>, StoreError> {
        let running = [ProjectStatus::Active, ProjectStatus::Paused].map(ProjectStatus::as_str);
        let update = Entity::update_many()
            .col_expr(Column::ProjectStatus, Expr::value(ProjectStatus::Pending.as_str()))
            .col_expr(Column::ActivationCodeId, Expr::value(None::<Uuid>))
            .col_expr(Column::StartedAt, Expr::value(None::<DbTime>))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::TenantId.eq(tenant.uuid()))
            .filter(Column::ProjectStatus.is_in(running))
            .filter(Column::ActivationCodeId.is_not_null());
        self.find::<ProjectRow>(returning(update, READ).build(self.backend())).await
    }

    async fn delete_project(&mut self, tenant: TenantId, id: ProjectId) -> Result<bool, StoreError> {
        let delete = Entity::delete_by_id(id.uuid()).filter(Column::TenantId.eq(tenant.uuid()));
        self.wrote(ProjectRow::WHAT, delete.build(self.backend())).await
    }

    async fn assign_project(&mut self, id: ProjectId, tenant: TenantId, now: Timestamp) -> Result<Option<Project>, StoreError> {
        let update = Entity::update_many()
            .col_expr(Column::TenantId, Expr::value(tenant.uuid()))
            .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::TenantId.is_null());
        // An update has no ON CONFLICT: a slug that is taken breaks the statement, and would break the transaction.
        let update = returning(update, READ).build(self.backend());
        self.find_unless_refused::<ProjectRow>(update, is_unique_violation).await
    }
}

fn read() -> Select<Entity> {
    Entity::find().select_only().columns(READ)
}

/// Moves a project from one status to another, where it is in the first.
fn update(tenant: TenantId, id: ProjectId, from: ProjectStatus, to: ProjectStatus, now: Timestamp) -> UpdateMany<Entity> {
    let update = Entity::update_many()
        .col_expr(Column::ProjectStatus, Expr::value(to.as_str()))
        .col_expr(Column::UpdatedAt, Expr::value(DbTime::from(now)))
        .filter(Column::Id.eq(id.uuid()))
        .filter(Column::TenantId.eq(tenant.uuid()))
        .filter(Column::ProjectStatus.eq(from.as_str()));
    returning(update, READ)
}

/// [`ProjectDetails::search_text`], with the slug that only the row knows: being ASCII, it is folded alike by every database.
fn search_text(details: &ProjectDetails) -> Expr {
    let name = details.client_name.as_str().to_lowercase();
    let description = details.description.as_ref().map_or("", Description::as_str).to_lowercase();
    let join = || BinOper::Custom("||");
    Expr::value(format!("{name}\n"))
        .binary(join(), Func::lower(Expr::col(Column::ProjectId)))
        .binary(join(), format!("\n{description}"))
}
