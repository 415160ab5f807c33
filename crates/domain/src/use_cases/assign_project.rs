use tracing::info;

use crate::{Action, AuditEvent, Context, Project, ProjectId, StoreError, Target, TenantId, ports::*};

/// Why a legacy project can't be assigned.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// There is no such project.
    #[error("there is no such project")]
    UnknownProject,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// It belongs to another tenant.
    #[error("the project belongs to a tenant already")]
    HasTenant,
    /// The tenant has another project with its slug.
    #[error("the tenant has another project with this project's slug")]
    SlugTaken,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives a legacy project to a tenant. Giving it to the same one again changes nothing.
///
/// # Errors
/// See [`AssignError`].
pub async fn assign_project<S: Store>(
    store: &S,
    cx: &Context<'_>,
    id: ProjectId,
    tenant: TenantId,
) -> Result<Project, AssignError> {
    let mut tx = store.begin().await?;
    if tx.hold_tenant(tenant).await?.is_none() {
        return Err(AssignError::UnknownTenant);
    }
    let project = tx.project_of_anyone(id).await?.ok_or(AssignError::UnknownProject)?;
    match project.tenant_id {
        Some(owner) if owner == tenant => return Ok(project),
        Some(_) => return Err(AssignError::HasTenant),
        None => {}
    }
    let Some(assigned) = tx.assign_project(id, tenant, cx.now).await? else {
        let taken = tx.project_slug_taken(tenant, &project.slug).await?;
        return Err(if taken { AssignError::SlugTaken } else { AssignError::HasTenant });
    };
    tx.append_audit(&AuditEvent::new(cx, Action::ProjectAssigned, Some(tenant), Some(Target::Project(id)))).await?;
    tx.commit().await?;
    info!(project.id = %id, tenant.id = %tenant, "assigned project");
    Ok(assigned)
}
