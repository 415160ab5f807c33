//! Who does an operator's work: an operator by its session, or a program by an API key.

use tenantry_domain::{Actor, ApiKey, Context, Operator, Scopes, ports::*};

use crate::{
    ApiKeyToken, AuthError, AuthPolicy, KeyRing, OperatorKey, SignedIn, TokenKind, api_keys::authenticate_api_key, authenticate,
    token,
};

/// Who does an operator's work: an operator by its session, or a program by an API key.
#[derive(Clone, Debug)]
pub enum Caller {
    /// An operator that is signed in.
    Operator(SignedIn<Operator>),
    /// An API key of the store.
    ApiKey(ApiKey),
    /// An API key that the server was configured with; it has every scope.
    ConfiguredKey {
        /// What the audit trail calls it.
        name: String,
    },
}

impl Caller {
    /// What it may do now: what its role may, or what the key was given.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        match self {
            Self::Operator(signed_in) => signed_in.account.role.scopes(),
            Self::ApiKey(key) => key.scopes,
            Self::ConfiguredKey { .. } => Scopes::all(),
        }
    }

    /// Who the audit trail says it is.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Operator(SignedIn { session, account }) => Actor::Operator { operator: account.id, session: session.id },
            Self::ApiKey(key) => Actor::ApiKey(key.id.to_string()),
            Self::ConfiguredKey { name } => Actor::ApiKey(name.clone()),
        }
    }
}

/// Finds who does an operator's work by the token that it presents: an operator's session, or an API key.
///
/// `configured` are keys that are in no store ([`OperatorKey`]); they have every scope. What is malformed is refused before the
/// store is asked; the rest takes one query, and once a minute a write. [`create_api_key`](crate::create_api_key) has an example.
///
/// # Errors
/// See [`AuthError`].
pub async fn authenticate_caller<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    policy: &AuthPolicy,
    configured: &[OperatorKey],
    token: &str,
) -> Result<Caller, AuthError> {
    if token.starts_with(token::OperatorSession::PREFIX) {
        return authenticate(store, cx.now, keys, policy, token).await.map(Caller::Operator);
    }
    let token = ApiKeyToken::parse(token).map_err(|_| AuthError::Unauthenticated)?;
    if let Some(key) = configured.iter().find(|key| key.matches(&token, keys)) {
        return Ok(Caller::ConfiguredKey { name: key.name().to_owned() });
    }
    authenticate_api_key(store, cx, keys, &token).await.map(Caller::ApiKey)
}
