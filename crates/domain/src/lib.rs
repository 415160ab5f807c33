//! Activation codes, projects and tenants: the rules of [Tenantry](https://github.com/tenantry/tenantry), without I/O.
//!
//! An operator sells plans to tenants. A tenant receives activation codes, makes projects, and activates each with a code. One code
//! activates as many projects as it may, usually one, however many requests, servers and crashes there are: that is what this crate is
//! for. It knows no database, no web framework and no runtime, so a service of your own can embed it.
//!
//! 1. [A first activation](#a-first-activation)
//! 2. [The words](#the-words)
//! 3. [What you can do](#what-you-can-do)
//! 4. [How it is built](#how-it-is-built)
//! 5. [Stores](#stores), and one of your own
//! 6. [Features](#features)
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
//! let cx = Context::system(SystemClock.now(), &SystemEntropy); // when, by whom: one for each call
//!
//! // A plan, and a tenant on it, who is issued a tenth of its quota as codes.
//! let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(10)?).await?;
//! let new = NewTenant {
//!     slug: Slug::parse("acme")?,
//!     name: TenantName::parse("Acme")?,
//!     contact_email: Email::parse("it@acme.example")?,
//!     plan_id: plan.id,
//!     branding: Branding::default(),
//! };
//! let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
//! let (tenant, code) = (acme.tenant.id, acme.issued?.codes.remove(0).code);
//! let shown = code.reveal(); // once: the store keeps a digest
//!
//! // A project, which a code activates.
//! let details = |client: &str| -> Result<_, InvalidValue> {
//!     Ok(ProjectDetails { client_name: ClientName::parse(client)?, description: None, objectives: None, priority: None })
//! };
//! let project = create_project(&store, &cx, tenant, NewProject { slug: None, details: details("Globex")? }).await?;
//! let with = ActivateWith::Code(PlainHasher.read(&shown)?);
//! let request = ActivateProject { tenant, project: project.id, with, guesses: None };
//! let active = activate_project(&store, &cx, &PlainHasher, &request).await?;
//! assert_eq!(active.status, ProjectStatus::Active);
//!
//! // Whoever missed the answer asks again: the same project, and nothing more is consumed.
//! assert_eq!(activate_project(&store, &cx, &PlainHasher, &request).await?, active);
//!
//! // Why doesn't it work for another project? A dry run says what an activation would, and takes nothing.
//! let second = create_project(&store, &cx, tenant, NewProject { slug: None, details: details("Initech")? }).await?;
//! let why = CheckCode { text: &shown, tenant: Some(tenant), project: Some(second.id) };
//! assert_eq!(check_code(&store, cx.now, &PlainHasher, why).await?.verdict, Err(Refusal::Exhausted));
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! In production two things are others: the store (see [Stores](#stores)), and the hasher, which is `tenantry-auth`'s key ring.
//!
//! # The words
//!
//! | word | what it means here |
//! |---|---|
//! | **operator** | who runs the portal, or your own service in its place ([`Operator`], [`Actor`]) |
//! | **tenant** | a customer. All that is a tenant's names its tenant, and another tenant's is as good as missing ([`Tenant`]) |
//! | **plan**, **quota** | what a tenant pays for: so many activations a calendar month in UTC ([`Plan`], [`Quota`]). A *run*, as in `monthly_run_quota`, is an activation |
//! | **subscription** | ties a tenant to a plan; its state says what the tenant may do ([`SubscriptionState`]). The two read together are an [`Entitlement`] |
//! | **code** | sixteen symbols that activate a project. The text is a [`PlainCode`], what a store keeps of it a [`Code`]; the last group is its *hint* |
//! | **use** | what an activation takes of a code, which has `max_uses` of them, mostly one |
//! | **batch**, **issue** | the codes that one call made, and that call ([`Batch`]) |
//! | **project** | what a code activates: pending, active, paused, completed ([`Project`]) |
//! | **ledger**, **redemption** | a row for each use of a code; *live* until the use is returned ([`Redemption`]) |
//! | **return** | an activation is undone, and its use given back ([`return_activation`]) |
//! | **legacy** | from before: a project that has no tenant, a code of an older portal ([`LegacyCode`]). Taking such rows over is *adoption* ([`adopt`]) |
//! | **challenge** | a one-time password that was asked for, and waits for its answer ([`OtpChallenge`]) |
//! | **outbox** | messages that are written with what causes them, and sent after it ([`OutboxMessage`]) |
//! | **audit trail** | who did what to what, when, and from where ([`AuditEvent`]) |
//!
//! # What you can do
//!
//! Each is a function that takes a store and a [`Context`], has an error of its own, and, unless it says otherwise, is one transaction that
//! also writes its audit event.
//!
//! | to | call |
//! |---|---|
//! | sell | [`create_plan`], [`change_plan`], [`archive_plan`], [`restore_plan`], [`delete_plan`], [`set_subscription`] |
//! | have customers | [`create_tenant`], [`change_tenant`], [`change_own_profile`], [`suspend_tenant`], [`resume_tenant`], [`delete_tenant`] |
//! | issue codes | [`generate_codes`]; many, a part at a time, [`begin_bulk_issue`]; those of elsewhere, [`import_codes`] |
//! | look after codes | [`revoke_code`], [`revoke_batch`], [`reissue_code`], [`expire_code`], [`begin_code_export`] |
//! | make projects | [`create_project`], [`change_project`], [`transition_project`], [`delete_project`], [`assign_project`] |
//! | **activate** | [`activate_project`]; undo it, [`return_activation`] or, by the tenant itself, [`return_own_activation`] |
//! | say why not | [`check_code`], whose reasons are a [`Refusal`] |
//! | prove it elsewhere | [`certify_activation`] |
//! | carry a request out once | [`Attempt`] |
//! | have operators | [`create_operator`], [`change_operator`], [`delete_operator`]; what each may do is its [`Role`]'s [`Scopes`] |
//! | tell other programs | webhooks: [`change_webhook`], [`test_webhook`], [`redeliver_webhook_message`], [`settle_webhook_message`]; made in `tenantry-auth` |
//! | look after mails | [`retry_message`], [`discard_message`] |
//! | know that the keys are the right ones | [`admit_key_ring`], when your service starts |
//! | see how it goes | [`read_stats`], and the audit trail by an [`AuditFilter`] |
//! | keep house | [`Sweep`] |
//!
//! Lists, and all that is read alone, are asked of the store itself: see [ports]. Signing in, sessions and API keys are in `tenantry-auth`.
//!
//! # How it is built
//!
//! - **Types** hold what they promise: a [`Slug`] or a [`Quota`] that exists was checked, a [`ProjectId`] is no [`CodeId`], and a
//!   [`PlainCode`] shows its text only to who calls [`reveal`](PlainCode::reveal). What a parser refuses is an [`InvalidValue`], with a
//!   stable code for programs and a text for people.
//! - **Use cases** are functions such as [`activate_project`], each one transaction with an error of its own. Time and randomness enter
//!   by a [`Context`], once a call; so every rule can be tested at its exact edge, with a [`ManualClock`] and [`SeededEntropy`].
//! - **[Ports](ports)** are what a use case asks of a store: traits over entities, and a [`Store`](ports::Store) that gives readers and
//!   transactions. A write that may lose a race says whether it won, and where a tenant is named, another's row is as good as missing.
//! - A **[`CodeHasher`]** makes the digests that a store keeps in the place of codes. `tenantry-auth`'s key ring is one.
//! - **Errors** say what to do: a refusal is the use case's own variant, a broken store is a [`StoreError`], which also says whether
//!   trying again is safe. [`Chain`] writes one with all that caused it into a log.
//! - **Editors** don't overwrite each other: rows have a [`Version`], and an edit says which ones it is meant for ([`Expected`]).
//!
//! # Stores
//!
//! | store | where |
//! |---|---|
//! | in memory: complete, for tests and small embeddings | [`memory`], a feature of this crate |
//! | SQLite and PostgreSQL | `tenantry-persistence` |
//! | your own | the [ports] are the contract; the feature `rows` makes everything that is kept serialise |
//!
//! Bring a store of your own, and let [`conformance`] tell you when it is right: one async function for each rule that a store must keep,
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
//! | `system` (default) | [`SystemClock`] and [`SystemEntropy`]; without it, bring your own [`Clock`] and [`Entropy`] |
//! | `memory` | the in-memory store |
//! | `rows` | `Serialize` and `Deserialize` for what a store keeps: digests too, so never answer a caller with a row as it is. Until 1.0 their form may change with a minor version; the changelog says so |
//! | `conformance` | the rules for stores; brings `memory` |
//!
#![cfg_attr(feature = "conformance", doc = "[`conformance`]: crate::conformance")]
#![cfg_attr(not(feature = "conformance"), doc = "[`conformance`]: #features")]
#![cfg_attr(feature = "memory", doc = "[`memory`]: crate::memory")]
#![cfg_attr(not(feature = "memory"), doc = "[`memory`]: #features")]
#![cfg_attr(not(feature = "system"), doc = "[`SystemClock`]: #features")]
#![cfg_attr(not(feature = "system"), doc = "[`SystemEntropy`]: #features")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

mod adoption;
mod api_key;
mod audit;
mod audit_filter;
mod bootstrap;
mod branding;
mod bytes;
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
mod signing_key;
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
    event::{Event, Happening},
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
    signing_key::{KeyFingerprint, SigningKey},
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

#[cfg(doctest)] // what the README shows is run
#[doc = include_str!("../README.md")]
struct Readme;
