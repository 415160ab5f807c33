use std::future::Future;

use super::StoreError;
use crate::{Page, PageRequest, Plan, PlanId};

/// Reads of plans.
pub trait PlanReads {
    /// A plan, archived or not.
    fn plan(&mut self, id: PlanId) -> impl Future<Output = Result<Option<Plan>, StoreError>> + Send;

    /// Plans, newest first.
    fn plans_page(&mut self, page: PageRequest<Plan>) -> impl Future<Output = Result<Page<Plan>, StoreError>> + Send;
}

/// Writes of plans.
pub trait PlanWrites {
    /// Stores a new plan; `false` when its name is taken.
    fn insert_plan(&mut self, plan: &Plan) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
