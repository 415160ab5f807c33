//! Plans: what an operator sells.

use crate::{Id, InvalidValue, PlanName, Timestamp, Version, id::Kind};

/// A plan, which an operator sells: it sets how many activations a tenant has each month.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Plan {
    /// Its identifier.
    pub id: PlanId,
    /// What it is called, unique.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub name: PlanName,
    /// Activations a calendar month (UTC).
    pub monthly_run_quota: Quota,
    /// Since when no new tenant can be put on it.
    pub archived_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Plan {
    /// Its version: another after every change.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version::of(self.updated_at)
    }
}

/// A change of a plan: `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanChange {
    /// What it is called, unique.
    pub name: Option<PlanName>,
    /// Activations a calendar month (UTC), from the next activation on.
    pub monthly_run_quota: Option<Quota>,
}

impl PlanChange {
    /// The plan once the change is made.
    #[must_use]
    pub fn apply(self, to: Plan) -> Plan {
        Plan {
            name: self.name.unwrap_or(to.name),
            monthly_run_quota: self.monthly_run_quota.unwrap_or(to.monthly_run_quota),
            ..to
        }
    }
}

/// A plan's identifier.
pub type PlanId = Id<Plan>;

impl Kind for Plan {
    const PREFIX: &'static str = "pln";
}

/// A plan's activations a calendar month: 1 to 1,000,000.
///
/// The portal that Tenantry continues called an activation a *run*, and so do `monthly_run_quota` and the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Quota(u32);

impl Quota {
    /// The largest quota. A tenant's first codes, a tenth of it, are answered in one reply: this keeps that reply under 20 MB.
    pub const MAX: u32 = 1_000_000;

    /// Checks the bounds.
    ///
    /// # Errors
    /// `out_of_range`.
    pub fn new(runs: i64) -> Result<Self, InvalidValue> {
        let out = || InvalidValue::new("out_of_range", format!("must be 1 to {}", Self::MAX));
        u32::try_from(runs).ok().filter(|runs| (1..=Self::MAX).contains(runs)).map(Self).ok_or_else(out)
    }

    /// Takes a quota that was checked when it was written.
    #[must_use]
    pub const fn from_stored(runs: u32) -> Self {
        Self(runs)
    }

    /// Activations a month.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// How many codes a new tenant on the plan receives: a tenth of the quota, rounded down, at least one.
    #[must_use]
    pub const fn initial_codes(self) -> u32 {
        if self.0 < 20 { 1 } else { self.0 / 10 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_quota_rounded_down_and_at_least_one() {
        let codes = |runs| Quota::new(runs).unwrap().initial_codes();
        assert_eq!([1, 9, 10, 19, 20, 99, 100, 1_000_000].map(codes), [1, 1, 1, 1, 2, 9, 10, 100_000]);
        assert!([0, -1, 1_000_001, i64::MAX].iter().all(|&runs| Quota::new(runs).is_err()));
    }
}
