use std::future::Future;

use super::StoreError;
use crate::{Page, PageRequest, Plan, PlanId};

/// Which plans a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanFilter {
    /// Those whose name contains this, in any case. `%` and `_` are ordinary characters.
    pub search: Option<String>,
    /// Those that are archived (`true`), or aren't.
    pub archived: Option<bool>,
}

impl PlanFilter {
    /// Whether a list with this filter has the plan.
    #[must_use]
    pub fn keeps(&self, plan: &Plan) -> bool {
        self.archived.is_none_or(|archived| plan.archived_at.is_some() == archived)
            && self.search.as_ref().is_none_or(|text| plan.name.as_str().to_lowercase().contains(&text.to_lowercase()))
    }
}

/// Reads of plans.
pub trait PlanReads {
    /// A plan, archived or not.
    fn plan(&mut self, id: PlanId) -> impl Future<Output = Result<Option<Plan>, StoreError>> + Send;

    /// Plans, newest first.
    fn plans_page(
        &mut self,
        filter: &PlanFilter,
        page: PageRequest<Plan>,
    ) -> impl Future<Output = Result<Page<Plan>, StoreError>> + Send;
}

/// Writes of plans.
pub trait PlanWrites {
    /// Stores a new plan; `false` when its name is taken.
    fn insert_plan(&mut self, plan: &Plan) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// [`plan`](PlanReads::plan), and keeps it as it is until this transaction ends: whoever changes, archives or deletes it waits. Holders
    /// don't wait for each other. A transaction that puts a tenant on a plan holds the plan first.
    fn hold_plan(&mut self, id: PlanId) -> impl Future<Output = Result<Option<Plan>, StoreError>> + Send;

    /// [`hold_plan`](Self::hold_plan), and keeps every other transaction that would hold, lock or change it waiting.
    fn lock_plan(&mut self, id: PlanId) -> impl Future<Output = Result<Option<Plan>, StoreError>> + Send;

    /// Writes a plan's name, quota and `archived_at`, changed at `updated_at`, where there is one with its identifier; `false`, and the
    /// transaction can go on, when another plan has the name, or there is none.
    fn change_plan(&mut self, plan: &Plan) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes a plan that no tenant is on; `false`, and the transaction can go on, when one is, or there is none. Decides every race with
    /// a tenant that is put on it, held or not.
    fn delete_plan(&mut self, id: PlanId) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
