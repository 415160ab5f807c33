//! What a store may do in one step, where a use case takes several.

use crate::{
    AuditEvent, ChallengeId, CodeDigest, CodeId, Limit, ProjectId, RedemptionId, Session, SubscriptionState, TenantId, Timestamp,
};

/// An activation in one step, for [`Store::activate_at_once`](super::Store::activate_at_once).
#[derive(Clone, Debug)]
pub struct Activation<'a> {
    /// The tenant that asks.
    pub tenant: TenantId,
    /// Its project.
    pub project: ProjectId,
    /// What it is activated with.
    pub with: ActivationBy,
    /// The bucket that must hold one, which stays there.
    pub within: Option<Limit>,
    /// The states of a subscription that allow it.
    pub states: &'a [SubscriptionState],
    /// The identifier of its row in the ledger.
    pub redemption: RedemptionId,
    /// Its event. The store fills in the code: as [`AuditEvent::code_id`], and as the detail `activation_code_id`.
    pub event: AuditEvent,
    /// The moment of the call: when the project starts.
    pub now: Timestamp,
}

/// A code, as an [`Activation`] names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationBy {
    /// By its digest under the key that signs.
    Digest(CodeDigest),
    /// By its identifier.
    Id(CodeId),
    /// Whichever [`consume_next_code`](super::CodeWrites::consume_next_code) would take.
    NextAvailable,
}

/// The end of a tenant's sign-in in one step, for [`Store::sign_in_at_once`](super::Store::sign_in_at_once): its password was
/// right.
#[derive(Clone, Debug)]
pub struct SignIn<'a> {
    /// The challenge that is consumed.
    pub challenge: ChallengeId,
    /// The tenant's new session.
    pub session: &'a Session,
    /// Its event.
    pub event: &'a AuditEvent,
    /// The moment of the call.
    pub now: Timestamp,
}
