//! Activation codes, projects and tenants: the rules of [Tenantry](https://github.com/tenantry/tenantry), without I/O.
#![doc = ""]
#![deny(missing_docs)]

mod audit;
mod branding;
mod clock;
mod codes;
mod context;
mod email;
mod entropy;
pub mod id;
mod invalid;
mod limit;
mod otp;
mod outbox;
mod page;
mod plan;
pub mod ports;
mod project;
mod redemption;
mod session;
mod slug;
mod subscription;
mod tenant;
mod text;
mod timestamp;
mod use_cases;

#[cfg(feature = "system")]
pub use clock::SystemClock;
#[cfg(feature = "system")]
pub use entropy::SystemEntropy;
pub use {
    audit::{Action, Actor, AuditEvent, AuditEventId, Target},
    branding::{DomainName, HexColor, HttpsUrl},
    clock::{Clock, ManualClock},
    codes::*,
    context::Context,
    email::Email,
    entropy::{Entropy, SeededEntropy},
    id::Id,
    invalid::InvalidValue,
    limit::{BucketKey, Rate, RateDecision},
    otp::{ChallengeId, OtpBudget, OtpChallenge, OtpMac, OtpPurpose, OtpStrength},
    outbox::{Delivery, MessageId, OutboxMessage, SealedPayload},
    page::{Page, PageLimit, PageRequest},
    plan::{Plan, PlanId, Quota},
    ports::StoreError,
    project::{Project, ProjectDetails, ProjectId, ProjectStatus, Transition},
    redemption::{Redemption, RedemptionId},
    session::{Session, SessionId, TokenDigest},
    slug::Slug,
    subscription::{Entitlement, Subscription, SubscriptionId, SubscriptionState, TenantAction},
    tenant::{Branding, Tenant, TenantId},
    text::{ClientName, Description, Label, Line, PlanName, Priority, Prose, TenantName},
    timestamp::{CalendarMonth, Timestamp},
    use_cases::*,
};
