//! What a use case is told about its call.

use std::{fmt, net::IpAddr};

use crate::{Actor, Entropy, Timestamp, TraceId};

/// When, by whom and from where a use case is called.
///
/// Time enters here once: a use case sees one moment from start to end. Make one for each call.
///
/// # Example
/// A call that your service makes by itself is [`Context::system`]. One that came by a request says so, for the audit trail:
///
/// ```
/// use tenantry_domain::*;
///
/// # let (tenant, session) = (Id::generate(SystemClock.now(), &SystemEntropy), Id::generate(SystemClock.now(), &SystemEntropy));
/// let cx = Context {
///     actor: Actor::Tenant { tenant, session },
///     client_ip: Some([203, 0, 113, 7].into()),
///     request_id: Some("req-4711".to_owned()),
///     ..Context::system(SystemClock.now(), &SystemEntropy)
/// };
/// assert_eq!(cx.actor.kind(), "tenant");
/// ```
#[derive(Clone)]
pub struct Context<'a> {
    /// The moment of the call.
    pub now: Timestamp,
    /// Where randomness comes from.
    pub entropy: &'a dyn Entropy,
    /// Who calls, for the audit trail.
    pub actor: Actor,
    /// From where, for the audit trail.
    pub client_ip: Option<IpAddr>,
    /// In which request, for the audit trail and for messages.
    pub request_id: Option<String>,
    /// In which trace, for the same.
    pub trace_id: Option<TraceId>,
}

impl<'a> Context<'a> {
    /// A call by the embedding program itself.
    #[must_use]
    pub const fn system(now: Timestamp, entropy: &'a dyn Entropy) -> Self {
        Self { now, entropy, actor: Actor::System, client_ip: None, request_id: None, trace_id: None }
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.now).field("actor", &self.actor).finish_non_exhaustive()
    }
}
