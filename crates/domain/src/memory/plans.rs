use super::store::{MemoryTransaction, Mode, View};
use crate::{
    Page, PageRequest, Plan, PlanId, StoreError,
    ports::{PlanReads, PlanWrites},
};

impl<M: Mode> PlanReads for View<M> {
    async fn plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        Ok(self.tables().plans.get(&id).cloned())
    }

    async fn plans_page(&mut self, page: PageRequest<Plan>) -> Result<Page<Plan>, StoreError> {
        Ok(self.tables().plans.page(page, |_| true))
    }
}

impl PlanWrites for MemoryTransaction {
    async fn insert_plan(&mut self, plan: &Plan) -> Result<bool, StoreError> {
        let plans = &mut self.tables_mut().plans;
        let free = plans.rows().all(|other| other.name != plan.name);
        if free {
            plans.put(plan.id, plan.clone());
        }
        Ok(free)
    }
}
