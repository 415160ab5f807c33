//! Which status and code every error gets: here, and nowhere else.

use actix_web::http::StatusCode;
use tenantry_auth::{ApiKeyError, AuthError, BootstrapError, RequestOtpError, VerifyOtpError};
use tenantry_domain::{
    ActivateError, AssignError, AttemptError, CertifyError, Chain, ChangeTenantError, CheckCodeError, CreatePlanError,
    CreateTenantError, GenerateCodesError, ImportCodesError, InvalidValue, ManageCodeError, ManagePlanError, ManageTenantError,
    MessageError, OperatorError, ProjectError, ProjectStatus, Refusal, ReturnError, RevokeBatchError, Scope, Scopes,
    SetSubscriptionError, StoreError, SubscriptionState, Webhook, WebhookError,
};
use time::Duration;
use tracing::{error, warn};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{Schema, SchemaType, Type},
    },
};

use crate::{import_report::ImportReportJson, observer::Failure, problem::Problem};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// The closed list of error codes. Programs rely on them: a code never changes its meaning or its status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as a problem shows it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The status that goes with it, always the same.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// What it is called.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let words = Self::ALL.iter().map(|code| code.as_str());
        ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(words)).into()
    }
}

impl ToSchema for ErrorCode {}

error_codes! {
    /// The body is no JSON.
    MalformedJson = "malformed_json", BAD_REQUEST, "Malformed JSON";
    /// The request as a whole can't be read.
    BadRequest = "bad_request", BAD_REQUEST, "Bad request";
    /// Fields are missing, unknown, or hold what they can't.
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, "Validation failed";
    /// Nobody is signed in.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Not signed in";
    /// The one-time password is wrong, expired, used up or unknown.
    InvalidOtp = "invalid_otp", UNAUTHORIZED, "Invalid one-time password";
    /// Whoever is signed in may not do this.
    Forbidden = "forbidden", FORBIDDEN, "Forbidden";
    /// Missing, or not yours.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The path doesn't have this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// What is asked for collides with what there is.
    Conflict = "conflict", CONFLICT, "Conflict";
    /// The text is no activation code.
    CodeMalformed = "code_malformed", UNPROCESSABLE_ENTITY, "Malformed activation code";
    /// The tenant has no such code.
    CodeUnknown = "code_unknown", UNPROCESSABLE_ENTITY, "Unknown activation code";
    /// The code was revoked.
    CodeRevoked = "code_revoked", CONFLICT, "Revoked activation code";
    /// The code is past its time.
    CodeExpired = "code_expired", CONFLICT, "Expired activation code";
    /// The code was used as often as it may be.
    CodeExhausted = "code_exhausted", CONFLICT, "Used activation code";
    /// None of the tenant's codes is available.
    NoCodeAvailable = "no_code_available", CONFLICT, "No activation code available";
    /// A line of the file can't be taken in, so none was.
    ImportRefused = "import_refused", UNPROCESSABLE_ENTITY, "Import refused";
    /// The project is active already.
    ProjectAlreadyActive = "project_already_active", CONFLICT, "Project already active";
    /// The project isn't active by a code.
    ProjectNotActive = "project_not_active", CONFLICT, "Project not active";
    /// The project's status doesn't let it.
    InvalidTransition = "invalid_transition", CONFLICT, "Invalid transition";
    /// The month's activations are used up, or the trial's projects.
    QuotaExceeded = "quota_exceeded", FORBIDDEN, "Quota exceeded";
    /// The tenant's subscription doesn't let it.
    SubscriptionInactive = "subscription_inactive", FORBIDDEN, "Subscription inactive";
    /// The tenant is suspended.
    TenantSuspended = "tenant_suspended", FORBIDDEN, "Tenant suspended";
    /// The time in which a tenant may return an activation by itself is over.
    ReturnWindowClosed = "return_window_closed", CONFLICT, "Return window closed";
    /// The item has another version than the one that the edit is for.
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "Precondition failed";
    /// The idempotency key belongs to another request.
    IdempotencyMismatch = "idempotency_mismatch", UNPROCESSABLE_ENTITY, "Idempotency key of another request";
    /// The first request with the idempotency key is still under way.
    IdempotencyInFlight = "idempotency_in_flight", CONFLICT, "Request under way";
    /// The body took too long to arrive.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "Request timeout";
    /// Too often.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// The body is too large.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "Payload too large";
    /// The body isn't JSON by its own word.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// The database is away, or the server is too busy.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Unavailable";
    /// A defect of the server.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
}

impl From<StoreError> for Problem {
    /// The one place where a failing store is logged; the client learns nothing of its insides.
    fn from(failure: StoreError) -> Self {
        let chain = Chain(&failure).to_string();
        let certainly_undone = failure.left_no_trace();
        let problem = match failure {
            StoreError::Unavailable(_) => {
                error!(error = chain, "the store is unavailable");
                Self::new(ErrorCode::Unavailable, "the database can't be reached; nothing is known to have changed")
                    .retry_after(Duration::seconds(2))
                    .because(Failure::DatabaseUnavailable)
            }
            StoreError::Interrupted(_) => {
                warn!(error = chain, "a transaction was cut off");
                Self::new(ErrorCode::Unavailable, "the database can't be reached; nothing changed")
                    .retry_after(Duration::seconds(2))
                    .because(Failure::DatabaseUnavailable)
            }
            StoreError::Conflict(_) => {
                warn!(error = chain, "a transaction conflicted");
                Self::new(ErrorCode::Unavailable, "the request collided with another; nothing changed, try again")
                    .retry_after(Duration::seconds(1))
                    .because(Failure::DatabaseConflict)
            }
            StoreError::Corrupt { .. } | StoreError::Failed(_) => {
                error!(error = chain, "the store failed");
                Self::internal().because(Failure::DatabaseFailed)
            }
        };
        Self { certainly_undone, ..problem }
    }
}

impl Problem {
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "the server failed; `instance` names the request in its log")
    }

    /// The caller is known, and lacks a scope.
    pub fn lacks(scope: Scope) -> Self {
        Self::new(ErrorCode::Forbidden, format!("this needs the scope `{scope}`, which you don't have"))
    }

    /// The caller is an API key, and this is for who is signed in.
    pub fn no_session() -> Self {
        Self::new(ErrorCode::Forbidden, "this is for operators who are signed in; an API key has no session")
    }

    /// The caller would give others what it doesn't have.
    fn beyond_caller(what: &str, missing: Scopes) -> Self {
        Self::new(ErrorCode::Forbidden, format!("{what} may do more than you: {missing}"))
    }

    /// A browser says that another site's page sent this.
    pub fn cross_site() -> Self {
        Self::new(ErrorCode::Forbidden, "this was sent from another site's page, which may change nothing here")
    }

    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "present a valid token as `Authorization: Bearer ..`")
    }

    pub fn code_malformed(invalid: InvalidValue) -> Self {
        Self::new(ErrorCode::CodeMalformed, invalid.detail)
    }

    fn changed_meanwhile() -> Self {
        Self::new(ErrorCode::PreconditionFailed, "this is no longer the version that `If-Match` names; read it again")
    }

    fn unknown_plan() -> Self {
        Self::field("/plan_id", InvalidValue::new("unknown_plan", "there is no such plan"))
    }

    fn plan_archived() -> Self {
        Self::field("/plan_id", InvalidValue::new("plan_archived", "the plan is archived and takes no new tenants"))
    }

    fn subscription_inactive(state: SubscriptionState) -> Self {
        Self::new(
            ErrorCode::SubscriptionInactive,
            format!("the subscription is {}; the operator can change that", state.as_str()),
        )
    }
}

impl From<AuthError> for Problem {
    fn from(refusal: AuthError) -> Self {
        match refusal {
            AuthError::Unauthenticated => Self::unauthenticated(),
            AuthError::Store(failure) => failure.into(),
        }
    }
}

impl From<RequestOtpError> for Problem {
    fn from(refusal: RequestOtpError) -> Self {
        match refusal {
            RequestOtpError::Limited { retry_after } => {
                Self::new(ErrorCode::RateLimited, "too many one-time passwords were asked for").retry_after(retry_after)
            }
            RequestOtpError::Store(failure) => failure.into(),
        }
    }
}

impl From<VerifyOtpError> for Problem {
    fn from(refusal: VerifyOtpError) -> Self {
        match refusal {
            VerifyOtpError::InvalidOtp => {
                Self::new(ErrorCode::InvalidOtp, "the one-time password is wrong, expired or used; ask for a new one")
            }
            VerifyOtpError::Store(failure) => failure.into(),
        }
    }
}

impl ErrorCode {
    /// The code of a refusal: its reason's word.
    pub const fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Malformed(_) => Self::CodeMalformed,
            Refusal::UnknownProject => Self::NotFound,
            Refusal::AlreadyActive => Self::ProjectAlreadyActive,
            Refusal::TenantSuspended => Self::TenantSuspended,
            Refusal::SubscriptionInactive { .. } => Self::SubscriptionInactive,
            Refusal::UnknownCode => Self::CodeUnknown,
            Refusal::Revoked { .. } => Self::CodeRevoked,
            Refusal::Expired { .. } => Self::CodeExpired,
            Refusal::Exhausted => Self::CodeExhausted,
            Refusal::NoCodeAvailable => Self::NoCodeAvailable,
            Refusal::QuotaExceeded { .. } => Self::QuotaExceeded,
        }
    }
}

impl From<Refusal> for Problem {
    /// As the tenant is told whose activation is refused.
    fn from(refusal: Refusal) -> Self {
        let code = ErrorCode::of(&refusal);
        let told = match refusal {
            Refusal::UnknownProject => return Self::not_found(),
            Refusal::SubscriptionInactive { state } => return Self::subscription_inactive(state),
            Refusal::Malformed(invalid) => return Self::code_malformed(invalid),
            Refusal::AlreadyActive => "the project was activated before, in another way".to_owned(),
            Refusal::TenantSuspended => "the operator suspended this tenant".to_owned(),
            Refusal::UnknownCode => "this is none of your codes".to_owned(),
            Refusal::Exhausted => "the code was used already; take another".to_owned(),
            Refusal::NoCodeAvailable => "none of your codes is available; ask the operator for more".to_owned(),
            Refusal::QuotaExceeded { month, .. } => format!("{refusal}; more follow at {}", month.end()),
            Refusal::Revoked { .. } | Refusal::Expired { .. } => refusal.to_string(),
        };
        Self::new(code, told)
    }
}

impl From<ActivateError> for Problem {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::Refused(refusal) => refusal.into(),
            ActivateError::Limited { retry_after } => {
                let told = "too many of the codes that you sent were none of yours; one of your codes by its `activation_code_id`, or whichever is \
                    available, can still be used";
                Self::new(ErrorCode::RateLimited, told).retry_after(retry_after)
            }
            ActivateError::Store(failure) => failure.into(),
        }
    }
}

impl From<ProjectError> for Problem {
    fn from(refusal: ProjectError) -> Self {
        match refusal {
            ProjectError::UnknownProject => Self::not_found(),
            ProjectError::ChangedMeanwhile => Self::changed_meanwhile(),
            ProjectError::SlugTaken => {
                Self::new(ErrorCode::Conflict, "another of your projects has this `project_id`; choose another")
            }
            ProjectError::SubscriptionInactive { state } => Self::subscription_inactive(state),
            ProjectError::TrialLimit => Self::new(ErrorCode::QuotaExceeded, "while trialing there is one project at the most"),
            ProjectError::InvalidTransition { from } => {
                Self::new(ErrorCode::InvalidTransition, format!("a project that is {} can't do this", from.as_str()))
            }
            ProjectError::Store(failure) => failure.into(),
        }
    }
}

impl From<CertifyError> for Problem {
    fn from(refusal: CertifyError) -> Self {
        let told = match refusal {
            CertifyError::UnknownProject => return Self::not_found(),
            CertifyError::SubscriptionInactive { state } => return Self::subscription_inactive(state),
            CertifyError::TenantSuspended => {
                return Self::new(ErrorCode::TenantSuspended, "the operator suspended this tenant");
            }
            CertifyError::Store(failure) => return failure.into(),
            CertifyError::NotActive { status: ProjectStatus::Pending } => {
                "the project is pending; activate it, then it has a certificate"
            }
            CertifyError::NotActive { status: ProjectStatus::Paused } => {
                "the project is paused; resume it, then it has a certificate again"
            }
            CertifyError::NotActive { status: ProjectStatus::Completed } => "the project is completed, and is certified no more",
            CertifyError::NotActive { status: ProjectStatus::Active } | CertifyError::NoActivation => {
                "no code activated the project: there is no activation to certify"
            }
        };
        Self::new(ErrorCode::ProjectNotActive, told)
    }
}

impl From<CreatePlanError> for Problem {
    fn from(refusal: CreatePlanError) -> Self {
        match refusal {
            CreatePlanError::NameTaken => Self::new(ErrorCode::Conflict, "another plan has this `name`; choose another"),
            CreatePlanError::Store(failure) => failure.into(),
        }
    }
}

impl From<ManagePlanError> for Problem {
    fn from(refusal: ManagePlanError) -> Self {
        match refusal {
            ManagePlanError::UnknownPlan => Self::not_found(),
            ManagePlanError::ChangedMeanwhile => Self::changed_meanwhile(),
            ManagePlanError::NameTaken => Self::new(ErrorCode::Conflict, "another plan has this `name`; choose another"),
            ManagePlanError::InUse => {
                Self::new(ErrorCode::Conflict, "a tenant is on this plan; archive it, or put its tenants on another first")
            }
            ManagePlanError::Store(failure) => failure.into(),
        }
    }
}

impl From<ChangeTenantError> for Problem {
    fn from(refusal: ChangeTenantError) -> Self {
        match refusal {
            ChangeTenantError::UnknownTenant => Self::not_found(),
            ChangeTenantError::ChangedMeanwhile => Self::changed_meanwhile(),
            ChangeTenantError::SubscriptionInactive { state } => Self::subscription_inactive(state),
            ChangeTenantError::Store(failure) => failure.into(),
        }
    }
}

impl From<SetSubscriptionError> for Problem {
    fn from(refusal: SetSubscriptionError) -> Self {
        match refusal {
            SetSubscriptionError::UnknownTenant => Self::not_found(),
            SetSubscriptionError::ChangedMeanwhile => Self::changed_meanwhile(),
            SetSubscriptionError::UnknownPlan => Self::unknown_plan(),
            SetSubscriptionError::PlanArchived => Self::plan_archived(),
            SetSubscriptionError::PeriodEndsBeforeStart => {
                Self::field("/current_period_end", InvalidValue::new("out_of_range", "must be after `current_period_start`"))
            }
            SetSubscriptionError::Store(failure) => failure.into(),
        }
    }
}

impl From<CreateTenantError> for Problem {
    fn from(refusal: CreateTenantError) -> Self {
        match refusal {
            CreateTenantError::SlugTaken => Self::new(ErrorCode::Conflict, "another tenant has this `slug`; choose another"),
            CreateTenantError::UnknownPlan => Self::unknown_plan(),
            CreateTenantError::PlanArchived => Self::plan_archived(),
            CreateTenantError::Store(failure) => failure.into(),
        }
    }
}

impl From<ManageCodeError> for Problem {
    fn from(error: ManageCodeError) -> Self {
        match error {
            ManageCodeError::UnknownCode => Self::not_found(),
            ManageCodeError::Refused(refusal) => Self::new(ErrorCode::of(&refusal), refusal.to_string()),
            ManageCodeError::EndPassed => {
                Self::field("/expires_at", InvalidValue::new("has_passed", "must not have passed; absent, the code ends at once"))
            }
            ManageCodeError::Changed => {
                Self::new(ErrorCode::Conflict, "the code was changed by another request; read it, and try again")
            }
            ManageCodeError::Store(failure) => failure.into(),
        }
    }
}

impl From<CheckCodeError> for Problem {
    fn from(error: CheckCodeError) -> Self {
        match error {
            CheckCodeError::UnknownTenant => {
                Self::field("/tenant_id", InvalidValue::new("unknown_tenant", "there is no such tenant"))
            }
            CheckCodeError::Store(failure) => failure.into(),
        }
    }
}

impl From<ReturnError> for Problem {
    fn from(refusal: ReturnError) -> Self {
        match refusal {
            ReturnError::UnknownProject => Self::not_found(),
            ReturnError::InvalidTransition { from } => Self::new(
                ErrorCode::InvalidTransition,
                format!("a project that is {} can't be returned; active and paused ones can", from.as_str()),
            ),
            ReturnError::NoRedemption => {
                Self::new(ErrorCode::InvalidTransition, "the project was activated without a code: there is no use to give back")
            }
            ReturnError::SubscriptionInactive { state } => Self::subscription_inactive(state),
            ReturnError::TenantSuspended => Refusal::TenantSuspended.into(),
            ReturnError::WindowClosed { grace } if grace.is_zero() => {
                Self::new(ErrorCode::ReturnWindowClosed, "only the operator returns activations here")
            }
            ReturnError::WindowClosed { grace } => Self::new(
                ErrorCode::ReturnWindowClosed,
                format!("an activation can be returned within {} s; the operator can later", grace.whole_seconds()),
            ),
            ReturnError::Limited { retry_after } => {
                Self::new(ErrorCode::RateLimited, "too many activations were returned").retry_after(retry_after)
            }
            ReturnError::Store(failure) => failure.into(),
        }
    }
}

impl From<GenerateCodesError> for Problem {
    fn from(refusal: GenerateCodesError) -> Self {
        let field = |pointer: &str, refusal: &GenerateCodesError| {
            Self::field(pointer, InvalidValue::new("out_of_range", refusal.to_string()))
        };
        match refusal {
            GenerateCodesError::CountOutOfRange => field("/count", &refusal),
            GenerateCodesError::TtlNotPositive | GenerateCodesError::TtlTooLong => field("/ttl_seconds", &refusal),
            GenerateCodesError::MaxUsesOutOfRange => field("/max_uses", &refusal),
            GenerateCodesError::UnknownTenant => Self::not_found(),
            GenerateCodesError::Store(failure) => failure.into(),
        }
    }
}

/// The most faults that a refused import is told; a dry run is told all.
const MOST_FAULTS: usize = 1_000;

impl From<ImportCodesError> for Problem {
    fn from(refusal: ImportCodesError) -> Self {
        match refusal {
            ImportCodesError::UnknownTenant => Self::not_found(),
            ImportCodesError::Refused(report) => {
                let detail = format!("{} of {} lines can't be taken in, so none was; see `report`", report.bad, report.lines);
                let mut problem = Self::new(ErrorCode::ImportRefused, detail);
                problem.report = Some(Box::new(ImportReportJson::new(report, MOST_FAULTS)));
                problem
            }
            ImportCodesError::Store(failure) => failure.into(),
        }
    }
}

impl From<RevokeBatchError> for Problem {
    fn from(refusal: RevokeBatchError) -> Self {
        match refusal {
            RevokeBatchError::UnknownBatch => Self::not_found(),
            RevokeBatchError::Store(failure) => failure.into(),
        }
    }
}

impl From<ManageTenantError> for Problem {
    fn from(refusal: ManageTenantError) -> Self {
        match refusal {
            ManageTenantError::UnknownTenant => Self::not_found(),
            ManageTenantError::ChangedMeanwhile => Self::changed_meanwhile(),
            ManageTenantError::Store(failure) => failure.into(),
        }
    }
}

impl From<AttemptError> for Problem {
    fn from(refusal: AttemptError) -> Self {
        match refusal {
            AttemptError::Mismatch => {
                Self::new(ErrorCode::IdempotencyMismatch, "this `Idempotency-Key` was another request's; take a new one for each")
            }
            AttemptError::InFlight => Self::new(
                ErrorCode::IdempotencyInFlight,
                "the first request with this `Idempotency-Key` is still under way, or its server ended; ask again",
            )
            .retry_after(Duration::SECOND),
            AttemptError::Store(failure) => failure.into(),
        }
    }
}

impl From<AssignError> for Problem {
    fn from(refusal: AssignError) -> Self {
        match refusal {
            AssignError::UnknownProject => Self::not_found(),
            AssignError::UnknownTenant => {
                Self::field("/tenant_id", InvalidValue::new("unknown_tenant", "there is no such tenant"))
            }
            AssignError::HasTenant => Self::new(ErrorCode::Conflict, "the project belongs to another tenant already"),
            AssignError::SlugTaken => {
                Self::new(ErrorCode::Conflict, "the tenant has another project with this project's `project_id`")
            }
            AssignError::Store(failure) => failure.into(),
        }
    }
}

impl From<OperatorError> for Problem {
    fn from(refusal: OperatorError) -> Self {
        match refusal {
            OperatorError::UnknownOperator => Self::not_found(),
            OperatorError::EmailTaken => Self::new(ErrorCode::Conflict, "another operator has this `email`"),
            OperatorError::LastOwner => {
                Self::new(ErrorCode::Conflict, "this is the last owner; make another operator an owner first")
            }
            OperatorError::BeyondCaller { missing } => Self::beyond_caller("this operator, or its new role,", missing),
            OperatorError::Store(failure) => failure.into(),
        }
    }
}

impl From<ApiKeyError> for Problem {
    fn from(refusal: ApiKeyError) -> Self {
        match refusal {
            ApiKeyError::UnknownKey => Self::not_found(),
            ApiKeyError::NoScope => Self::field("/scopes", InvalidValue::new("empty", "must have one scope or more")),
            ApiKeyError::ExpiryPast => Self::field("/expires_at", InvalidValue::new("out_of_range", "must be in the future")),
            ApiKeyError::BeyondCaller { missing } => Self::beyond_caller("the key", missing),
            ApiKeyError::Store(failure) => failure.into(),
        }
    }
}

impl From<MessageError> for Problem {
    fn from(refusal: MessageError) -> Self {
        match refusal {
            MessageError::UnknownMessage => Self::not_found(),
            MessageError::NotDead { state } => {
                Self::new(ErrorCode::Conflict, format!("the message is {}; this is for those that are dead", state.as_str()))
            }
            MessageError::Expired => {
                Self::new(ErrorCode::Conflict, "what the message carried has expired; it can only be discarded")
            }
            MessageError::Store(failure) => failure.into(),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(refusal: WebhookError) -> Self {
        match refusal {
            WebhookError::UnknownWebhook | WebhookError::UnknownDelivery => Self::not_found(),
            WebhookError::ChangedMeanwhile => Self::changed_meanwhile(),
            WebhookError::NoEvent => Self::field("/events", InvalidValue::new("empty", "must have one event or more")),
            WebhookError::TooMany => {
                Self::new(ErrorCode::Conflict, format!("there are {} webhooks already, which is the most", Webhook::MOST))
            }
            WebhookError::Disabled => Self::new(ErrorCode::Conflict, "the webhook is disabled; enable it first"),
            WebhookError::Discarded => Self::new(ErrorCode::Conflict, "the message was discarded, and can't be sent again"),
            WebhookError::SubscriptionInactive { state } => Self::subscription_inactive(state),
            WebhookError::Store(failure) => failure.into(),
        }
    }
}

impl From<BootstrapError> for Problem {
    fn from(refusal: BootstrapError) -> Self {
        match refusal {
            BootstrapError::Closed => Self::not_found(),
            BootstrapError::EmailTaken => Self::new(ErrorCode::Conflict, "another operator has this `email`"),
            BootstrapError::Store(failure) => failure.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_their_statuses_are_errors() {
        let codes: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error()));
    }

    #[test]
    fn a_refusals_code_is_its_reason() {
        let (at, quota) = (tenantry_domain::Timestamp::MIN, tenantry_domain::Quota::new(1).unwrap());
        let refusals = [
            Refusal::Malformed(InvalidValue::new("code_malformed", "x")),
            Refusal::UnknownProject,
            Refusal::AlreadyActive,
            Refusal::TenantSuspended,
            Refusal::SubscriptionInactive { state: SubscriptionState::Unpaid },
            Refusal::UnknownCode,
            Refusal::Revoked { at },
            Refusal::Expired { at },
            Refusal::Exhausted,
            Refusal::NoCodeAvailable,
            Refusal::QuotaExceeded { quota, month: at.month() },
        ];
        for refusal in refusals {
            assert_eq!(ErrorCode::of(&refusal).as_str(), refusal.reason());
            assert_eq!(Problem::from(refusal.clone()).code, ErrorCode::of(&refusal));
        }
    }
}
