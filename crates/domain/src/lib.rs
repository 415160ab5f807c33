//! Activation codes, projects and tenants: the rules of [Tenantry](https://github.com/tenantry/tenantry), without I/O.
//!
//! An operator sells plans to tenants. A tenant receives activation codes, makes projects, and activates each with a code. One code
//! activates as many projects as it may, usually one, however many requests, servers and crashes there are: that is what this crate is
//! for. It knows no database, no web framework and no runtime, so a service of your own can embed it.
//!
//! # A first activation
//!
#![cfg_attr(all(feature = "memory", feature = "system"), doc = "```")]
#![cfg_attr(not(all(feature = "memory", feature = "system")), doc = "```ignore")]
//! use tenantry_domain::{memory::{MemoryStore, PlainHasher}, *};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures_executor::block_on(async {
//! let store = MemoryStore::new();
//! let cx = Context::system(SystemClock.now(), &SystemEntropy);
//!
//! let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(10)?).await?;
//! let (slug, name, plan_id) = (Slug::parse("acme")?, TenantName::parse("Acme")?, plan.id);
//! let contact_email = Email::parse("it@acme.example")?;
//! let new = NewTenant { slug, name, contact_email, plan_id, branding: Branding::default() };
//! let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
//! let code = acme.issued?.codes.remove(0).code; // shown once: the store keeps a digest
//!
//! let (client_name, description, objectives, priority) = (ClientName::parse("Globex")?, None, None, None);
//! let details = ProjectDetails { client_name, description, objectives, priority };
//! let project = create_project(&store, &cx, acme.tenant.id, NewProject { slug: None, details }).await?;
//!
//! let request = ActivateProject { tenant: acme.tenant.id, project: project.id, with: ActivateWith::Code(code), guesses: None };
//! let active = activate_project(&store, &cx, &PlainHasher, &request).await?;
//! assert_eq!(active.status, ProjectStatus::Active);
//! // Whoever missed the answer asks again: the same project, and nothing more is consumed.
//! assert_eq!(activate_project(&store, &cx, &PlainHasher, &request).await?, active);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # How it is built
//!
//! - **Types** hold what they promise: a [`Slug`] or a [`Quota`] that exists was checked, a [`ProjectId`] is no [`CodeId`], and a
//!   [`PlainCode`] shows its text only to who calls [`reveal`](PlainCode::reveal).
//! - **Use cases** are functions such as [`activate_project`], each one transaction with an error of its own. Time and randomness enter
//!   by a [`Context`], once a call; so every rule can be tested at its exact edge.
//! - **[Ports](ports)** are what a use case asks of a store: traits over entities, and a [`Store`](ports::Store) that gives readers and
//!   transactions. A write that may lose a race says whether it won, and where a tenant is named, another's row is as good as missing.
//! - **`memory`** (a feature) has a complete store in memory, for tests and small embeddings. `tenantry-persistence` has SQLite and
//!   PostgreSQL.
//! - **`conformance`** (a feature) has one async function for each rule that a store must keep, and a macro that makes each a test. Bring a
//!   store of your own, and let it tell you when the store is right:
//!
//! ```text
//! tenantry_domain::conformance_suite! {
//!     #[tokio::test(flavor = "multi_thread")]
//!     store = MyStore::connect_to_a_fresh_database().await,
//! }
//! ```
#![deny(missing_docs)]

mod api_key;
mod audit;
mod audit_filter;
mod bootstrap;
mod branding;
mod certificate;
mod chain;
mod clock;
mod codes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
mod contrast;
mod email;
mod entropy;
mod event;
pub mod id;
mod idempotency;
mod invalid;
mod limit;
#[cfg(feature = "memory")]
pub mod memory;
mod operator;
mod operator_session;
mod otp;
mod outbox;
mod page;
mod plan;
pub mod ports;
mod project;
mod redemption;
mod scope;
mod session;
mod slug;
mod stats;
mod subscription;
mod tenant;
mod text;
mod timestamp;
mod trace;
mod use_cases;
mod verdict;
mod version;
mod webhook;

#[cfg(feature = "system")]
pub use clock::SystemClock;
#[cfg(feature = "system")]
pub use entropy::SystemEntropy;
pub use {
    api_key::{ApiKey, ApiKeyId},
    audit::{Action, Actor, AuditEvent, AuditEventId, Outcome, Target},
    audit_filter::{ActionFilter, ActorFilter, AuditFilter},
    bootstrap::{BootstrapLink, BootstrapPurpose},
    branding::{DomainName, HexColor, HttpsUrl},
    certificate::{ActivationStatement, CertificateSigner, CertificateTerms, SignedStatement},
    chain::Chain,
    clock::{Clock, ManualClock},
    codes::*,
    context::Context,
    email::Email,
    entropy::{Entropy, SeededEntropy},
    event::{Event, Happening, quota_threshold},
    id::Id,
    idempotency::{Fingerprint, IdempotencyKey, KeyClaim, KeyClaimId, KeyState},
    invalid::InvalidValue,
    limit::{BucketKey, Limit, Rate, RateDecision},
    operator::{Operator, OperatorChange, OperatorId},
    operator_session::{OperatorSession, OperatorSessionId},
    otp::{ChallengeId, OtpAccount, OtpBudget, OtpChallenge, OtpMac, OtpPurpose, OtpStrength},
    outbox::{Delivery, FailureNote, MessageId, MessageRecord, MessageState, OutboxMessage, SealedPayload},
    page::{Page, PageLimit, PageRequest},
    plan::{Plan, PlanChange, PlanId, Quota},
    ports::StoreError,
    project::{Project, ProjectChange, ProjectDetails, ProjectId, ProjectStatus, Transition},
    redemption::{Redemption, RedemptionId},
    scope::{Role, Scope, Scopes},
    session::{Session, SessionId, TokenDigest},
    slug::Slug,
    stats::{PressureQuery, QuotaPressure, QuotaUse, TenantCounts, Usage, UsageDay},
    subscription::{Entitlement, Subscription, SubscriptionId, SubscriptionState, SubscriptionTerms, TenantAction},
    tenant::{Branding, Holdings, ProfileChange, Tenant, TenantId, TenantProfile},
    text::{ApiKeyName, ClientName, Description, Label, Line, OperatorName, PlanName, Priority, Prose, SearchText, TenantName},
    timestamp::{CalendarDay, CalendarMonth, Timestamp},
    trace::{Cause, TraceId},
    use_cases::*,
    verdict::{Named, Refusal, Situation, Usable},
    version::{Expected, Version},
    webhook::{
        DisabledReason, EventType, EventTypes, Webhook, WebhookCall, WebhookDelivery, WebhookDescription, WebhookId,
        WebhookMessage, WebhookOwner, WebhookUrl,
    },
};
