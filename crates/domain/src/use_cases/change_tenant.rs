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

/// Changes what an operator may change of a tenant. Another contact address ends the tenant's open challenges: a password that is on its way
/// to the old mailbox is worth nothing. A change of nothing is none.
///
/// # Errors
/// [`UnknownTenant`](ChangeTenantError::UnknownTenant), [`ChangedMeanwhile`](ChangeTenantError::ChangedMeanwhile),
/// [`Store`](ChangeTenantError::Store).
pub async fn change_tenant<S: Store>(
    store: &S,
    cx: &Context<'_>,
    tenant: TenantId,
    change: ProfileChange,
    expected: &Expected,
) -> Result<Tenant, ChangeTenantError> {
    write(store, cx, tenant, None, change, expected).await
}

/// The same by the tenant itself, where its subscription lets it. Another contact address also ends all its sessions but `session`, by which
/// it acts.
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
