//! The operator key that a server starts with.

use tenantry_auth::{ApiKeyToken, KeyRing, OperatorKey};
use tenantry_domain::Entropy;

use crate::config::{Config, Environment};

/// The keys that operators can come in with, and the one that is to be shown because nobody knows it yet.
pub struct OperatorKeys {
    pub keys: Vec<OperatorKey>,
    pub shown: Option<ApiKeyToken>,
}

impl OperatorKeys {
    /// The configured key; without one, in development, one for this run alone.
    pub fn new(config: &Config, ring: &KeyRing, entropy: &dyn Entropy) -> Self {
        match (&config.bootstrap_key, config.environment) {
            (Some(token), _) => Self { keys: vec![OperatorKey::new("bootstrap", token, ring)], shown: None },
            (None, Environment::Development) => {
                let token = ApiKeyToken::generate(entropy);
                Self { keys: vec![OperatorKey::new("this run", &token, ring)], shown: Some(token) }
            }
            // Operators sign in, and make keys that can be revoked.
            (None, Environment::Production) => Self { keys: Vec::new(), shown: None },
        }
    }
}
