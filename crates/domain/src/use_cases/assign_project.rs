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

/// Gives a legacy project, one from before there were tenants, to a tenant.
///
/// Giving it to the same one again changes nothing, also where the two calls race.
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
    let before = tx.project_of_anyone(id).await?.ok_or(AssignError::UnknownProject)?;
    if let Some(owner) = before.tenant_id {
        return assigned_before(before, owner, tenant);
    }
    let Some(assigned) = tx.assign_project(id, tenant, cx.now).await? else {
        // Another assignment came first, or the slug is taken.
        let now = tx.project_of_anyone(id).await?.ok_or(AssignError::UnknownProject)?;
        return now.tenant_id.map_or(Err(AssignError::SlugTaken), |owner| assigned_before(now, owner, tenant));
    };
    let event = AuditEvent::new(cx, Action::ProjectAssigned, Some(tenant), Some(Target::Project(id)));
    tx.append_audit(&event.with("old_tenant_id", "none").with("new_tenant_id", tenant)).await?;
    tx.commit().await?;
    info!(project.id = %id, tenant.id = %tenant, "assigned project");
    Ok(assigned)
}

fn assigned_before(project: Project, owner: TenantId, tenant: TenantId) -> Result<Project, AssignError> {
    if owner == tenant { Ok(project) } else { Err(AssignError::HasTenant) }
}
