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
//! let typed = code.reveal();
//! let request = ActivateProject { tenant: acme.tenant.id, project: project.id, with: ActivateWith::Code(code.into()), guesses: None };
//! let active = activate_project(&store, &cx, &PlainHasher, &request).await?;
//! assert_eq!(active.status, ProjectStatus::Active);
//! // Whoever missed the answer asks again: the same project, and nothing more is consumed.
//! assert_eq!(activate_project(&store, &cx, &PlainHasher, &request).await?, active);
//!
//! // Why doesn't it work for another project? A dry run says what an activation would, and takes nothing.
//! let (client_name, description, objectives, priority) = (ClientName::parse("Initech")?, None, None, None);
//! let details = ProjectDetails { client_name, description, objectives, priority };
//! let second = create_project(&store, &cx, acme.tenant.id, NewProject { slug: None, details }).await?;
//! let why = CheckCode { text: &typed, tenant: Some(acme.tenant.id), project: Some(second.id) };
//! assert_eq!(check_code(&store, cx.now, &PlainHasher, why).await?.verdict, Err(Refusal::Exhausted));
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
//! - A **[`CodeHasher`]** makes the digests that a store keeps in the place of codes. `tenantry-auth`'s key ring is one.
//!
//! # Stores
//!
//! | store | where |
//! |---|---|
//! | in memory: complete, for tests and small embeddings | `memory`, a feature of this crate |
//! | SQLite and PostgreSQL | `tenantry-persistence` |
//! | your own | the [ports](ports) are the contract; the feature `rows` makes everything that is kept serialise |
//!
//! Bring a store of your own, and let `conformance` tell you when it is right: one async function for each rule that a store must keep,
//! and a macro that makes each a test. `examples/own-store` in the repository passes them all on a key-value file.
//!
//! ```text
//! tenantry_domain::conformance_suite! {
//!     #[tokio::test(flavor = "multi_thread")]
//!     store = MyStore::connect_to_a_fresh_database().await,
//! }
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `system` (default) | `SystemClock` and `SystemEntropy`; without it, bring your own [`Clock`] and [`Entropy`] |
//! | `memory` | the in-memory store |
//! | `rows` | `Serialize` and `Deserialize` for what a store keeps: digests too, so never answer a caller with a row as it is. Until 1.0 their form may change with a minor version; the changelog says so |
//! | `conformance` | the rules for stores; brings `memory` |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

mod adoption;
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
#[cfg(feature = "rows")]
mod rows;
mod scope;
mod session;
mod slug;
mod stats;
mod stored_message;
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
    adoption::{Adopted, AdoptedKind, AdoptedRow, Adoption},
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
    stored_message::StoredMessage,
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
