use std::future::Future;

use super::StoreError;
use crate::{CalendarDay, PressureQuery, QuotaPressure, TenantCounts, Timestamp, UsageDay};

/// Reads of what is shown of all tenants together. What they cost doesn't grow with what there was before.
pub trait StatsReads {
    /// How many tenants there are, and how many of them are suspended. Those made on the day `this_week` or later are new, and so are
    /// those made from the day `last_week` on and before `this_week`.
    fn count_tenants(
        &mut self,
        this_week: CalendarDay,
        last_week: CalendarDay,
    ) -> impl Future<Output = Result<TenantCounts, StoreError>> + Send;

    /// How many codes of all tenants have each status at `now`, in the order of [`CodeStatus::ALL`](crate::CodeStatus::ALL).
    fn count_codes_of_everyone(&mut self, now: Timestamp) -> impl Future<Output = Result<[u64; 4], StoreError>> + Send;

    /// How many projects have each status, in the order of [`ProjectStatus::ALL`](crate::ProjectStatus::ALL), those without a tenant
    /// among them.
    fn count_projects_of_everyone(&mut self) -> impl Future<Output = Result<[u64; 4], StoreError>> + Send;

    /// What happened on each day from `first` to `last`, both inclusive, oldest first, but for days on which nothing did. An
    /// activation counts on the day of its redemption, a return on the day of its own; a refusal is an audit event
    /// [`ActivationRefused`](crate::Action::ActivationRefused) of a tenant that there is.
    fn usage_days(
        &mut self,
        first: CalendarDay,
        last: CalendarDay,
    ) -> impl Future<Output = Result<Vec<UsageDay>, StoreError>> + Send;

    /// Which tenants have used so much of their quota.
    fn quota_pressure(&mut self, query: PressureQuery) -> impl Future<Output = Result<QuotaPressure, StoreError>> + Send;
}
