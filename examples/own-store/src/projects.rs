use tenantry_domain::{
    CodeId, Page, PageRequest, Project, ProjectDetails, ProjectId, ProjectStatus, Slug, StoreError, TenantId, Timestamp,
    Transition,
    ports::{Ownership, ProjectFilter, ProjectReads, ProjectStanding, ProjectWrites},
};

use crate::{
    error::demand,
    rows::Rows,
    store::{Mode, RedbTransaction, View},
    tables::{CODES, PROJECTS, REDEMPTIONS, SUBSCRIPTIONS, TENANTS},
};

impl Rows {
    fn slug_taken(&self, tenant: Option<TenantId>, slug: &Slug) -> Result<bool, StoreError> {
        self.any(PROJECTS, |project| project.tenant_id == tenant && project.slug == *slug)
    }
}

impl<M: Mode> ProjectReads for View<M> {
    async fn project(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>, StoreError> {
        Ok(self.rows()?.get(PROJECTS, &id)?.filter(|project| project.tenant_id == Some(tenant)))
    }

    async fn project_standing(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<ProjectStanding>, StoreError> {
        // One snapshot for all of it.
        let rows = self.rows()?;
        let Some(project) = rows.get(PROJECTS, &id)?.filter(|project| project.tenant_id == Some(tenant)) else { return Ok(None) };
        let (Some(owner), Some(subscription)) = (rows.get(TENANTS, &tenant)?, rows.get(SUBSCRIPTIONS, &tenant)?) else {
            return Ok(None);
        };
        let (tenant_slug, suspended_at, subscription) = (owner.slug, owner.suspended_at, subscription.state);
        Ok(Some(ProjectStanding { project, tenant_slug, suspended_at, subscription }))
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
        self.rows()?.count(PROJECTS, |project| project.tenant_id == Some(tenant))
    }

    async fn project_slug_taken(&mut self, tenant: TenantId, slug: &Slug) -> Result<bool, StoreError> {
        self.rows()?.slug_taken(Some(tenant), slug)
    }

    async fn project_of_anyone(&mut self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.rows()?.get(PROJECTS, &id)
    }

    async fn projects_of_anyone_page(
        &mut self,
        ownership: Ownership,
        filter: &ProjectFilter,
        page: PageRequest<Project>,
    ) -> Result<Page<Project>, StoreError> {
        let wanted = |project: &Project| ownership.keeps(project) && filter.keeps(project);
        self.rows()?.page(PROJECTS, page, wanted)
    }
}

impl ProjectWrites for RedbTransaction {
    /// Transactions take turns: there is nobody to keep waiting.
    async fn lock_project(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.project(tenant, id).await
    }

    async fn insert_project(&mut self, project: &Project) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        if let Some(tenant) = project.tenant_id {
            rows.demand_tenant(tenant)?;
        }
        if rows.slug_taken(project.tenant_id, &project.slug)? {
            return Ok(false);
        }
        rows.put(PROJECTS, &project.id, project)?;
        Ok(true)
    }

    async fn change_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        details: &ProjectDetails,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let changed = self.rows_mut().change_if(
            PROJECTS,
            &id,
            |project| project.tenant_id == Some(tenant),
            |project| {
                project.details = details.clone();
                project.updated_at = now;
            },
        )?;
        Ok(changed)
    }

    async fn start_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        code: CodeId,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let rows = self.rows_mut();
        demand(rows.has(CODES, &code)?, "there is no such code")?;
        let started = rows.change_if(
            PROJECTS,
            &id,
            |project| project.tenant_id == Some(tenant) && project.status == ProjectStatus::Pending,
            |project| {
                project.status = ProjectStatus::Active;
                project.activation_code_id = Some(code);
                project.started_at = Some(now);
                project.updated_at = now;
            },
        )?;
        Ok(started)
    }

    async fn transition_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        transition: Transition,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let moved = self.rows_mut().change_if(
            PROJECTS,
            &id,
            |project| project.tenant_id == Some(tenant) && project.status == transition.from(),
            |project| {
                project.status = transition.to();
                if transition == Transition::Complete {
                    project.completed_at = Some(now);
                }
                project.updated_at = now;
            },
        )?;
        Ok(moved)
    }

    async fn return_project(&mut self, tenant: TenantId, id: ProjectId, now: Timestamp) -> Result<Option<Project>, StoreError> {
        let running = |project: &Project| {
            project.tenant_id == Some(tenant)
                && matches!(project.status, ProjectStatus::Active | ProjectStatus::Paused)
                && project.activation_code_id.is_some()
        };
        let returned = self.rows_mut().change_if(PROJECTS, &id, running, |project| {
            project.status = ProjectStatus::Pending;
            project.activation_code_id = None;
            project.started_at = None;
            project.updated_at = now;
        })?;
        Ok(returned)
    }

    async fn delete_project(&mut self, tenant: TenantId, id: ProjectId) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let deleted = rows.delete_if(PROJECTS, &id, |project| project.tenant_id == Some(tenant))?.is_some();
        if deleted {
            rows.change_all(REDEMPTIONS, |row| row.project_id == Some(id), |row| row.project_id = None)?;
        }
        Ok(deleted)
    }

    async fn assign_project(&mut self, id: ProjectId, tenant: TenantId, now: Timestamp) -> Result<Option<Project>, StoreError> {
        let rows = self.rows_mut();
        rows.demand_tenant(tenant)?;
        let Some(slug) = rows.get(PROJECTS, &id)?.map(|project| project.slug) else {
            return Ok(None);
        };
        let free = !rows.slug_taken(Some(tenant), &slug)?;
        let assigned = rows.change_if(
            PROJECTS,
            &id,
            |project| project.tenant_id.is_none() && free,
            |project| {
                project.tenant_id = Some(tenant);
                project.updated_at = now;
            },
        )?;
        Ok(assigned)
    }
}
