//! API keys that are made while the server runs, and kept in the store as digests.

use tenantry_domain::{
    Action, Actor, ApiKey, ApiKeyId, ApiKeyName, AuditEvent, Chain, Context, Id, Scopes, StoreError, Target, Timestamp,
    TokenDigest, audit_forbidden, ports::*,
};
use time::Duration;
use tracing::{info, warn};

use crate::{ApiKeyToken, AuthError, AuthPolicy, KeyRing};

/// How often a key's use is audited at the most.
const AUDIT_INTERVAL: Duration = Duration::HOUR;

/// An API key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What it is for.
    pub name: ApiKeyName,
    /// What it may do.
    pub scopes: Scopes,
    /// Until when, exclusive; `None`: until it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// An API key that was just made, with its text: the only moment that this is known.
#[derive(Debug)]
pub struct CreatedApiKey {
    /// The text, to be shown once.
    pub token: ApiKeyToken,
    /// The key.
    pub key: ApiKey,
}

/// Why an API key can't be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// There is no such key.
    #[error("there is no such API key")]
    UnknownKey,
    /// A key that may do nothing is of no use.
    #[error("a key needs a scope")]
    NoScope,
    /// It has scopes that the caller doesn't: nobody hands on what it doesn't have.
    #[error("the key may do more than the caller")]
    BeyondCaller {
        /// What the caller lacks.
        missing: Scopes,
    },
    /// It would expire before it is made.
    #[error("the expiry is past")]
    ExpiryPast,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an API key, by which a program does an operator's work.
///
/// `caller` is what may be done by whoever asks for it ([`Caller::scopes`](crate::Caller::scopes)): the key may do as much, or
/// less.
///
/// # Errors
/// See [`ApiKeyError`].
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
/// let new = NewApiKey {
///     name: ApiKeyName::parse("the shop")?,
///     scopes: [Scope::TenantsRead, Scope::CodesWrite].into_iter().collect(),
///     expires_at: Some(cx.now + Duration::days(365)),
/// };
/// let created = create_api_key(&store, &cx, &keys, Role::Owner.scopes(), new).await?;
/// println!("give this to the shop: {}", created.token.reveal()); // tnk_..
///
/// // Each of its requests:
/// let token = created.token.reveal();
/// let caller = authenticate_caller(&store, &cx, &keys, &policy, &[], token).await?;
/// assert!(caller.scopes().has(Scope::CodesWrite));
/// assert!(!caller.scopes().has(Scope::AuditRead));
///
/// revoke_api_key(&store, &cx, created.key.id).await?;
/// let after = authenticate_caller(&store, &cx, &keys, &policy, &[], token).await;
/// assert!(matches!(after, Err(AuthError::Unauthenticated)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn create_api_key<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    caller: Scopes,
    new: NewApiKey,
) -> Result<CreatedApiKey, ApiKeyError> {
    let NewApiKey { name, scopes, expires_at } = new;
    if scopes == Scopes::NONE {
        return Err(ApiKeyError::NoScope);
    }
    if !caller.include(scopes) {
        let missing = scopes.without(caller);
        audit_forbidden(store, cx, missing, None).await;
        return Err(ApiKeyError::BeyondCaller { missing });
    }
    if expires_at.is_some_and(|end| end <= cx.now) {
        return Err(ApiKeyError::ExpiryPast);
    }
    let token = ApiKeyToken::generate(cx.entropy);
    let created_by = match cx.actor {
        Actor::Operator { operator, .. } => Some(operator),
        _ => None,
    };
    let key = ApiKey {
        id: Id::generate(cx.now, cx.entropy),
        name,
        token_digest: keys.token_digest(&token),
        scopes,
        expires_at,
        last_used_at: None,
        revoked_at: None,
        created_by,
        created_at: cx.now,
    };
    let mut event = AuditEvent::new(cx, Action::ApiKeyCreated, None, Some(Target::ApiKey(key.id))).with("scopes", scopes);
    if let Some(end) = expires_at {
        event = event.with("expires_at", end);
    }
    let mut tx = store.begin().await?;
    tx.insert_api_key(&key).await?;
    tx.append_audit(&event).await?;
    tx.commit().await?;
    info!(api_key.id = %key.id, "created API key");
    Ok(CreatedApiKey { token, key })
}

/// Revokes an API key: from the next request on, on any server, its text is worth nothing. Doing so again changes nothing.
///
/// Whoever may revoke keys may revoke every key: a key that has leaked waits for nobody.
///
/// # Errors
/// See [`ApiKeyError`].
pub async fn revoke_api_key<S: Store>(store: &S, cx: &Context<'_>, id: ApiKeyId) -> Result<(), ApiKeyError> {
    let mut tx = store.begin().await?;
    if tx.revoke_api_key(id, cx.now).await? {
        tx.append_audit(&AuditEvent::new(cx, Action::ApiKeyRevoked, None, Some(Target::ApiKey(id)))).await?;
        tx.commit().await?;
        info!(api_key.id = %id, "revoked API key");
        return Ok(());
    }
    tx.api_key(id).await?.map(drop).ok_or(ApiKeyError::UnknownKey)
}

/// Finds the key that is presented. One query; once a minute also a write, that it is used, by which one that was digested by a former key
/// of the ring goes over to the signing one.
pub(crate) async fn authenticate_api_key<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    token: &ApiKeyToken,
) -> Result<ApiKey, AuthError> {
    let found = store.reader().api_key_by_digests(&keys.token_candidates(token)).await?;
    let mut key = found.filter(|key| key.is_live(cx.now)).ok_or(AuthError::Unauthenticated)?;
    if key.last_used_at.is_none_or(|used| used <= cx.now - AuthPolicy::TOUCH_INTERVAL) {
        // The request goes on where the write fails: the key was good when it was read.
        match write_use(store, cx, key.id, keys.rekeyed(token, key.token_digest)).await {
            Ok(true) => key.last_used_at = Some(cx.now),
            Ok(false) => {}
            Err(failure) => {
                warn!(api_key.id = %key.id, error = %Chain(&failure), "could not write the use of an API key");
            }
        }
    }
    Ok(key)
}

async fn write_use<S: Store>(
    store: &S,
    cx: &Context<'_>,
    id: ApiKeyId,
    rekeyed: Option<TokenDigest>,
) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    if !tx.touch_api_key(id, cx.now, cx.now - AuthPolicy::TOUCH_INTERVAL, rekeyed).await? {
        return Ok(false);
    }
    if tx.claim_api_key_audit(id, cx.now, cx.now - AUDIT_INTERVAL).await? {
        let cx = Context { actor: Actor::ApiKey(id.to_string()), ..cx.clone() };
        tx.append_audit(&AuditEvent::new(&cx, Action::ApiKeyUsed, None, Some(Target::ApiKey(id)))).await?;
    }
    tx.commit().await?;
    Ok(true)
}
