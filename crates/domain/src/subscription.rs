//! Subscriptions: which plan a tenant is on, and what the state of its payments lets it do.

use crate::{Id, InvalidValue, PlanId, Quota, TenantId, Timestamp, Version, id::Kind};

/// A tenant's subscription to a plan; a tenant has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Subscription {
    /// Its identifier.
    pub id: SubscriptionId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The plan that it is to.
    pub plan_id: PlanId,
    /// How it stands.
    pub state: SubscriptionState,
    /// The present period's start, inclusive.
    pub current_period_start: Timestamp,
    /// The present period's end, exclusive.
    pub current_period_end: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Subscription {
    /// Its version: another after every change, and whenever its tenant is suspended or resumed.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version::of(self.updated_at)
    }

    /// What may be changed of it.
    #[must_use]
    pub const fn terms(&self) -> SubscriptionTerms {
        let &Self { plan_id, state, current_period_start, current_period_end, .. } = self;
        SubscriptionTerms { plan_id, state, current_period_start, current_period_end }
    }
}

/// What may be changed of a subscription: its plan, its state, its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionTerms {
    /// The plan that it is to.
    pub plan_id: PlanId,
    /// How it stands.
    pub state: SubscriptionState,
    /// The present period's start, inclusive.
    pub current_period_start: Timestamp,
    /// The present period's end, exclusive; after its start.
    pub current_period_end: Timestamp,
}

/// A subscription's identifier.
pub type SubscriptionId = Id<Subscription>;

impl Kind for Subscription {
    const PREFIX: &'static str = "sub";
}

/// How a subscription stands, and so what its tenant may do.
///
/// # Example
///
/// ```
/// use tenantry_domain::{SubscriptionState, TenantAction};
///
/// let late = SubscriptionState::PastDue;
/// assert!(late.allows(TenantAction::ChangeProject)); // what there is goes on
/// assert!(!late.allows(TenantAction::ActivateProject)); // nothing new
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum SubscriptionState {
    /// Being tried out: one project.
    Trialing,
    /// Paid: everything.
    Active,
    /// A payment is late: existing projects go on, nothing new.
    PastDue,
    /// Payments have failed: read only.
    Unpaid,
    /// Ended by either side: read only.
    Canceled,
    /// Stopped by the operator: read only.
    Suspended,
}

/// What a tenant wants to do, to be asked of its [`Entitlement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TenantAction {
    /// Make a project.
    CreateProject,
    /// Activate one with a code.
    ActivateProject,
    /// Change one, or its status.
    ChangeProject,
    /// Delete one.
    DeleteProject,
    /// Change its own name, contact address or branding.
    ChangeProfile,
}

impl SubscriptionState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Trialing, Self::Active, Self::PastDue, Self::Unpaid, Self::Canceled, Self::Suspended];

    /// The most projects that a tenant may have while trialing.
    pub const TRIAL_PROJECTS: u64 = 1;

    /// Whether the state lets a tenant do this. Reading is always allowed; the bound of
    /// [`TRIAL_PROJECTS`](Self::TRIAL_PROJECTS) is checked where projects are counted.
    #[must_use]
    pub const fn allows(self, action: TenantAction) -> bool {
        match self {
            Self::Active | Self::Trialing => true,
            Self::PastDue => {
                matches!(action, TenantAction::ChangeProject | TenantAction::DeleteProject | TenantAction::ChangeProfile)
            }
            Self::Unpaid | Self::Canceled | Self::Suspended => false,
        }
    }

    /// The state as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Canceled => "canceled",
            Self::Suspended => "suspended",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// `invalid_state`.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let unknown =
            || InvalidValue::new("invalid_state", "must be one of trialing, active, past_due, unpaid, canceled, suspended");
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(unknown)
    }
}

/// What a tenant is entitled to: its subscription's state and its plan's quota, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// How its subscription stands.
    pub state: SubscriptionState,
    /// Its plan's activations a month.
    pub quota: Quota,
    /// Since when the tenant is suspended.
    pub suspended_at: Option<Timestamp>,
    /// The subscription's version, which tells whether any of this has changed but the plan's own quota.
    pub version: Version,
    /// Whether a [webhook](crate::Webhook) may want to hear of what happens to the tenant: an operators', or one of its own. `false` spares
    /// the statement that would find none.
    pub has_listeners: bool,
}

impl Entitlement {
    /// Whether the tenant may do this now.
    #[must_use]
    pub const fn allows(&self, action: TenantAction) -> bool {
        self.suspended_at.is_none() && self.state.allows(action)
    }
}

#[cfg(test)]
mod tests {
    use super::{SubscriptionState::*, TenantAction::*, *};

    #[test]
    fn each_state_gates_as_the_table_says() {
        let table: [(SubscriptionState, &[TenantAction]); 6] = [
            (Active, &[CreateProject, ActivateProject, ChangeProject, DeleteProject, ChangeProfile]),
            (Trialing, &[CreateProject, ActivateProject, ChangeProject, DeleteProject, ChangeProfile]),
            (PastDue, &[ChangeProject, DeleteProject, ChangeProfile]),
            (Unpaid, &[]),
            (Canceled, &[]),
            (Suspended, &[]),
        ];
        for (state, allowed) in table {
            for action in [CreateProject, ActivateProject, ChangeProject, DeleteProject, ChangeProfile] {
                assert_eq!(state.allows(action), allowed.contains(&action), "{state:?} {action:?}");
            }
        }
        assert!(SubscriptionState::ALL.iter().all(|&state| SubscriptionState::parse(state.as_str()) == Ok(state)));
    }
}
