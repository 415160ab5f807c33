//! Sessions: what follows a sign-in.

use tenantry_domain::{
    Action, AuditEvent, Chain, Context, Session, SessionId, StoreError, Target, Tenant, TenantId, Timestamp, ports::*,
};
use tracing::{info, warn};

use crate::{AuthPolicy, KeyRing, SessionToken};

/// A tenant that is signed in, and the session by which it is.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The tenant.
    pub tenant: Tenant,
}

/// Why a session doesn't count.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token is malformed, unknown, expired or revoked, or its tenant suspended: which of these is nobody's business.
    #[error("not signed in")]
    Unauthenticated,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds who presents a token. One query; once a minute also a write, of the session's activity.
///
/// # Errors
/// See [`AuthError`].
pub async fn authenticate<S: Store>(
    store: &S,
    now: Timestamp,
    keys: &KeyRing,
    policy: &AuthPolicy,
    token: &str,
) -> Result<SignedIn, AuthError> {
    let token = SessionToken::parse(token).map_err(|_| AuthError::Unauthenticated)?;
    let found = store.reader().session_by_digests(&keys.token_candidates(&token)).await?;
    let (mut session, tenant) = found.ok_or(AuthError::Unauthenticated)?;
    if !session.is_live(now) || tenant.suspended_at.is_some() {
        return Err(AuthError::Unauthenticated);
    }
    if session.last_activity <= now - AuthPolicy::TOUCH_INTERVAL {
        let touch = SessionTouch {
            now,
            unless_active_since: now - AuthPolicy::TOUCH_INTERVAL,
            expires_at: policy.session_end(session.created_at, now),
        };
        // The request goes on where the write fails: the session was live when it was read.
        match write_touch(store, session.id, touch).await {
            Ok(true) => (session.last_activity, session.expires_at) = (touch.now, touch.expires_at),
            Ok(false) => {}
            Err(failure) => {
                warn!(session.id = %session.id, error = %Chain(&failure), "could not write activity");
            }
        }
    }
    Ok(SignedIn { session, tenant })
}

async fn write_touch<S: Store>(store: &S, id: SessionId, touch: SessionTouch) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    let written = tx.touch_session(id, touch).await?;
    tx.commit().await?;
    Ok(written)
}

/// Lengthens a session as its use does, whatever the last write was; never past the absolute limit. Answers the session as it is then.
///
/// # Errors
/// See [`AuthError`].
pub async fn refresh_session<S: Store>(
    store: &S,
    cx: &Context<'_>,
    policy: &AuthPolicy,
    mut session: Session,
) -> Result<Session, AuthError> {
    let expires_at = policy.session_end(session.created_at, cx.now);
    let touch = SessionTouch { now: cx.now, unless_active_since: Timestamp::MAX, expires_at };
    let mut tx = store.begin().await?;
    if !tx.touch_session(session.id, touch).await? {
        return Err(AuthError::Unauthenticated);
    }
    let event = AuditEvent::new(cx, Action::SessionRefreshed, Some(session.tenant_id), Some(Target::Session(session.id)));
    tx.append_audit(&event).await?;
    tx.commit().await?;
    (session.last_activity, session.expires_at) = (cx.now, expires_at);
    Ok(session)
}

/// Ends the caller's session. From the next request on, on any server, its token is worth nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn sign_out<S: Store>(store: &S, cx: &Context<'_>, session: &Session) -> Result<(), StoreError> {
    revoke_session(store, cx, session.tenant_id, session.id).await.map(drop)
}

/// Ends one of a tenant's sessions, the caller's or another; `false` when it has no such session that is live.
///
/// # Errors
/// [`StoreError`].
pub async fn revoke_session<S: Store>(store: &S, cx: &Context<'_>, tenant: TenantId, id: SessionId) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    tx.hold_tenant(tenant).await?;
    if !tx.revoke_session(tenant, id, cx.now).await? {
        return Ok(false);
    }
    tx.append_audit(&AuditEvent::new(cx, Action::SessionRevoked, Some(tenant), Some(Target::Session(id)))).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, session.id = %id, "ended session");
    Ok(true)
}

/// Ends all sessions of a tenant, the caller's too, and says how many.
///
/// # Errors
/// [`StoreError`].
pub async fn sign_out_everywhere<S: Store>(store: &S, cx: &Context<'_>, tenant: TenantId) -> Result<u64, StoreError> {
    let mut tx = store.begin().await?;
    // A sign-in locks the tenant too: it is seen here, or comes after.
    tx.lock_tenant(tenant).await?;
    let ended = tx.revoke_sessions(tenant, cx.now).await?;
    let event = AuditEvent::new(cx, Action::SessionsRevoked, Some(tenant), Some(Target::Tenant(tenant)));
    tx.append_audit(&event.with("sessions_ended", ended)).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, ended, "ended all sessions");
    Ok(ended)
}
