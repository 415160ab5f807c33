//! Figures: what an operator's dashboard shows of all tenants.

use crate::{CalendarDay, CalendarMonth, Quota, Slug, TenantId};

/// How many tenants there are, and how many of them are suspended or new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantCounts {
    /// All of them.
    pub total: u64,
    /// Those that can't sign in.
    pub suspended: u64,
    /// Those that were made this week.
    pub new_this_week: u64,
    /// Those that were made in the week before.
    pub new_last_week: u64,
}

/// What happened on one day, of all tenants together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageDay {
    /// The day.
    pub day: CalendarDay,
    /// What happened.
    pub usage: Usage,
}

/// How many activations, returns and refusals there were in some time. What a deleted tenant did is not among it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Activations, also those that were returned later.
    pub activations: u64,
    /// Activations that were returned.
    pub returns: u64,
    /// Activations that were refused.
    pub refusals: u64,
}

impl Usage {
    /// How many of 10,000 tries to activate a project succeeded, rounded down; `None` where nobody tried.
    #[must_use]
    pub fn success_per_10_000(self) -> Option<u64> {
        let tries = self.activations.saturating_add(self.refusals);
        self.activations.saturating_mul(10_000).checked_div(tries)
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            activations: sum.activations + part.activations,
            returns: sum.returns + part.returns,
            refusals: sum.refusals + part.refusals,
        })
    }
}

/// A tenant's use of its quota in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaUse {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its short name.
    pub slug: Slug,
    /// Its activations of the month.
    pub used: u32,
    /// Its plan's activations a month. Fewer than `used` where it has had another plan.
    pub quota: Quota,
}

impl QuotaUse {
    /// How much of the quota is used, in percent, rounded down; above 100 where the plan has become smaller.
    #[must_use]
    pub fn percent(&self) -> u64 {
        u64::from(self.used) * 100 / u64::from(self.quota.get().max(1))
    }
}

/// Which tenants have used so much of a month's quota that they will need more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaPressure {
    /// How many there are.
    pub tenants: u64,
    /// Those of them that have used the largest part, the largest first and, of equals, the oldest tenant first.
    pub highest: Vec<QuotaUse>,
}

/// A question after tenants that have used much of a month's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PressureQuery {
    /// The month.
    pub month: CalendarMonth,
    /// From how many percent of the quota on, 1 to 100.
    pub percent: u8,
    /// How many tenants to name.
    pub limit: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_tries_and_is_rounded_down() {
        let rate = |activations, refusals| Usage { activations, returns: 1, refusals }.success_per_10_000();
        assert_eq!([rate(0, 0), rate(0, 3), rate(2, 1), rate(3, 0)], [None, Some(0), Some(6_666), Some(10_000)]);
    }

    #[test]
    fn a_percentage_is_rounded_down_and_may_exceed_a_hundred() {
        let percent = |used, quota| {
            let (tenant_id, slug) = (crate::Id::from_uuid(uuid::Uuid::nil()), Slug::parse("acme").unwrap());
            QuotaUse { tenant_id, slug, used, quota: Quota::new(quota).unwrap() }.percent()
        };
        assert_eq!([percent(799, 1_000), percent(4, 5), percent(3, 2)], [79, 80, 150]);
    }
}
