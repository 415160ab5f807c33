use tracing::info;

use crate::{
    Action, AuditEvent, Context, Expected, Happening, StoreError, Target, TenantId, Timestamp, event::announce, ports::*,
};

/// Why a tenant can't be suspended, resumed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ManageTenantError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// It is at a version that the deletion isn't meant for.
    #[error("the tenant was changed meanwhile")]
    ChangedMeanwhile,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Suspends a tenant: it can't sign in, its sessions end at once, and none of its activations is committed later. Doing so again changes
/// nothing.
///
/// # Errors
/// See [`ManageTenantError`].
pub async fn suspend_tenant<S: Store>(store: &S, cx: &Context<'_>, tenant: TenantId) -> Result<(), ManageTenantError> {
    set_suspended(store, cx, tenant, Some(cx.now), Action::TenantSuspended).await
}

/// Lets a suspended tenant sign in again. Its old sessions stay ended. Doing so again changes nothing.
///
/// # Errors
/// See [`ManageTenantError`].
pub async fn resume_tenant<S: Store>(store: &S, cx: &Context<'_>, tenant: TenantId) -> Result<(), ManageTenantError> {
    set_suspended(store, cx, tenant, None, Action::TenantResumed).await
}

async fn set_suspended<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    suspended_at: Option<Timestamp>,
    action: Action,
) -> Result<(), ManageTenantError> {
    let mut tx = store.begin().await?;
    let heard = tx.lock_tenant(tenant).await?.is_some_and(|entitlement| entitlement.has_listeners);
    let before = tx.tenant(tenant).await?.ok_or(ManageTenantError::UnknownTenant)?;
    let subscription = tx.subscription(tenant).await?;
    let now = subscription.map_or(cx.now, |subscription| cx.now.after(subscription.updated_at)).after(before.updated_at);
    if !tx.set_tenant_suspended(tenant, suspended_at, now).await? {
        return Ok(());
    }
    let mut event = AuditEvent::new(cx, action, Some(tenant), Some(Target::Tenant(tenant)));
    if suspended_at.is_some() {
        let ended = tx.revoke_sessions(tenant, cx.now).await?;
        event = event.with("sessions_ended", ended);
    }
    tx.append_audit(&event).await?;
    announce(&mut tx, cx, tenant, heard && suspended_at.is_some(), &Happening::TenantSuspended).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, action = action.as_str(), "changed tenant");
    Ok(())
}

/// Deletes a tenant and everything that it owns; its audit events stay.
///
/// # Errors
/// See [`ManageTenantError`].
pub async fn delete_tenant<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    expected: &Expected,
) -> Result<(), ManageTenantError> {
    let mut tx = store.begin().await?;
    if !tx.delete_tenant(tenant, expected).await? {
        let there = tx.tenant(tenant).await?.is_some();
        return Err(if there { ManageTenantError::ChangedMeanwhile } else { ManageTenantError::UnknownTenant });
    }
    tx.append_audit(&AuditEvent::new(cx, Action::TenantDeleted, Some(tenant), Some(Target::Tenant(tenant)))).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, "deleted tenant");
    Ok(())
}
