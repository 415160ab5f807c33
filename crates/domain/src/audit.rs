//! The audit trail: who did what to what, when, and from where.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use crate::{
    ApiKeyId, BatchId, CodeId, Context, Id, InvalidValue, MessageId, OperatorId, OperatorSessionId, PlanId, ProjectId, SessionId,
    TenantId, Timestamp, TraceId, WebhookId, id::Kind,
};

/// One event of the audit trail: who did what to what, when, and from where.
///
/// The trail is append-only, and an event outlives what it speaks of. Use cases write theirs in the transaction of what they do;
/// [`AuditFilter`](crate::AuditFilter) shows how to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct AuditEvent {
    /// Its identifier, made at the moment of the event: stores find the events of a time by it.
    pub id: AuditEventId,
    /// When it happened.
    pub at: Timestamp,
    /// The tenant that it concerns, also once that is deleted.
    pub tenant_id: Option<TenantId>,
    /// Who did it.
    pub actor: Actor,
    /// Did what: the word of an [`Action`], `project.activated`, or of one that a newer version knows.
    pub action: String,
    /// To what it was done, as shown identifiers: `prj_...`.
    pub target: Option<String>,
    /// The code that it concerns, for the code's timeline: whoever's it is, so no tenant is ever shown it.
    pub code_id: Option<CodeId>,
    /// The issue that it concerns, for the timelines of all its codes.
    pub batch_id: Option<BatchId>,
    /// From which address it was asked for.
    pub client_ip: Option<IpAddr>,
    /// In which request it was done.
    pub request_id: Option<String>,
    /// In which trace; whoever sent the request may have chosen it.
    pub trace_id: Option<TraceId>,
    /// What else there is to say; never a secret, an address or a name of a person.
    pub details: BTreeMap<String, String>,
}

/// An audit event's identifier.
pub type AuditEventId = Id<AuditEvent>;

impl Kind for AuditEvent {
    const PREFIX: &'static str = "evt";
}

/// Who acts, as the audit trail says it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Actor {
    /// A signed-in tenant, by its session.
    Tenant {
        /// The tenant.
        tenant: TenantId,
        /// The session.
        session: SessionId,
    },
    /// A signed-in operator, by its session.
    Operator {
        /// The operator.
        operator: OperatorId,
        /// The session.
        session: OperatorSessionId,
    },
    /// An operator's API key: its identifier (`key_..`), or, of one that the server was configured with, its name.
    ApiKey(String),
    /// Whoever sent the request, not signed in.
    Anonymous,
    /// The server itself: the demo, housekeeping, the embedding program.
    System,
}

impl Actor {
    /// Every kind of actor.
    pub const KINDS: [&str; 5] = ["tenant", "operator", "api_key", "anonymous", "system"];

    /// What kind of actor, as it is stored and shown: `tenant`, `operator`, `api_key`, `anonymous`, `system`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tenant { .. } => "tenant",
            Self::Operator { .. } => "operator",
            Self::ApiKey(_) => "api_key",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }

    /// Which one, where there are several: a session's identifier, for an operator its own before it (`opr_../ops_..`), a key's name.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Tenant { session, .. } => Some(session.to_string()),
            Self::Operator { operator, session } => Some(format!("{operator}/{session}")),
            Self::ApiKey(name) => Some(name.clone()),
            Self::Anonymous | Self::System => None,
        }
    }

    /// The reverse of [`kind`](Self::kind) and [`name`](Self::name), for a store; `None` for what they never wrote.
    #[must_use]
    pub fn from_stored(kind: &str, name: Option<&str>, tenant: Option<TenantId>) -> Option<Self> {
        match (kind, name, tenant) {
            ("tenant", Some(session), Some(tenant)) => Some(Self::Tenant { tenant, session: session.parse().ok()? }),
            ("operator", Some(name), _) => {
                let (operator, session) = name.split_once('/')?;
                Some(Self::Operator { operator: operator.parse().ok()?, session: session.parse().ok()? })
            }
            ("api_key", Some(name), _) => Some(Self::ApiKey(name.to_owned())),
            ("anonymous", None, _) => Some(Self::Anonymous),
            ("system", None, _) => Some(Self::System),
            _ => None,
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)*) => {
        /// What happened. The words are stored, so they never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that is stored: resource first, so that it greps.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

actions! {
    /// A plan was made.
    PlanCreated = "plan.created";
    /// A tenant was made.
    TenantCreated = "tenant.created";
    /// A tenant was suspended; its sessions ended with it.
    TenantSuspended = "tenant.suspended";
    /// A suspended tenant may sign in again.
    TenantResumed = "tenant.resumed";
    /// A tenant was deleted with all that it owned.
    TenantDeleted = "tenant.deleted";
    /// Codes were issued.
    CodesIssued = "codes.issued";
    /// A new tenant's first codes could not be issued.
    CodesIssueFailed = "codes.issue_failed";
    /// A one-time password was asked for.
    OtpRequested = "otp.requested";
    /// A one-time password was asked for by an account that may not sign in; none was sent.
    OtpRefused = "otp.refused";
    /// A sign-in succeeded.
    SignInSucceeded = "sign_in.succeeded";
    /// A sign-in failed.
    SignInFailed = "sign_in.failed";
    /// An account's failures are spent: wide codes from here on.
    SignInBudgetSpent = "sign_in.budget_spent";
    /// A session was refreshed.
    SessionRefreshed = "session.refreshed";
    /// A session was ended.
    SessionRevoked = "session.revoked";
    /// All sessions of a tenant were ended.
    SessionsRevoked = "sessions.revoked";
    /// A project was made.
    ProjectCreated = "project.created";
    /// A project's details changed.
    ProjectChanged = "project.changed";
    /// A project was activated with a code.
    ProjectActivated = "project.activated";
    /// An activation was refused.
    ActivationRefused = "activation.refused";
    /// A project was paused.
    ProjectPaused = "project.paused";
    /// A project was resumed.
    ProjectResumed = "project.resumed";
    /// A project was completed.
    ProjectCompleted = "project.completed";
    /// A project was deleted.
    ProjectDeleted = "project.deleted";
    /// A legacy project was assigned to a tenant.
    ProjectAssigned = "project.assigned";
    /// A plan's name or quota changed.
    PlanChanged = "plan.changed";
    /// A plan takes no new tenants from now on.
    PlanArchived = "plan.archived";
    /// An archived plan takes new tenants again.
    PlanRestored = "plan.restored";
    /// A plan that nobody was on was deleted.
    PlanDeleted = "plan.deleted";
    /// What is known of a tenant changed.
    TenantChanged = "tenant.changed";
    /// A tenant's plan, state or period changed.
    SubscriptionChanged = "subscription.changed";
    /// A streamed issue began; what became of it is an event of its own.
    CodesIssueStarted = "codes.issue_started";
    /// A streamed issue ended before its time, with what it had issued by then.
    CodesIssueCancelled = "codes.issue_cancelled";
    /// Codes that came from elsewhere were taken in.
    CodesImported = "codes.imported";
    /// A list of codes was exported, without their texts.
    CodesExported = "codes.exported";
    /// All codes of an issue were revoked.
    CodesRevoked = "codes.revoked";
    /// A code was revoked.
    CodeRevoked = "code.revoked";
    /// A code was given a new text; the old one is worth nothing.
    CodeReissued = "code.reissued";
    /// A code's expiry was moved.
    CodeExpiryChanged = "code.expiry_changed";
    /// An activation was undone: the project is pending again, the code's use given back.
    ActivationReturned = "activation.returned";
    /// The first operator was made, by the one-time link.
    OperatorBootstrapped = "operator.bootstrapped";
    /// An operator was made.
    OperatorCreated = "operator.created";
    /// An operator's name or role changed.
    OperatorChanged = "operator.changed";
    /// An operator was removed.
    OperatorDeleted = "operator.deleted";
    /// An API key was made.
    ApiKeyCreated = "api_key.created";
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked";
    /// An API key was used; written at most once an hour for each key.
    ApiKeyUsed = "api_key.used";
    /// A one-time link that makes an owner was made.
    BootstrapLinkCreated = "bootstrap_link.created";
    /// An operator or an API key tried what its scopes don't hold.
    AccessForbidden = "access.forbidden";
    /// A message that could not be sent was put back, to be tried again.
    MessageRetried = "message.retried";
    /// A message that could not be sent was discarded.
    MessageDiscarded = "message.discarded";
    /// A webhook was made.
    WebhookCreated = "webhook.created";
    /// A webhook was changed, enabled or disabled by hand.
    WebhookChanged = "webhook.changed";
    /// A webhook was deleted.
    WebhookDeleted = "webhook.deleted";
    /// A webhook was given another secret.
    WebhookSecretRotated = "webhook.secret_rotated";
    /// A webhook was sent a message to see whether it works.
    WebhookTested = "webhook.tested";
    /// A message was sent to a webhook again.
    WebhookRedelivered = "webhook.redelivered";
    /// A webhook was disabled by the server: it is gone, or took nothing for days.
    WebhookDisabled = "webhook.disabled";
    /// What the database held was replaced by what a backup holds.
    DatabaseRestored = "database.restored";
    /// Rows of an older portal begin to be taken over.
    AdoptionBegan = "adoption.began";
    /// All rows of an older portal that can be are taken over.
    AdoptionCompleted = "adoption.completed";
    /// A key ring that has nothing in common with the one before was accepted by hand.
    KeysAccepted = "keys.accepted";
}

/// How an audited action came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused, or ended before its time.
    Failure,
}

impl Outcome {
    /// As it is shown: `success`, `failure`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_outcome`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new("invalid_outcome", "must be `success` or `failure`");
        [Self::Success, Self::Failure].into_iter().find(|outcome| outcome.as_str() == text).ok_or_else(invalid)
    }
}

impl Action {
    /// How it came out.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::OtpRefused
            | Self::SignInFailed
            | Self::SignInBudgetSpent
            | Self::ActivationRefused
            | Self::AccessForbidden
            | Self::CodesIssueFailed
            | Self::CodesIssueCancelled => Outcome::Failure,
            _ => Outcome::Success,
        }
    }

    /// The action of a stored word; `None` for one of a newer version.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == word)
    }
}

/// What an audit event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A plan.
    Plan(PlanId),
    /// A tenant.
    Tenant(TenantId),
    /// A code.
    Code(CodeId),
    /// A project.
    Project(ProjectId),
    /// A session.
    Session(SessionId),
    /// The codes of one issue.
    Batch(BatchId),
    /// An operator.
    Operator(OperatorId),
    /// An operator's session.
    OperatorSession(OperatorSessionId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A message.
    Message(MessageId),
    /// A webhook.
    Webhook(WebhookId),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(id) => id.fmt(f),
            Self::Tenant(id) => id.fmt(f),
            Self::Code(id) => id.fmt(f),
            Self::Project(id) => id.fmt(f),
            Self::Session(id) => id.fmt(f),
            Self::Batch(id) => id.fmt(f),
            Self::Operator(id) => id.fmt(f),
            Self::OperatorSession(id) => id.fmt(f),
            Self::ApiKey(id) => id.fmt(f),
            Self::Message(id) => id.fmt(f),
            Self::Webhook(id) => id.fmt(f),
        }
    }
}

impl AuditEvent {
    /// An event that happens now, by the context's actor, from its address and request. It concerns `tenant_id`, else the tenant that
    /// acts, and the code or the issue that is its target.
    #[must_use]
    pub fn new(cx: &Context<'_>, action: Action, tenant_id: Option<TenantId>, target: Option<Target>) -> Self {
        let acting = match cx.actor {
            Actor::Tenant { tenant, .. } => Some(tenant),
            _ => None,
        };
        Self {
            id: Id::generate(cx.now, cx.entropy),
            at: cx.now,
            tenant_id: tenant_id.or(acting),
            actor: cx.actor.clone(),
            action: action.as_str().to_owned(),
            target: target.map(|target| target.to_string()),
            code_id: match target {
                Some(Target::Code(id)) => Some(id),
                _ => None,
            },
            batch_id: match target {
                Some(Target::Batch(id)) => Some(id),
                _ => None,
            },
            client_ip: cx.client_ip,
            request_id: cx.request_id.clone(),
            trace_id: cx.trace_id,
            details: BTreeMap::new(),
        }
    }

    /// An event of something else that concerns a code too.
    #[must_use]
    pub const fn about_code(mut self, id: CodeId) -> Self {
        self.code_id = Some(id);
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }

    /// Adds what a field held and holds, where these differ. Not for what is secret or personal: see
    /// [`with_changed`](Self::with_changed).
    #[must_use]
    pub fn with_change<T: fmt::Display + PartialEq>(self, field: &str, old: T, new: T) -> Self {
        if old == new { self } else { self.with(&format!("old_{field}"), old).with(&format!("new_{field}"), new) }
    }

    /// Adds the names of fields that changed, and nothing of what they hold.
    #[must_use]
    pub fn with_changed(self, fields: &[&str]) -> Self {
        self.with("changed", fields.join(", "))
    }
}
