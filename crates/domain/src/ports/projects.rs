use std::future::Future;

use super::StoreError;
use crate::{
    CodeId, Page, PageRequest, Project, ProjectDetails, ProjectId, ProjectStatus, Slug, SubscriptionState, TenantId, Timestamp,
    Transition,
};

/// Which projects a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectFilter {
    /// Those whose name, slug or description contains this, in any case. `%` and `_` are ordinary characters.
    pub search: Option<String>,
    /// Those that stand so.
    pub status: Option<ProjectStatus>,
}

impl ProjectFilter {
    /// Whether a list with this filter has the project.
    #[must_use]
    pub fn keeps(&self, project: &Project) -> bool {
        self.status.is_none_or(|status| project.status == status)
            && self.search.as_ref().is_none_or(|text| project.details.search_text(&project.slug).contains(&text.to_lowercase()))
    }
}

/// Whose projects an operator lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Everybody's, and nobody's.
    Any,
    /// Legacy projects, which have no tenant.
    Nobody,
    /// One tenant's.
    Tenant(TenantId),
}

impl Ownership {
    /// Whether the project is one of those.
    #[must_use]
    pub fn keeps(self, project: &Project) -> bool {
        match self {
            Self::Any => true,
            Self::Nobody => project.tenant_id.is_none(),
            Self::Tenant(tenant) => project.tenant_id == Some(tenant),
        }
    }
}

/// A project, and all that it hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectStanding {
    /// The project.
    pub project: Project,
    /// The short name of its tenant.
    pub tenant_slug: Slug,
    /// Since when its tenant is suspended.
    pub suspended_at: Option<Timestamp>,
    /// How its tenant's subscription stands.
    pub subscription: SubscriptionState,
}

/// Reads of projects.
pub trait ProjectReads {
    /// One of a tenant's projects.
    fn project(&mut self, tenant: TenantId, id: ProjectId) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;

    /// One of a tenant's projects and how its tenant stands, all of it as it was at one moment: one round trip.
    fn project_standing(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
    ) -> impl Future<Output = Result<Option<ProjectStanding>, StoreError>> + Send;

    /// A tenant's projects, newest first.
    fn projects_page(
        &mut self,
        tenant: TenantId,
        filter: &ProjectFilter,
        page: PageRequest<Project>,
    ) -> impl Future<Output = Result<Page<Project>, StoreError>> + Send;

    /// How many projects a tenant has.
    fn count_projects(&mut self, tenant: TenantId) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Whether a tenant has a project with this slug.
    fn project_slug_taken(&mut self, tenant: TenantId, slug: &Slug) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// A project, whoever owns it: for operators.
    fn project_of_anyone(&mut self, id: ProjectId) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;

    /// Projects, whoever owns them, newest first: for operators.
    fn projects_of_anyone_page(
        &mut self,
        ownership: Ownership,
        filter: &ProjectFilter,
        page: PageRequest<Project>,
    ) -> impl Future<Output = Result<Page<Project>, StoreError>> + Send;
}

/// Writes of projects.
pub trait ProjectWrites {
    /// [`project`](ProjectReads::project), and keeps every other transaction that would lock or change it waiting until this one ends.
    fn lock_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
    ) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;

    /// Stores a new project; `false` when its tenant has another with its slug, or, for a legacy project, when another legacy project has.
    fn insert_project(&mut self, project: &Project) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces what a tenant says of its project; `None` when there is none.
    fn change_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        details: &ProjectDetails,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;

    /// Makes a tenant's pending project active by a code, started at `now`. `None` when it isn't pending, or another transaction was
    /// first.
    fn start_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        code: CodeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;

    /// Moves a tenant's project along a transition; completing sets `completed_at`. `None` when it isn't in the transition's first
    /// status, or another transaction was first.
    fn transition_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        transition: Transition,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;

    /// Makes a tenant's active or paused project pending again, without the code that activated it and without `started_at`. `None` when
    /// it is neither, when no code activated it, or another transaction was first.
    fn return_project(
        &mut self,
        tenant: TenantId,
        id: ProjectId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;

    /// Deletes a tenant's project; its redemptions stay, without it. `false` when there is none.
    fn delete_project(&mut self, tenant: TenantId, id: ProjectId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Gives a legacy project to a tenant that exists. `None` when it has a tenant already, when that tenant has another project with
    /// its slug, or when there is no such project.
    fn assign_project(
        &mut self,
        id: ProjectId,
        tenant: TenantId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send;
}
