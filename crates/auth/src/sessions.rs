//! Sessions: what follows a sign-in, a tenant's or an operator's.

use tenantry_domain::{
    Action, AuditEvent, Chain, Context, Id, Page, PageRequest, Project, StoreError, Tenant, Timestamp, ports::*,
};
use tracing::{info, warn};

use crate::{
    AuthPolicy, KeyRing, PlainToken,
    account::{Account, AccountSession},
};

/// An account that is signed in, and the session by which it is.
#[derive(Clone, Debug)]
pub struct SignedIn<A: Account> {
    /// The session.
    pub session: A::Session,
    /// The account.
    pub account: A,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// What was presented is malformed, unknown, expired or revoked, or its account suspended: which of these is nobody's business.
    #[error("not signed in")]
    Unauthenticated,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds who presents a session's token: what each request of a signed-in account begins with.
///
/// One query; once a minute also a write, of the session's activity, by which a token that was digested by a former key goes over
/// to the signing one.
///
/// # Errors
/// See [`AuthError`].
///
/// # Example
///
/// ```
/// # use tenantry_auth::*;
/// # use tenantry_domain::{memory::MemoryStore, ports::*, *};
/// # use time::Duration;
/// # futures_executor::block_on(async {
/// # let (store, policy) = (MemoryStore::new(), AuthPolicy::default());
/// # let cx = Context::system(SystemClock.now(), &SystemEntropy);
/// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
/// # let link = create_bootstrap_link(&store, &cx, &keys, &policy, BootstrapPurpose::FirstOperator).await?;
/// # let owner = NewOwner { name: OperatorName::parse("Ada")?, email: Email::parse("ada@portal.example")? };
/// # let new = bootstrap_operator(&store, &cx, &keys, &policy, link.token.reveal(), owner, None).await?;
/// # let header = format!("Bearer {}", new.token.reveal());
/// let token = header.strip_prefix("Bearer ").ok_or("no bearer token")?;
/// let signed_in: SignedIn<Operator> = authenticate(&store, cx.now, &keys, &policy, token).await?;
/// let cx = Context { actor: Caller::Operator(signed_in).actor(), ..cx.clone() }; // for the use cases of this request
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn authenticate<S: Store, A: Account>(
    store: &S,
    now: Timestamp,
    keys: &KeyRing,
    policy: &AuthPolicy,
    token: &str,
) -> Result<SignedIn<A>, AuthError> {
    let token = PlainToken::<A::Token>::parse(token).map_err(|_| AuthError::Unauthenticated)?;
    let found = A::find_session(&mut store.reader(), &keys.token_candidates(&token)).await?;
    let (session, account) = found.ok_or(AuthError::Unauthenticated)?;
    admit(store, now, keys, policy, &token, session, account).await
}

/// Finds who presents a tenant's token, and a page of that tenant's projects, in one query.
///
/// It is [`authenticate`] for the page that a tenant opens first.
///
/// # Errors
/// See [`AuthError`].
pub async fn authenticate_with_projects<S: Store>(
    store: &S,
    now: Timestamp,
    keys: &KeyRing,
    policy: &AuthPolicy,
    token: &str,
    page: PageRequest<Project>,
) -> Result<(SignedIn<Tenant>, Page<Project>), AuthError> {
    let token = PlainToken::parse(token).map_err(|_| AuthError::Unauthenticated)?;
    let found = store.reader().session_and_projects(&keys.token_candidates(&token), page).await?;
    let (session, tenant, projects) = found.ok_or(AuthError::Unauthenticated)?;
    Ok((admit(store, now, keys, policy, &token, session, tenant).await?, projects))
}

/// Lets the account of a session in, if both count, and writes the session's activity where it is time to.
async fn admit<S: Store, A: Account>(
    store: &S,
    now: Timestamp,
    keys: &KeyRing,
    policy: &AuthPolicy,
    token: &PlainToken<A::Token>,
    mut session: A::Session,
    account: A,
) -> Result<SignedIn<A>, AuthError> {
    if !session.is_live(now) || !account.may_sign_in() {
        return Err(AuthError::Unauthenticated);
    }
    let (id, expires_at) = (session.id(), policy.session_end(session.created_at(), now));
    let found_by = session.token_digest();
    let (last_activity, valid_until) = session.activity();
    if *last_activity <= now - AuthPolicy::TOUCH_INTERVAL {
        let unless_active_since = now - AuthPolicy::TOUCH_INTERVAL;
        let rekeyed = keys.rekeyed(token, found_by);
        let touch = SessionTouch { now, unless_active_since, expires_at, rekeyed };
        // The request goes on where the write fails: the session was live when it was read.
        match write_touch::<S, A::Session>(store, id, touch).await {
            Ok(true) => (*last_activity, *valid_until) = (now, expires_at),
            Ok(false) => {}
            Err(failure) => {
                warn!(session.id = %id, error = %Chain(&failure), "could not write activity");
            }
        }
    }
    Ok(SignedIn { session, account })
}

async fn write_touch<S: Store, T: AccountSession>(store: &S, id: Id<T>, touch: SessionTouch) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    let written = T::touch(&mut tx, id, touch).await?;
    tx.commit().await?;
    Ok(written)
}

/// Lengthens a session as its use does, whatever the last write was; never past the absolute limit.
///
/// Answers the session as it is then.
///
/// # Errors
/// See [`AuthError`].
///
/// # Example
///
/// ```
/// # use tenantry_auth::*;
/// # use tenantry_domain::{memory::MemoryStore, ports::*, *};
/// # use time::Duration;
/// # futures_executor::block_on(async {
/// # let (store, policy) = (MemoryStore::new(), AuthPolicy::default());
/// # let cx = Context::system(SystemClock.now(), &SystemEntropy);
/// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
/// # let link = create_bootstrap_link(&store, &cx, &keys, &policy, BootstrapPurpose::FirstOperator).await?;
/// # let owner = NewOwner { name: OperatorName::parse("Ada")?, email: Email::parse("ada@portal.example")? };
/// # let new = bootstrap_operator(&store, &cx, &keys, &policy, link.token.reveal(), owner, None).await?;
/// let later = Context { now: cx.now + Duration::minutes(20), ..cx.clone() };
/// let session = refresh_session(&store, &later, &policy, new.session).await?;
/// assert_eq!(session.expires_at, later.now + policy.session_idle);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn refresh_session<S: Store, T: AccountSession>(
    store: &S,
    cx: &Context<'_>,
    policy: &AuthPolicy,
    mut session: T,
) -> Result<T, AuthError> {
    let expires_at = policy.session_end(session.created_at(), cx.now);
    let touch = SessionTouch { now: cx.now, unless_active_since: Timestamp::MAX, expires_at, rekeyed: None };
    let tenant = T::Account::account(session.account_id()).tenant();
    let mut tx = store.begin().await?;
    if !T::touch(&mut tx, session.id(), touch).await? {
        return Err(AuthError::Unauthenticated);
    }
    tx.append_audit(&AuditEvent::new(cx, Action::SessionRefreshed, tenant, Some(T::target(session.id())))).await?;
    tx.commit().await?;
    let (last_activity, valid_until) = session.activity();
    (*last_activity, *valid_until) = (cx.now, expires_at);
    Ok(session)
}

/// Ends the caller's session. From the next request on, on any server, its token is worth nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn sign_out<S: Store, T: AccountSession>(store: &S, cx: &Context<'_>, session: &T) -> Result<(), StoreError> {
    revoke_session::<S, T::Account>(store, cx, session.account_id(), session.id()).await.map(drop)
}

/// Ends one of an account's sessions, the caller's or another; `false` when it has no such session that is live.
///
/// # Errors
/// [`StoreError`].
pub async fn revoke_session<S: Store, A: Account>(
    store: &S,
    cx: &Context<'_>,
    account: Id<A>,
    id: Id<A::Session>,
) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    A::hold(&mut tx, account).await?;
    if !A::Session::revoke(&mut tx, account, id, cx.now).await? {
        return Ok(false);
    }
    let tenant = A::account(account).tenant();
    tx.append_audit(&AuditEvent::new(cx, Action::SessionRevoked, tenant, Some(A::Session::target(id)))).await?;
    tx.commit().await?;
    info!(account.id = %account, session.id = %id, "ended session");
    Ok(true)
}

/// Ends all sessions of an account, the caller's too, and says how many.
///
/// # Errors
/// [`StoreError`].
///
/// # Example
///
/// ```
/// # use tenantry_auth::*;
/// # use tenantry_domain::{memory::MemoryStore, ports::*, *};
/// # use time::Duration;
/// # futures_executor::block_on(async {
/// # let (store, policy) = (MemoryStore::new(), AuthPolicy::default());
/// # let cx = Context::system(SystemClock.now(), &SystemEntropy);
/// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
/// # let link = create_bootstrap_link(&store, &cx, &keys, &policy, BootstrapPurpose::FirstOperator).await?;
/// # let owner = NewOwner { name: OperatorName::parse("Ada")?, email: Email::parse("ada@portal.example")? };
/// # let new = bootstrap_operator(&store, &cx, &keys, &policy, link.token.reveal(), owner, None).await?;
/// let ended = sign_out_everywhere::<_, Operator>(&store, &cx, new.account.id).await?;
/// assert_eq!(ended, 1);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn sign_out_everywhere<S: Store, A: Account>(store: &S, cx: &Context<'_>, account: Id<A>) -> Result<u64, StoreError> {
    let mut tx = store.begin().await?;
    // A sign-in locks the account too: it is seen here, or comes after.
    A::lock(&mut tx, account).await?;
    let ended = A::Session::revoke_all(&mut tx, account, cx.now).await?;
    let about = A::account(account);
    let event = AuditEvent::new(cx, Action::SessionsRevoked, about.tenant(), Some(about.target()));
    tx.append_audit(&event.with("sessions_ended", ended)).await?;
    tx.commit().await?;
    info!(account.id = %account, ended, "ended all sessions");
    Ok(ended)
}
