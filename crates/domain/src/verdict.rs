//! Whether a code can be used now, and why not: decided here, for an activation and for its dry run alike.

use crate::{
    CalendarMonth, Code, CodeStatus, Entitlement, InvalidValue, Project, ProjectStatus, Quota, SubscriptionState, TenantAction,
    Timestamp,
};

/// Why a code can't be used, in an order of precedence. Nothing is consumed.
///
/// The reasons have one order, from the outside in. Of several that hold, the first is the answer:
///
/// | | reason | holds where |
/// |---|---|---|
/// | 1 | `code_malformed` | the text is no code; no store is asked |
/// | 2 | `not_found` | the tenant has no such project; without a subscription, which no tenant should be, it counts as having none |
/// | 3 | `project_already_active` | the project is past pending, by another code or without one |
/// | 4 | `tenant_suspended` | the tenant is suspended |
/// | 5 | `subscription_inactive` | its subscription lets it activate nothing |
/// | 6 | `code_unknown` | the tenant has no such code, whoever else may have it |
/// | 7 | `code_revoked` | the code was revoked |
/// | 8 | `code_expired` | the code is past its time |
/// | 9 | `code_exhausted`, `no_code_available` | it was used as often as it may be; none of the tenant's codes is available |
/// | 10 | `quota_exceeded` | the month's activations are used up |
///
/// A project that this very code activated is no refusal: activating it again answers it as it is, and consumes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is no code.
    #[error("{0}")]
    Malformed(InvalidValue),
    /// The tenant has no such project.
    #[error("there is no such project")]
    UnknownProject,
    /// The project was activated with another code, or is a legacy project that needs none.
    #[error("the project is active already")]
    AlreadyActive,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The tenant's subscription doesn't let it.
    #[error("the subscription is {}", .state.as_str())]
    SubscriptionInactive {
        /// How it stands.
        state: SubscriptionState,
    },
    /// The tenant has no such code.
    #[error("there is no such code")]
    UnknownCode,
    /// The code was revoked.
    #[error("the code was revoked at {at}")]
    Revoked {
        /// When it was revoked.
        at: Timestamp,
    },
    /// The code is past its time.
    #[error("the code expired at {at}")]
    Expired {
        /// When it expired.
        at: Timestamp,
    },
    /// The code was used as often as it may be.
    #[error("the code was used already")]
    Exhausted,
    /// None of the tenant's codes is available.
    #[error("no code is available")]
    NoCodeAvailable,
    /// The month's activations are used up.
    #[error("the plan's {} activations of {month} are used up", .quota.get())]
    QuotaExceeded {
        /// The plan's activations a month.
        quota: Quota,
        /// The month.
        month: CalendarMonth,
    },
}

impl Refusal {
    /// The reason's word, as the audit trail and the API say it. It never changes its meaning.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "code_malformed",
            Self::UnknownProject => "not_found",
            Self::AlreadyActive => "project_already_active",
            Self::TenantSuspended => "tenant_suspended",
            Self::SubscriptionInactive { .. } => "subscription_inactive",
            Self::UnknownCode => "code_unknown",
            Self::Revoked { .. } => "code_revoked",
            Self::Expired { .. } => "code_expired",
            Self::Exhausted => "code_exhausted",
            Self::NoCodeAvailable => "no_code_available",
            Self::QuotaExceeded { .. } => "quota_exceeded",
        }
    }
}

/// What a code that isn't refused does: it activates, or did so before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usable {
    /// It activates: one use is taken.
    Now,
    /// It activated this very project before: the answer is the same again, and nothing is taken.
    Again,
}

/// A thing that a request may name, as it was looked up for a [`Situation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<T> {
    /// It names none.
    Nothing,
    /// It names one that the tenant doesn't have.
    Missing,
    /// It names this one of the tenant's.
    Found(T),
}

impl<T> Named<T> {
    /// What was looked up, of a request that names one.
    pub fn looked_up(found: Option<T>) -> Self {
        found.map_or(Self::Missing, Self::Found)
    }

    /// The same, borrowed.
    pub const fn as_ref(&self) -> Named<&T> {
        match self {
            Self::Nothing => Named::Nothing,
            Self::Missing => Named::Missing,
            Self::Found(found) => Named::Found(found),
        }
    }
}

/// All that decides whether a code can be used: what [`activate_project`](crate::activate_project) and
/// [`check_code`](crate::check_code) judge by.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The moment.
    pub now: Timestamp,
    /// What the tenant is entitled to; `None` without a subscription.
    pub entitlement: Option<Entitlement>,
    /// The project that is to be activated; [`Nothing`](Named::Nothing): any that is pending.
    pub project: Named<&'a Project>,
    /// The code; [`Nothing`](Named::Nothing): whichever is available.
    pub code: Named<&'a Code>,
    /// The month's activations; `None` where a conditional write is to decide about the quota.
    pub activations: Option<u32>,
}

impl Situation<'_> {
    /// Whether the code can be used, or the first reason why not.
    ///
    /// # Errors
    /// The [`Refusal`] that comes first in its order.
    pub fn verdict(&self) -> Result<Usable, Refusal> {
        let entitlement = self.entitlement.ok_or(Refusal::UnknownProject)?;
        match self.project {
            Named::Missing => return Err(Refusal::UnknownProject),
            Named::Found(project) if project.status != ProjectStatus::Pending => return self.again(project),
            Named::Found(_) | Named::Nothing => {}
        }
        permit(entitlement)?;
        match self.code {
            Named::Missing => return Err(Refusal::UnknownCode),
            Named::Found(code) => standing(code, self.now)?,
            Named::Nothing => {}
        }
        let quota = entitlement.quota;
        match self.activations {
            Some(activations) if activations >= quota.get() => Err(Refusal::QuotaExceeded { quota, month: self.now.month() }),
            _ => Ok(Usable::Now),
        }
    }

    /// A project that is past pending answers again where the request could have activated it.
    fn again(&self, project: &Project) -> Result<Usable, Refusal> {
        let same = match self.code {
            Named::Nothing => project.activation_code_id.is_some(),
            Named::Found(code) => project.activation_code_id == Some(code.id),
            Named::Missing => false,
        };
        if same { Ok(Usable::Again) } else { Err(Refusal::AlreadyActive) }
    }
}

fn permit(entitlement: Entitlement) -> Result<(), Refusal> {
    let state = entitlement.state;
    if entitlement.suspended_at.is_some() {
        return Err(Refusal::TenantSuspended);
    }
    if state.allows(TenantAction::ActivateProject) { Ok(()) } else { Err(Refusal::SubscriptionInactive { state }) }
}

/// `Ok` where a code is active, else the reason that comes first in [`CodeStatus`]'s order.
pub(crate) fn standing(code: &Code, now: Timestamp) -> Result<(), Refusal> {
    match code.status(now) {
        CodeStatus::Active => Ok(()),
        CodeStatus::Revoked => Err(Refusal::Revoked { at: code.revoked_at.unwrap_or(now) }),
        CodeStatus::Expired => Err(Refusal::Expired { at: code.expires_at.unwrap_or(now) }),
        CodeStatus::Exhausted => Err(Refusal::Exhausted),
    }
}
