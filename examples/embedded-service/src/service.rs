//! What the use cases are called with.

use std::{fmt, sync::Arc};

use tenantry_domain::{Clock, CodeHasher, Context, Entropy, ports::Store};

/// A store, a key for digests, a clock, and a source of randomness. Clones share them.
#[derive(Clone)]
pub struct Service<S> {
    /// Where everything is kept.
    pub store: S,
    hasher: Arc<dyn CodeHasher>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl<S: Store> Service<S> {
    /// Puts them together; nothing is stored by it.
    pub fn new(store: S, hasher: impl CodeHasher + 'static, clock: impl Clock, entropy: impl Entropy) -> Self {
        Self { store, hasher: Arc::new(hasher), clock: Arc::new(clock), entropy: Arc::new(entropy) }
    }

    /// What a use case is told about a call: now, and by the service itself. A service whose users sign in says here who acts, for the
    /// audit trail.
    #[must_use]
    pub fn call(&self) -> Context<'_> {
        Context::system(self.clock.now(), self.entropy.as_ref())
    }

    /// What makes digests of codes.
    #[must_use]
    pub fn hasher(&self) -> &dyn CodeHasher {
        self.hasher.as_ref()
    }
}

impl<S> fmt::Debug for Service<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service(..)")
    }
}
