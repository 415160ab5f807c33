//! Plans, tenants, their subscriptions and their projects.

use tenantry_domain::{
    AssignError, ChangeTenantError, CreatePlanError, CreateTenantError, InvalidValue, ManagePlanError, ManageTenantError,
    ProjectError, SetSubscriptionError,
};

use super::ErrorCode;
use crate::problem::Problem;

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

impl From<ChangeTenantError> for Problem {
    fn from(refusal: ChangeTenantError) -> Self {
        match refusal {
            ChangeTenantError::UnknownTenant => Self::not_found(),
            ChangeTenantError::ChangedMeanwhile => Self::changed_meanwhile(),
            ChangeTenantError::TenantSuspended => Self::tenant_suspended(),
            ChangeTenantError::SubscriptionInactive { state } => Self::subscription_inactive(state),
            ChangeTenantError::Store(failure) => failure.into(),
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

impl From<ProjectError> for Problem {
    fn from(refusal: ProjectError) -> Self {
        match refusal {
            ProjectError::UnknownProject => Self::not_found(),
            ProjectError::ChangedMeanwhile => Self::changed_meanwhile(),
            ProjectError::SlugTaken => {
                Self::new(ErrorCode::Conflict, "another of your projects has this `project_id`; choose another")
            }
            ProjectError::TenantSuspended => Self::tenant_suspended(),
            ProjectError::SubscriptionInactive { state } => Self::subscription_inactive(state),
            ProjectError::TrialLimit => Self::new(ErrorCode::QuotaExceeded, "while trialing there is one project at the most"),
            ProjectError::InvalidTransition { from } => {
                Self::new(ErrorCode::InvalidTransition, format!("a project that is {} can't do this", from.as_str()))
            }
            ProjectError::Store(failure) => failure.into(),
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

impl Problem {
    fn unknown_plan() -> Self {
        Self::field("/plan_id", InvalidValue::new("unknown_plan", "there is no such plan"))
    }

    fn plan_archived() -> Self {
        Self::field("/plan_id", InvalidValue::new("plan_archived", "the plan is archived and takes no new tenants"))
    }
}
