//! API keys that a server was configured with.

use tenantry_domain::TokenDigest;

use crate::{ApiKeyToken, KeyRing};

/// An operator's API key that a server was configured with: its name and digest, no longer its text.
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
