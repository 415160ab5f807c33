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

/// Suspends a tenant: it can't sign in, its sessions end at once, and none of its activations is committed later.
///
/// Doing so again changes nothing.
///
/// # Errors
/// See [`ManageTenantError`].
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// suspend_tenant(&store, &cx, tenant).await?;
/// assert_eq!(store.reader().tenant(tenant).await?.unwrap().suspended_at, Some(cx.now));
/// resume_tenant(&store, &cx, tenant).await?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
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
///
/// # Example
/// Say first what goes with it, and delete only what was looked at:
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// let (seen, holdings) = (store.reader().tenant(tenant).await?.unwrap(), store.reader().count_holdings(tenant).await?.unwrap());
/// println!("{} codes and {} projects will be gone", holdings.codes, holdings.projects);
///
/// delete_tenant(&store, &cx, tenant, &Expected::OneOf(vec![seen.version()])).await?;
/// assert_eq!(store.reader().tenant(tenant).await?, None);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
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
