//! The one-time link that makes the first operator, or one more owner where none can come in.

use tenantry_domain::{
    Action, AuditEvent, BootstrapLink, BootstrapPurpose, Context, Email, Id, Operator, OperatorName, Role, StoreError, Target,
    Timestamp, ports::*,
};
use tracing::info;

use crate::{AuthPolicy, BootstrapToken, KeyRing, NewSession, sign_in::start_session};

/// A bootstrap link that was just made, with its token: the only moment that this is known.
#[derive(Debug)]
pub struct NewBootstrapLink {
    /// The token, to be shown once.
    pub token: BootstrapToken,
    /// The link.
    pub link: BootstrapLink,
}

/// Why no bootstrap link is made.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapLinkError {
    /// A link for the first operator is of no use.
    #[error("there is an operator already")]
    OperatorExists,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a bootstrap link: the one-time link that makes the first operator, or one more owner where none can come in.
///
/// There is no default account and no first password. Those links that are there stay open, so that every one of several servers
/// that start at once prints a good one. It is open for [`AuthPolicy::bootstrap_link_ttl`].
///
/// # Errors
/// See [`BootstrapLinkError`].
pub async fn create_bootstrap_link<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    purpose: BootstrapPurpose,
) -> Result<NewBootstrapLink, BootstrapLinkError> {
    if purpose == BootstrapPurpose::FirstOperator && store.reader().has_operators().await? {
        return Err(BootstrapLinkError::OperatorExists);
    }
    let token = BootstrapToken::generate(cx.entropy);
    let expires_at = cx.now + policy.bootstrap_link_ttl;
    let link = BootstrapLink { token_digest: keys.token_digest(&token), purpose, expires_at, created_at: cx.now };
    let event = AuditEvent::new(cx, Action::BootstrapLinkCreated, None, None);
    let mut tx = store.begin().await?;
    tx.delete_expired_bootstrap_links(cx.now).await?;
    tx.insert_bootstrap_link(&link).await?;
    tx.append_audit(&event.with("purpose", purpose.as_str()).with("expires_at", expires_at)).await?;
    tx.commit().await?;
    info!(purpose = purpose.as_str(), expires_at = %expires_at, "created bootstrap link");
    Ok(NewBootstrapLink { token, link })
}

/// Why a bootstrap link makes no owner.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The link is malformed, unknown, expired or used, or there is an operator already: which of these is nobody's business.
    #[error("the link is not open")]
    Closed,
    /// An operator has the address; the link stays open.
    #[error("another operator has this address")]
    EmailTaken,
    /// The store failed; the link stays open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds the bootstrap link that a token opens, and leaves it open.
///
/// # Errors
/// See [`BootstrapError`].
pub async fn find_bootstrap_link<S: Store>(
    store: &S,
    now: Timestamp,
    keys: &KeyRing,
    token: &str,
) -> Result<BootstrapLink, BootstrapError> {
    let token = BootstrapToken::parse(token).map_err(|_| BootstrapError::Closed)?;
    store.reader().open_bootstrap_link(&keys.token_candidates(&token), now).await?.ok_or(BootstrapError::Closed)
}

/// An owner to be made by a bootstrap link.
#[derive(Clone, Debug)]
pub struct NewOwner {
    /// What it is called.
    pub name: OperatorName,
    /// What it signs in with, and where its one-time passwords go.
    pub email: Email,
}

/// Makes an owner by a bootstrap link, once, and signs it in.
///
/// Of any number of parallel uses, of one link or of several for the first operator, one makes it. `user_agent` is what the
/// session says of the program: at most 200 characters of it are kept.
///
/// # Errors
/// See [`BootstrapError`].
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
/// let link = create_bootstrap_link(&store, &cx, &keys, &policy, BootstrapPurpose::FirstOperator).await?;
/// println!("http://127.0.0.1:8080/bootstrap/{}", link.token.reveal());
///
/// // Whoever opens it says who it is:
/// let owner = NewOwner { name: OperatorName::parse("Ada")?, email: Email::parse("ada@portal.example")? };
/// let new = bootstrap_operator(&store, &cx, &keys, &policy, link.token.reveal(), owner.clone(), None).await?;
/// assert_eq!(new.account.role, Role::Owner);
///
/// let again = bootstrap_operator(&store, &cx, &keys, &policy, link.token.reveal(), owner, None).await;
/// assert!(matches!(again, Err(BootstrapError::Closed)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn bootstrap_operator<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    token: &str,
    owner: NewOwner,
    user_agent: Option<&str>,
) -> Result<NewSession<Operator>, BootstrapError> {
    let token = BootstrapToken::parse(token).map_err(|_| BootstrapError::Closed)?;
    let (id, NewOwner { name, email }) = (Id::generate(cx.now, cx.entropy), owner);
    let operator = Operator { id, name, email, role: Role::Owner, created_at: cx.now, updated_at: cx.now };
    let mut tx = store.begin().await?;
    // Two links for the first operator are two rows: without the lock, each use would see no operator yet.
    tx.lock_operators().await?;
    let used = tx.consume_bootstrap_link(&keys.token_candidates(&token), cx.now).await?;
    let purpose = used.ok_or(BootstrapError::Closed)?.purpose;
    if !tx.insert_operator(&operator).await? {
        return Err(BootstrapError::EmailTaken);
    }
    let event = AuditEvent::new(cx, Action::OperatorBootstrapped, None, Some(Target::Operator(id)));
    tx.append_audit(&event.with("purpose", purpose.as_str())).await?;
    let signed_in = start_session(&mut tx, cx, keys, policy, operator, user_agent).await?;
    tx.commit().await?;
    info!(operator.id = %id, purpose = purpose.as_str(), "made an owner by a bootstrap link");
    Ok(signed_in)
}
