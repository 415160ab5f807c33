use super::store::{MemoryTransaction, Mode, View};
use crate::{
    Page, PageRequest, Plan, PlanId, StoreError,
    ports::{PlanFilter, PlanReads, PlanWrites},
};

impl<M: Mode> PlanReads for View<M> {
    async fn plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        Ok(self.tables().plans.get(&id).cloned())
    }

    async fn plans_page(&mut self, filter: &PlanFilter, page: PageRequest<Plan>) -> Result<Page<Plan>, StoreError> {
        Ok(self.tables().plans.page(page, |plan| filter.keeps(plan)))
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

    // Transactions take turns, so whoever has one holds and locks everything.
    async fn hold_plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.plan(id).await
    }

    async fn lock_plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.plan(id).await
    }

    async fn change_plan(&mut self, plan: &Plan) -> Result<bool, StoreError> {
        let plans = &mut self.tables_mut().plans;
        let free = plans.rows().all(|other| other.name != plan.name || other.id == plan.id);
        let changed = plans.change_if(
            &plan.id,
            |_| free,
            |row| {
                row.name = plan.name.clone();
                row.monthly_run_quota = plan.monthly_run_quota;
                row.archived_at = plan.archived_at;
                row.updated_at = plan.updated_at;
            },
        );
        Ok(changed.is_some())
    }

    async fn delete_plan(&mut self, id: PlanId) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        let used = tables.subscriptions.rows().any(|subscription| subscription.plan_id == id);
        Ok(tables.plans.delete_if(&id, |_| !used))
    }
}
