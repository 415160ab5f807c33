//! API keys that a server was configured with.

use tenantry_domain::TokenDigest;

use crate::{ApiKeyToken, KeyRing};

/// An operator's API key that a server was configured with: its name and digest, no longer its text.
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
/// let token = ApiKeyToken::generate(&SystemEntropy); // or parsed from your configuration
/// let configured = [OperatorKey::new("deployment", &token, &keys)];
///
/// let caller = authenticate_caller(&store, &cx, &keys, &policy, &configured, token.reveal()).await?;
/// assert_eq!(caller.actor(), Actor::ApiKey("deployment".to_owned()));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OperatorKey {
    name: String,
    digest: TokenDigest,
}

impl OperatorKey {
    /// Takes a key's digest by the ring's signing key.
    #[must_use]
    pub fn new(name: impl Into<String>, token: &ApiKeyToken, keys: &KeyRing) -> Self {
        Self { name: name.into(), digest: keys.token_digest(token) }
    }

    /// What the audit trail calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a presented key is this one, in constant time.
    #[must_use]
    pub fn matches(&self, presented: &ApiKeyToken, keys: &KeyRing) -> bool {
        self.digest == keys.token_digest(presented)
    }
}
