//! What every endpoint works with.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tenantry_auth::{AuthPolicy, KeyRing, OperatorKey};
use tenantry_domain::{Actor, Clock, Context, Entropy};

use crate::{client::RequestInfo, observer::Observer};

/// What every endpoint works with; cheap to clone.
#[derive(Clone)]
pub struct AppState<S> {
    /// The store.
    pub store: S,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// The key ring.
    pub keys: Arc<KeyRing>,
    /// The figures of sign-in.
    pub policy: Arc<AuthPolicy>,
    /// Who issues certificates: the address that the portal is known by.
    pub issuer: Arc<str>,
    /// The operators' API keys that the server was configured with.
    pub operator_keys: Arc<[OperatorKey]>,
    /// Whether the server is ready.
    pub health: Health,
    /// Whether webhooks may have addresses of https alone.
    pub webhooks_https_only: bool,
    /// What the consoles are told.
    pub console: Arc<ConsoleSettings>,
    /// Called once a mail waits in the outbox, so that it needn't wait for the next look there.
    pub mail_waiting: Arc<dyn Fn() + Send + Sync>,
    /// Who is told of requests.
    pub observer: Arc<dyn Observer>,
}

/// What the consoles are told of where they run.
#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// What the portal is called.
    pub brand: String,
    /// Whether cookies are for TLS alone. Without it a browser would also send them in the open: for development.
    pub secure_cookies: bool,
    /// The address that browsers know the server by (`https://portal.example`), where it is known.
    pub public_origin: Option<String>,
}

impl<S> AppState<S> {
    /// What a use case is told of a request. The clock is read here, once.
    pub(crate) fn context(&self, request: &RequestInfo, actor: Actor) -> Context<'_> {
        Context {
            now: self.clock.now(),
            entropy: self.entropy.as_ref(),
            actor,
            client_ip: request.client_ip,
            request_id: Some(request.id.clone()),
            trace_id: Some(request.trace_id),
        }
    }
}

/// Finds out whether the server can do its work.
pub trait Readiness: Send + Sync + 'static {
    /// `Err` with why it can't, without secrets.
    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}

/// Whether the server is ready, and whether it is on its way out.
#[derive(Clone)]
pub struct Health {
    check: Arc<dyn Readiness>,
    draining: Arc<AtomicBool>,
}

impl Health {
    /// Ready while `check` says so.
    pub fn new(check: impl Readiness) -> Self {
        Self { check: Arc::new(check), draining: Arc::default() }
    }

    /// From now on the server isn't ready: balancers send their requests elsewhere, while those at hand are finished.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is on its way out.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) async fn check(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("the server is shutting down".to_owned());
        }
        self.check.check().await
    }
}
