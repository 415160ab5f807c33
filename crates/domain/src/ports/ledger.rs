use std::future::Future;

use super::StoreError;
use crate::{CalendarMonth, CodeId, ProjectId, Quota, Redemption, RedemptionId, TenantId, Timestamp};

/// Reads of the ledger and of the counted months.
pub trait LedgerReads {
    /// All redemptions of one of a tenant's codes, oldest first.
    fn redemptions_of_code(
        &mut self,
        tenant: TenantId,
        code: CodeId,
    ) -> impl Future<Output = Result<Vec<Redemption>, StoreError>> + Send;

    /// The redemption that keeps one of a tenant's projects active.
    fn live_redemption(
        &mut self,
        tenant: TenantId,
        project: ProjectId,
    ) -> impl Future<Output = Result<Option<Redemption>, StoreError>> + Send;

    /// The latest redemption of one of a tenant's projects, live or returned.
    fn latest_redemption(
        &mut self,
        tenant: TenantId,
        project: ProjectId,
    ) -> impl Future<Output = Result<Option<Redemption>, StoreError>> + Send;

    /// A tenant's activations in a month.
    fn activations_in(&mut self, tenant: TenantId, month: CalendarMonth) -> impl Future<Output = Result<u32, StoreError>> + Send;
}

/// Writes of the ledger and of the counted months.
pub trait LedgerWrites {
    /// Writes a use of a code into the ledger.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the project has a live redemption already: the last line behind
    /// [`start_project`](super::ProjectWrites::start_project).
    fn insert_redemption(&mut self, redemption: &Redemption) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts one activation in a month, and answers how many that makes, unless the month has `quota` already; `None` then. Of any number
    /// of racing calls, as many succeed as are left, and each is told another number.
    fn count_activation(
        &mut self,
        tenant: TenantId,
        month: CalendarMonth,
        quota: Quota,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<u32>, StoreError>> + Send;

    /// Writes into the ledger that a tenant's live redemption was returned; `false` when it was before, or there is none.
    fn return_redemption(
        &mut self,
        tenant: TenantId,
        id: RedemptionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Takes one activation from what was [counted](Self::count_activation) in a month; `false` when none is left.
    fn uncount_activation(
        &mut self,
        tenant: TenantId,
        month: CalendarMonth,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
