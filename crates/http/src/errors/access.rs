//! Who comes in, and what whoever is in may give to others.

use tenantry_auth::{ApiKeyError, AuthError, BootstrapError, RequestOtpError, VerifyOtpError};
use tenantry_domain::{InvalidValue, OperatorError, Scopes};

use super::ErrorCode;
use crate::problem::Problem;

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

impl From<BootstrapError> for Problem {
    fn from(refusal: BootstrapError) -> Self {
        match refusal {
            BootstrapError::Closed => Self::not_found(),
            BootstrapError::EmailTaken => Self::new(ErrorCode::Conflict, "another operator has this `email`"),
            BootstrapError::Store(failure) => failure.into(),
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

impl Problem {
    /// The caller would give others what it doesn't have.
    fn beyond_caller(what: &str, missing: Scopes) -> Self {
        Self::new(ErrorCode::Forbidden, format!("{what} may do more than you: {missing}"))
    }
}
