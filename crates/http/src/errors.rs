//! Which status and code every error gets: here and in the files below, and nowhere else.

mod access;
mod activation;
mod codes;
mod messages;
mod tenants;

use actix_web::http::StatusCode;
use tenantry_domain::{AttemptError, Chain, InvalidValue, Scope, StoreError, SubscriptionState};
use time::Duration;
use tracing::{error, warn};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{Schema, SchemaType, Type},
    },
};

use crate::{observer::Failure, problem::Problem};

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

    fn tenant_suspended() -> Self {
        Self::new(ErrorCode::TenantSuspended, "the operator suspended this tenant")
    }

    fn subscription_inactive(state: SubscriptionState) -> Self {
        Self::new(
            ErrorCode::SubscriptionInactive,
            format!("the subscription is {}; the operator can change that", state.as_str()),
        )
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
}
