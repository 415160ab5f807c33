//! What the domain answered, in HTTP.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tenantry_domain::{
    ActivateError, CheckCodeError, CreatePlanError, CreateTenantError, GenerateCodesError, InvalidValue, ManageCodeError,
    ProjectError, Refusal, StoreError,
};

/// Why a request isn't answered as it would like to be.
#[derive(Debug)]
pub enum No {
    /// A code can't be used, and this is why.
    Refused(Refusal),
    /// A value of the request is none, or asks for too much; for whoever wrote the request.
    Invalid(String),
    /// Something else has the name.
    Taken(String),
    /// There is no such thing.
    Unknown(String),
    /// The store didn't answer. What it said is for the log of the service, never for its callers.
    Store(StoreError),
}

impl No {
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(Refusal::UnknownProject | Refusal::UnknownCode) | Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Refused(Refusal::Malformed(_)) | Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Refused(Refusal::Revoked { .. } | Refusal::Expired { .. }) => StatusCode::GONE,
            Self::Refused(Refusal::TenantSuspended | Refusal::SubscriptionInactive { .. }) => StatusCode::FORBIDDEN,
            Self::Refused(Refusal::QuotaExceeded { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Refused(Refusal::AlreadyActive | Refusal::Exhausted | Refusal::NoCodeAvailable) | Self::Taken(_) => {
                StatusCode::CONFLICT
            }
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = self.status();
        let (reason, why) = match self {
            Self::Refused(refusal) => (refusal.reason(), refusal.to_string()),
            Self::Invalid(why) => ("invalid", why),
            Self::Taken(why) => ("taken", why),
            Self::Unknown(why) => ("not_found", why),
            Self::Store(_) => ("unavailable", "try again later".to_owned()),
        };
        (status, Json(json!({ "reason": reason, "why": why }))).into_response()
    }
}

impl From<InvalidValue> for No {
    fn from(invalid: InvalidValue) -> Self {
        Self::Invalid(invalid.detail)
    }
}

impl From<ActivateError> for No {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::Refused(refusal) => Self::Refused(refusal),
            ActivateError::Store(failure) => Self::Store(failure),
            // Only where the request has a limit of guesses, which ours don't.
            ActivateError::Limited { .. } => Self::Invalid(error.to_string()),
        }
    }
}

/// Of the errors of a use case: the store's, and of the others which [`No`] they are.
macro_rules! refusals {
    ($($error:ident: $($variant:ident)|+ => $kind:ident, else $other:ident;)+) => {$(
        impl From<$error> for No {
            fn from(error: $error) -> Self {
                match error {
                    $error::Store(failure) => Self::Store(failure),
                    told if matches!(told, $($error::$variant { .. })|+) => Self::$kind(told.to_string()),
                    other => Self::$other(other.to_string()),
                }
            }
        }
    )+};
}

refusals! {
    CheckCodeError: UnknownTenant => Unknown, else Invalid;
    CreatePlanError: NameTaken => Taken, else Invalid;
    CreateTenantError: SlugTaken => Taken, else Unknown;
    GenerateCodesError: UnknownTenant => Unknown, else Invalid;
    ManageCodeError: UnknownCode => Unknown, else Taken;
    ProjectError: UnknownProject => Unknown, else Taken;
}
