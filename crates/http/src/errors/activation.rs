//! Activations: made, refused, returned and certified.

use tenantry_domain::{ActivateError, CertifyError, ProjectStatus, Refusal, ReturnError};

use super::ErrorCode;
use crate::problem::Problem;

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
            Refusal::TenantSuspended => return Self::tenant_suspended(),
            Refusal::AlreadyActive => "the project was activated before, in another way".to_owned(),
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

impl From<CertifyError> for Problem {
    fn from(refusal: CertifyError) -> Self {
        let told = match refusal {
            CertifyError::UnknownProject => return Self::not_found(),
            CertifyError::SubscriptionInactive { state } => return Self::subscription_inactive(state),
            CertifyError::TenantSuspended => return Self::tenant_suspended(),
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
            ReturnError::TenantSuspended => Self::tenant_suspended(),
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

#[cfg(test)]
mod tests {
    use tenantry_domain::{InvalidValue, SubscriptionState};

    use super::*;

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
