use crate::{AuditEvent, CodeDigest, CodeId, Limit, ProjectId, RedemptionId, SubscriptionState, TenantId, Timestamp};

/// An activation that nothing is known against, for [`Store::activate_at_once`](super::Store::activate_at_once).
#[derive(Clone, Debug)]
pub struct Activation<'a> {
    /// Whose.
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
    /// When.
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
