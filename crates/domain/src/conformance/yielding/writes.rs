//! Writes that wait once.

use time::Duration;

use super::{Yielding, others_first, yielding};
use crate::{
    AdoptedRow, ApiKey, ApiKeyId, AuditEvent, Batch, BatchId, BootstrapLink, BucketKey, CalendarMonth, ChallengeId, Code,
    CodeDigest, CodeId, Delivery, Entitlement, Event, Expected, IdempotencyKey, KeyClaim, KeyClaimId, KeyState, Limit, MessageId,
    NewCode, NewCodeText, Operator, OperatorId, OperatorName, OperatorSession, OperatorSessionId, OtpAccount, OtpBudget,
    OtpChallenge, OtpPurpose, OutboxMessage, Plan, PlanId, Project, ProjectDetails, ProjectId, Quota, Rate, RateDecision,
    Redemption, RedemptionId, Role, SealedPayload, Session, SessionId, SigningKey, Slug, StoreError, Subscription,
    SubscriptionTerms, Tenant, TenantId, TenantProfile, Timestamp, TokenDigest, Transition, Version, Webhook, WebhookCall,
    WebhookId, WebhookMessage, WebhookOwner, ports::*,
};

yielding! { Transaction:
    PlanWrites {
        fn insert_plan(plan: &Plan) -> bool;
        fn hold_plan(id: PlanId) -> Option<Plan>;
        fn lock_plan(id: PlanId) -> Option<Plan>;
        fn change_plan(plan: &Plan) -> bool;
        fn delete_plan(id: PlanId) -> bool;
    }
    TenantWrites {
        fn insert_tenant(tenant: &Tenant) -> bool;
        fn insert_subscription(subscription: &Subscription) -> ();
        fn hold_tenant(tenant: TenantId) -> Option<Entitlement>;
        fn hold_tenant_within(tenant: TenantId, limit: Limit, now: Timestamp) -> Option<(Entitlement, RateDecision)>;
        fn lock_tenant(tenant: TenantId) -> Option<Entitlement>;
        fn lock_tenant_by_slug(slug: &Slug) -> Option<Tenant>;
        fn confirm_entitlement(tenant: TenantId, version: Version) -> bool;
        fn change_tenant(tenant: TenantId, profile: &TenantProfile, now: Timestamp) -> Option<Tenant>;
        fn change_subscription(tenant: TenantId, terms: &SubscriptionTerms, now: Timestamp) -> Option<Subscription>;
        fn set_tenant_suspended(tenant: TenantId, suspended_at: Option<Timestamp>, now: Timestamp) -> bool;
        fn delete_tenant(tenant: TenantId, expected: &Expected) -> bool;
    }
    CodeWrites {
        fn insert_codes(issue: &CodeIssue, codes: &[NewCode]) -> ();
        fn consume_code(tenant: TenantId, id: CodeId, text: Option<&UsedText>, now: Timestamp) -> bool;
        fn consume_next_code(tenant: TenantId, now: Timestamp) -> Option<CodeId>;
        fn revoke_code(tenant: TenantId, id: CodeId, now: Timestamp) -> bool;
        fn reissue_code(tenant: TenantId, id: CodeId, from: CodeDigest, text: &NewCodeText, now: Timestamp) -> bool;
        fn move_code_expiry(tenant: TenantId, id: CodeId, from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> bool;
        fn give_back_use(tenant: TenantId, id: CodeId, now: Timestamp) -> bool;
    }
    BatchWrites {
        fn insert_batch(batch: &Batch) -> ();
        fn count_issued(tenant: TenantId, id: BatchId, codes: u32, now: Timestamp) -> bool;
        fn complete_batch(tenant: TenantId, id: BatchId, now: Timestamp) -> bool;
        fn cancel_batch(tenant: TenantId, id: BatchId, now: Timestamp) -> Option<u32>;
        fn revoke_batch_codes(tenant: TenantId, id: BatchId, after: Option<CodeId>, limit: u32, now: Timestamp) -> RevokedCodes;
    }
    ProjectWrites {
        fn lock_project(tenant: TenantId, id: ProjectId) -> Option<Project>;
        fn insert_project(project: &Project) -> bool;
        fn change_project(tenant: TenantId, id: ProjectId, details: &ProjectDetails, now: Timestamp) -> Option<Project>;
        fn start_project(tenant: TenantId, id: ProjectId, code: CodeId, now: Timestamp) -> Option<Project>;
        fn transition_project(tenant: TenantId, id: ProjectId, transition: Transition, now: Timestamp) -> Option<Project>;
        fn return_project(tenant: TenantId, id: ProjectId, now: Timestamp) -> Option<Project>;
        fn delete_project(tenant: TenantId, id: ProjectId) -> bool;
        fn assign_project(id: ProjectId, tenant: TenantId, now: Timestamp) -> Option<Project>;
    }
    LedgerWrites {
        fn insert_redemption(redemption: &Redemption) -> ();
        fn count_activation(tenant: TenantId, month: CalendarMonth, quota: Quota, now: Timestamp) -> Option<u32>;
        fn return_redemption(tenant: TenantId, id: RedemptionId, now: Timestamp) -> bool;
        fn uncount_activation(tenant: TenantId, month: CalendarMonth, now: Timestamp) -> bool;
    }
    SessionWrites {
        fn insert_session(session: &Session) -> ();
        fn touch_session(id: SessionId, touch: SessionTouch) -> bool;
        fn revoke_session(tenant: TenantId, id: SessionId, now: Timestamp) -> bool;
        fn revoke_sessions(tenant: TenantId, now: Timestamp) -> u64;
        fn revoke_other_sessions(tenant: TenantId, kept: SessionId, now: Timestamp) -> u64;
    }
    OtpWrites {
        fn insert_challenge(challenge: &OtpChallenge) -> ();
        fn claim_otp_attempt(id: ChallengeId, purpose: OtpPurpose, budget: OtpBudget, now: Timestamp) -> Option<OtpChallenge>;
        fn end_challenges(account: OtpAccount, now: Timestamp) -> u64;
        fn consume_challenge(id: ChallengeId, now: Timestamp) -> bool;
    }
    AuditWrites {
        fn append_audit(event: &AuditEvent) -> ();
    }
    OperatorWrites {
        fn lock_operators() -> ();
        fn lock_operator(id: OperatorId) -> Option<Operator>;
        fn insert_operator(operator: &Operator) -> bool;
        fn change_operator(id: OperatorId, name: &OperatorName, role: Role, now: Timestamp) -> Option<Operator>;
        fn delete_operator(id: OperatorId) -> bool;
    }
    OperatorSessionWrites {
        fn insert_operator_session(session: &OperatorSession) -> ();
        fn touch_operator_session(id: OperatorSessionId, touch: SessionTouch) -> bool;
        fn revoke_operator_session(operator: OperatorId, id: OperatorSessionId, now: Timestamp) -> bool;
        fn revoke_operator_sessions(operator: OperatorId, now: Timestamp) -> u64;
    }
    ApiKeyWrites {
        fn insert_api_key(key: &ApiKey) -> ();
        fn touch_api_key(id: ApiKeyId, now: Timestamp, unless_used_since: Timestamp, rekeyed: Option<TokenDigest>) -> bool;
        fn claim_api_key_audit(id: ApiKeyId, now: Timestamp, unless_claimed_since: Timestamp) -> bool;
        fn revoke_api_key(id: ApiKeyId, now: Timestamp) -> bool;
    }
    BootstrapWrites {
        fn insert_bootstrap_link(link: &BootstrapLink) -> ();
        fn consume_bootstrap_link(digests: &[TokenDigest], now: Timestamp) -> Option<BootstrapLink>;
        fn delete_expired_bootstrap_links(now: Timestamp) -> u64;
    }
    OutboxWrites {
        fn enqueue_message(message: &OutboxMessage) -> ();
        fn claim_messages(now: Timestamp, lease: Duration, limit: u16) -> Vec<OutboxMessage>;
        fn settle_message(id: MessageId, attempts: u32, delivery: &Delivery, now: Timestamp) -> bool;
        fn retry_message(id: MessageId, now: Timestamp) -> bool;
        fn discard_message(id: MessageId, now: Timestamp) -> bool;
        fn wipe_expired_messages(now: Timestamp) -> u64;
    }
    WebhookWrites {
        fn insert_webhook(webhook: &Webhook) -> bool;
        fn lock_webhook(owner: WebhookOwner, id: WebhookId) -> Option<Webhook>;
        fn change_webhook(webhook: &Webhook) -> bool;
        fn delete_webhook(owner: WebhookOwner, id: WebhookId) -> bool;
        fn enqueue_event(event: &Event) -> u64;
        fn enqueue_webhook_message(message: &WebhookMessage, topic: &str, now: Timestamp) -> ();
        fn claim_webhook_messages(webhook: WebhookId, now: Timestamp, lease: Duration, limit: u16) -> Vec<WebhookMessage>;
        fn settle_webhook_message(
            message: &WebhookMessage, call: Option<&WebhookCall>, delivery: &Delivery, now: Timestamp
        ) -> bool;
        fn redeliver_webhook_message(owner: WebhookOwner, webhook: WebhookId, id: MessageId, now: Timestamp) -> bool;
        fn note_webhook_taken(id: WebhookId) -> ();
        fn note_webhook_failed(id: WebhookId, now: Timestamp) -> Option<Timestamp>;
    }
    AdoptionWrites {
        fn insert_adopted_rows(rows: &[AdoptedRow]) -> ();
        fn insert_adopted_codes(codes: &[Code]) -> ();
    }
    SigningKeyWrites {
        fn lock_signing_keys() -> Vec<SigningKey>;
        fn insert_signing_keys(keys: &[SigningKey]) -> ();
    }
    LimitWrites {
        fn take_token(bucket: BucketKey, rate: Rate, now: Timestamp) -> RateDecision;
        fn charge(limit: Limit, now: Timestamp) -> ();
    }
    IdempotencyWrites {
        fn claim_key(claim: &KeyClaim) -> KeyState;
        fn answer_key(key: IdempotencyKey, claim: KeyClaimId, answer: &SealedPayload) -> bool;
        fn release_key(key: IdempotencyKey, claim: KeyClaimId) -> bool;
    }
    HousekeepingWrites {
        fn delete_leftovers(kind: Leftover, until: Timestamp, limit: u16) -> u64;
        fn delete_full_buckets(until: Timestamp, after: Option<BucketKey>, limit: u16) -> SweptBuckets;
    }
}
