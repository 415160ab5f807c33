//! Reads that wait once.

use uuid::Uuid;

use super::{Yielding, others_first, yielding};
use crate::{
    AdoptedKind, ApiKey, ApiKeyId, AuditEvent, AuditFilter, Batch, BatchId, BootstrapLink, CalendarDay, CalendarMonth, Code,
    CodeDigest, CodeId, Email, Entitlement, Holdings, MessageId, MessageRecord, Operator, OperatorId, OperatorSession,
    OtpAccount, OutboxMessage, Page, PageRequest, Plan, PlanId, PressureQuery, Project, ProjectId, QuotaPressure, Redemption,
    Session, SigningKey, Slug, StoreError, Subscription, Tenant, TenantCounts, TenantId, Timestamp, TokenDigest, UsageDay,
    Webhook, WebhookDelivery, WebhookId, WebhookOwner, ports::*,
};

yielding! { Reader:
    PlanReads {
        fn plan(id: PlanId) -> Option<Plan>;
        fn plans_page(filter: &PlanFilter, page: PageRequest<Plan>) -> Page<Plan>;
    }
    TenantReads {
        fn tenant(id: TenantId) -> Option<Tenant>;
        fn tenants_by_ids(ids: &[TenantId]) -> Vec<Tenant>;
        fn tenant_by_slug(slug: &Slug) -> Option<Tenant>;
        fn tenants_page(filter: &TenantFilter, page: PageRequest<Tenant>) -> Page<Tenant>;
        fn subscription(tenant: TenantId) -> Option<Subscription>;
        fn entitlement(tenant: TenantId) -> Option<Entitlement>;
        fn count_holdings(tenant: TenantId) -> Option<Holdings>;
    }
    CodeReads {
        fn code(tenant: TenantId, id: CodeId) -> Option<Code>;
        fn code_by_digests(digests: &[CodeDigest]) -> Option<Code>;
        fn known_digests(digests: &[CodeDigest]) -> Vec<CodeDigest>;
        fn codes_page(tenant: TenantId, filter: &CodeFilter, now: Timestamp, page: PageRequest<Code>) -> Page<Code>;
        fn code_of_anyone(id: CodeId) -> Option<Code>;
        fn codes_of_anyone_page(
            tenant: Option<TenantId>, filter: &CodeFilter, now: Timestamp, page: PageRequest<Code>
        ) -> Page<Code>;
        fn count_codes(tenant: TenantId, now: Timestamp) -> [u64; 4];
    }
    BatchReads {
        fn batch_of_anyone(id: BatchId) -> Option<Batch>;
        fn batches_of_anyone_page(filter: &BatchFilter, page: PageRequest<Batch>) -> Page<Batch>;
        fn count_batch_codes(tenant: TenantId, id: BatchId, now: Timestamp) -> [u64; 4];
    }
    ProjectReads {
        fn project(tenant: TenantId, id: ProjectId) -> Option<Project>;
        fn project_standing(tenant: TenantId, id: ProjectId) -> Option<ProjectStanding>;
        fn projects_page(tenant: TenantId, filter: &ProjectFilter, page: PageRequest<Project>) -> Page<Project>;
        fn count_projects(tenant: TenantId) -> u64;
        fn project_slug_taken(tenant: TenantId, slug: &Slug) -> bool;
        fn project_of_anyone(id: ProjectId) -> Option<Project>;
        fn projects_of_anyone_page(ownership: Ownership, filter: &ProjectFilter, page: PageRequest<Project>) -> Page<Project>;
    }
    LedgerReads {
        fn redemptions_of_code(tenant: TenantId, code: CodeId) -> Vec<Redemption>;
        fn live_redemption(tenant: TenantId, project: ProjectId) -> Option<Redemption>;
        fn latest_redemption(tenant: TenantId, project: ProjectId) -> Option<Redemption>;
        fn activations_in(tenant: TenantId, month: CalendarMonth) -> u32;
    }
    SessionReads {
        fn session_by_digests(digests: &[TokenDigest]) -> Option<(Session, Tenant)>;
        fn session_and_projects(digests: &[TokenDigest], page: PageRequest<Project>) -> Option<(Session, Tenant, Page<Project>)>;
        fn live_sessions_page(tenant: TenantId, now: Timestamp, page: PageRequest<Session>) -> Page<Session>;
    }
    OtpReads {
        fn otp_failures(account: OtpAccount, since: Timestamp) -> u32;
    }
    AuditReads {
        fn audit_page(tenant: Option<TenantId>, filter: &AuditFilter, page: PageRequest<AuditEvent>) -> Page<AuditEvent>;
        fn code_timeline(code: CodeId, batch: Option<BatchId>, page: PageRequest<AuditEvent>) -> Page<AuditEvent>;
        fn actor_names(operators: &[OperatorId], api_keys: &[ApiKeyId]) -> ActorNames;
    }
    OperatorReads {
        fn operator(id: OperatorId) -> Option<Operator>;
        fn operator_by_email(email: &Email) -> Option<Operator>;
        fn operators_page(page: PageRequest<Operator>) -> Page<Operator>;
        fn has_operators() -> bool;
    }
    OperatorSessionReads {
        fn operator_session_by_digests(digests: &[TokenDigest]) -> Option<(OperatorSession, Operator)>;
        fn live_operator_sessions_page(
            operator: OperatorId, now: Timestamp, page: PageRequest<OperatorSession>
        ) -> Page<OperatorSession>;
    }
    ApiKeyReads {
        fn api_key(id: ApiKeyId) -> Option<ApiKey>;
        fn api_key_by_digests(digests: &[TokenDigest]) -> Option<ApiKey>;
        fn api_keys_page(page: PageRequest<ApiKey>) -> Page<ApiKey>;
    }
    BootstrapReads {
        fn open_bootstrap_link(digests: &[TokenDigest], now: Timestamp) -> Option<BootstrapLink>;
    }
    StatsReads {
        fn count_tenants(this_week: CalendarDay, last_week: CalendarDay) -> TenantCounts;
        fn count_codes_of_everyone(now: Timestamp) -> [u64; 4];
        fn count_projects_of_everyone() -> [u64; 4];
        fn usage_days(first: CalendarDay, last: CalendarDay) -> Vec<UsageDay>;
        fn quota_pressure(query: PressureQuery) -> QuotaPressure;
    }
    OutboxReads {
        fn message(id: MessageId) -> Option<MessageRecord>;
        fn messages_page(filter: &MessageFilter, page: PageRequest<OutboxMessage>) -> Page<MessageRecord>;
    }
    WebhookReads {
        fn webhook(owner: WebhookOwner, id: WebhookId) -> Option<Webhook>;
        fn webhooks_page(owner: WebhookOwner, page: PageRequest<Webhook>) -> Page<Webhook>;
        fn webhook_of_anyone(id: WebhookId) -> Option<Webhook>;
        fn webhook_delivery(owner: WebhookOwner, webhook: WebhookId, id: MessageId) -> Option<WebhookDelivery>;
        fn webhook_deliveries_page(
            owner: WebhookOwner, webhook: WebhookId, page: PageRequest<OutboxMessage>
        ) -> Page<WebhookDelivery>;
        fn webhooks_with_due_messages(now: Timestamp) -> Vec<WebhookId>;
    }
    AdoptionReads {
        fn adopted_rows(source: &str, kind: AdoptedKind) -> Vec<(String, Uuid)>;
    }
    SigningKeyReads {
        fn signing_keys() -> Vec<SigningKey>;
    }
}
