use super::{
    store::{MemoryTransaction, Mode, View},
    tables::{Tables, demand},
};
use crate::{
    CodeId, Page, PageRequest, Project, ProjectDetails, ProjectId, ProjectStatus, Slug, StoreError, TenantId, Timestamp,
    Transition,
    ports::{Ownership, ProjectFilter, ProjectReads, ProjectStanding, ProjectWrites},
};

impl Tables {
    fn slug_taken(&self, tenant: Option<TenantId>, slug: &Slug) -> bool {
        self.projects.rows().any(|project| project.tenant_id == tenant && project.slug == *slug)
    }
}

impl<M: Mode> ProjectReads for View<M> {
    async fn project(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>, StoreError> {
        Ok(self.tables().projects.get(&id).filter(|project| project.tenant_id == Some(tenant)).cloned())
    }

    async fn project_standing(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<ProjectStanding>, StoreError> {
        let tables = self.tables();
        let standing = || {
            let project = tables.projects.get(&id).filter(|project| project.tenant_id == Some(tenant))?.clone();
            let (owner, subscription) = (tables.tenants.get(&tenant)?, tables.subscriptions.get(&tenant)?.state);
            let (tenant_slug, suspended_at) = (owner.slug.clone(), owner.suspended_at);
            Some(ProjectStanding { project, tenant_slug, suspended_at, subscription })
        };
        Ok(standing())
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
        let count = self.tables().projects.rows().filter(|project| project.tenant_id == Some(tenant)).count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    async fn project_slug_taken(&mut self, tenant: TenantId, slug: &Slug) -> Result<bool, StoreError> {
        Ok(self.tables().slug_taken(Some(tenant), slug))
    }

    async fn project_of_anyone(&mut self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        Ok(self.tables().projects.get(&id).cloned())
    }

    async fn projects_of_anyone_page(
        &mut self,
        ownership: Ownership,
        filter: &ProjectFilter,
        page: PageRequest<Project>,
    ) -> Result<Page<Project>, StoreError> {
        let wanted = |project: &Project| ownership.keeps(project) && filter.keeps(project);
        Ok(self.tables().projects.page(page, wanted))
    }
}

impl ProjectWrites for MemoryTransaction {
    /// Transactions take turns: there is nobody to keep waiting.
    async fn lock_project(&mut self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>, StoreError> {
        self.project(tenant, id).await
    }

    async fn insert_project(&mut self, project: &Project) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        if let Some(tenant) = project.tenant_id {
            tables.demand_tenant(tenant)?;
        }
        if tables.slug_taken(project.tenant_id, &project.slug) {
            return Ok(false);
        }
        tables.projects.put(project.id, project.clone());
        Ok(true)
    }

    async fn change_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        details: &ProjectDetails,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let changed = self.tables_mut().projects.change_if(
            &id,
            |project| project.tenant_id == Some(tenant),
            |project| {
                project.details = details.clone();
                project.updated_at = now;
            },
        );
        Ok(changed.cloned())
    }

    async fn start_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        code: CodeId,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let tables = self.tables_mut();
        demand(tables.codes.contains(&code), "there is no such code")?;
        let started = tables.projects.change_if(
            &id,
            |project| project.tenant_id == Some(tenant) && project.status == ProjectStatus::Pending,
            |project| {
                project.status = ProjectStatus::Active;
                project.activation_code_id = Some(code);
                project.started_at = Some(now);
                project.updated_at = now;
            },
        );
        Ok(started.cloned())
    }

    async fn transition_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        transition: Transition,
        now: Timestamp,
    ) -> Result<Option<Project>, StoreError> {
        let moved = self.tables_mut().projects.change_if(
            &id,
            |project| project.tenant_id == Some(tenant) && project.status == transition.from(),
            |project| {
                project.status = transition.to();
                if transition == Transition::Complete {
                    project.completed_at = Some(now);
                }
                project.updated_at = now;
            },
        );
        Ok(moved.cloned())
    }

    async fn return_project(&mut self, tenant: TenantId, id: ProjectId, now: Timestamp) -> Result<Option<Project>, StoreError> {
        let running = |project: &Project| {
            project.tenant_id == Some(tenant)
                && matches!(project.status, ProjectStatus::Active | ProjectStatus::Paused)
                && project.activation_code_id.is_some()
        };
        let returned = self.tables_mut().projects.change_if(&id, running, |project| {
            project.status = ProjectStatus::Pending;
            project.activation_code_id = None;
            project.started_at = None;
            project.updated_at = now;
        });
        Ok(returned.cloned())
    }

    async fn delete_project(&mut self, tenant: TenantId, id: ProjectId) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        let deleted = tables.projects.delete_if(&id, |project| project.tenant_id == Some(tenant));
        if deleted {
            tables.redemptions.change_all(|row| row.project_id == Some(id), |row| row.project_id = None);
        }
        Ok(deleted)
    }

    async fn assign_project(&mut self, id: ProjectId, tenant: TenantId, now: Timestamp) -> Result<Option<Project>, StoreError> {
        let tables = self.tables_mut();
        tables.demand_tenant(tenant)?;
        let Some(slug) = tables.projects.get(&id).map(|project| project.slug.clone()) else {
            return Ok(None);
        };
        let free = !tables.slug_taken(Some(tenant), &slug);
        let assigned = tables.projects.change_if(
            &id,
            |project| project.tenant_id.is_none() && free,
            |project| {
                project.tenant_id = Some(tenant);
                project.updated_at = now;
            },
        );
        Ok(assigned.cloned())
    }
}
