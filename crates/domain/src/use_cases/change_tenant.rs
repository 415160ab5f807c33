use tracing::info;

use crate::{
    Action, AuditEvent, Context, Expected, ProfileChange, SessionId, StoreError, SubscriptionState, Target, Tenant, TenantAction,
    TenantId, ports::*,
};

/// Why a tenant can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeTenantError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// It is at a version that the edit isn't meant for.
    #[error("the tenant was changed meanwhile")]
    ChangedMeanwhile,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The tenant's own subscription doesn't let it.
    #[error("the subscription is {}", .state.as_str())]
    SubscriptionInactive {
        /// How it stands.
        state: SubscriptionState,
    },
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes a tenant's profile, for an operator: its name, contact address and branding.
///
/// Another contact address ends the tenant's open challenges: a password that is on its way to the old mailbox is worth nothing.
/// A change of nothing is none.
///
/// # Errors
/// [`UnknownTenant`](ChangeTenantError::UnknownTenant), [`ChangedMeanwhile`](ChangeTenantError::ChangedMeanwhile),
/// [`Store`](ChangeTenantError::Store).
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
/// let change = ProfileChange {
///     name: Some(TenantName::parse("Acme Corporation")?),
///     primary_color: Some(Some(HexColor::parse("#0A6847")?)),
///     ..ProfileChange::default()
/// };
/// let changed = change_tenant(&store, &cx, tenant, change, &Expected::Any).await?;
/// assert_eq!(changed.branding.primary_color.unwrap().as_str(), "#0a6847");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn change_tenant<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    change: ProfileChange,
    expected: &Expected,
) -> Result<Tenant, ChangeTenantError> {
    write(store, cx, tenant, None, change, expected).await
}

/// Changes a tenant's own profile, where its subscription lets it.
///
/// As [`change_tenant`]. Another contact address also ends all of the tenant's sessions but `session`, by which it acts.
///
/// # Errors
/// See [`ChangeTenantError`].
pub async fn change_own_profile<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    session: SessionId,
    change: ProfileChange,
    expected: &Expected,
) -> Result<Tenant, ChangeTenantError> {
    write(store, cx, tenant, Some(session), change, expected).await
}

async fn write<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    own_session: Option<SessionId>,
    change: ProfileChange,
    expected: &Expected,
) -> Result<Tenant, ChangeTenantError> {
    let mut tx = store.begin().await?;
    // Whoever asks for a password, or signs in, locks the tenant too: it sees the new address, or is seen here.
    let entitlement = tx.lock_tenant(tenant).await?;
    let before = tx.tenant(tenant).await?.ok_or(ChangeTenantError::UnknownTenant)?;
    if own_session.is_some() {
        let entitlement = entitlement.ok_or(ChangeTenantError::UnknownTenant)?;
        if entitlement.suspended_at.is_some() {
            return Err(ChangeTenantError::TenantSuspended);
        }
        if !entitlement.allows(TenantAction::ChangeProfile) {
            return Err(ChangeTenantError::SubscriptionInactive { state: entitlement.state });
        }
    }
    if !expected.admits(before.version()) {
        return Err(ChangeTenantError::ChangedMeanwhile);
    }
    let profile = change.apply(before.profile());
    let changed = profile.differences(&before.profile());
    if changed.is_empty() {
        return Ok(before);
    }

    let now = cx.now.after(before.updated_at);
    let after = tx.change_tenant(tenant, &profile, now).await?.ok_or(ChangeTenantError::UnknownTenant)?;
    let event = AuditEvent::new(cx, Action::TenantChanged, Some(tenant), Some(Target::Tenant(tenant)));
    let mut event = event.with_changed(&changed);
    if after.contact_email != before.contact_email {
        event = event.with("challenges_ended", tx.end_challenges(tenant.into(), cx.now).await?);
        if let Some(session) = own_session {
            event = event.with("sessions_ended", tx.revoke_other_sessions(tenant, session, cx.now).await?);
        }
    }
    tx.append_audit(&event).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, fields = changed.join(", "), "changed tenant");
    Ok(after)
}
