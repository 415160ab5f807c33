//! All tables: what a transaction sees and changes.

use super::table::Table;
use crate::{
    AdoptedKind, AdoptedRow, ApiKey, ApiKeyId, AuditEvent, AuditEventId, Batch, BatchId, BootstrapLink, BucketKey, CalendarMonth,
    ChallengeId, Code, CodeId, IdempotencyKey, KeyClaim, KeyId, MessageId, Operator, OperatorId, OperatorSession,
    OperatorSessionId, OtpChallenge, Plan, PlanId, Project, ProjectId, Redemption, RedemptionId, SealedPayload, Session,
    SessionId, SigningKey, StoreError, StoredMessage, Subscription, Tenant, TenantId, Timestamp, Webhook, WebhookId,
};

/// The state of a store. A clone costs one reference count a table.
#[derive(Clone, Default)]
pub struct Tables {
    pub plans: Table<PlanId, Plan>,
    pub tenants: Table<TenantId, Tenant>,
    pub subscriptions: Table<TenantId, Subscription>,
    pub batches: Table<BatchId, Batch>,
    pub codes: Table<CodeId, Code>,
    pub codes_by_digest: Table<[u8; 32], CodeId>,
    pub projects: Table<ProjectId, Project>,
    pub redemptions: Table<RedemptionId, Redemption>,
    pub activations: Table<(TenantId, CalendarMonth), u32>,
    pub sessions: Table<SessionId, Session>,
    pub sessions_by_digest: Table<[u8; 32], SessionId>,
    pub challenges: Table<ChallengeId, OtpChallenge>,
    /// For each bucket the time when it will be full again.
    pub buckets: Table<BucketKey, Timestamp>,
    pub idempotency_keys: Table<IdempotencyKey, (KeyClaim, Option<SealedPayload>)>,
    pub audit: Table<AuditEventId, AuditEvent>,
    pub outbox: Table<MessageId, StoredMessage>,
    pub operators: Table<OperatorId, Operator>,
    pub operator_sessions: Table<OperatorSessionId, OperatorSession>,
    pub operator_sessions_by_digest: Table<[u8; 32], OperatorSessionId>,
    pub api_keys: Table<ApiKeyId, ApiKey>,
    /// For each API key the time when its use was last audited.
    pub api_key_audits: Table<ApiKeyId, Timestamp>,
    pub bootstrap_links: Table<[u8; 32], BootstrapLink>,
    pub webhooks: Table<WebhookId, Webhook>,
    /// By older portal, table and key there.
    pub adopted: Table<(String, AdoptedKind, String), AdoptedRow>,
    pub signing_keys: Table<KeyId, SigningKey>,
}

/// What a database calls a constraint.
pub fn demand(holds: bool, broken: &'static str) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(StoreError::Conflict(broken.into())) }
}

impl Tables {
    /// Refuses a row of a tenant that doesn't exist.
    pub fn demand_tenant(&self, tenant: TenantId) -> Result<(), StoreError> {
        demand(self.tenants.contains(&tenant), "there is no such tenant")
    }

    /// Refuses a row of an operator that doesn't exist.
    pub fn demand_operator(&self, operator: OperatorId) -> Result<(), StoreError> {
        demand(self.operators.contains(&operator), "there is no such operator")
    }
}
