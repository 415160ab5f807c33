use tenantry_domain::{
    Page, PageRequest, Plan, PlanId, StoreError,
    ports::{PlanFilter, PlanReads, PlanWrites},
};

use crate::{
    store::{Mode, RedbTransaction, View},
    tables::{PLANS, SUBSCRIPTIONS},
};

impl<M: Mode> PlanReads for View<M> {
    async fn plan(&mut self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        self.rows()?.get(PLANS, &id)
    }

    async fn plans_page(&mut self, filter: &PlanFilter, page: PageRequest<Plan>) -> Result<Page<Plan>, StoreError> {
        self.rows()?.page(PLANS, page, |plan| filter.keeps(plan))
    }
}

impl PlanWrites for RedbTransaction {
    async fn insert_plan(&mut self, plan: &Plan) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let free = !rows.any(PLANS, |other| other.name == plan.name)?;
        if free {
            rows.put(PLANS, &plan.id, plan)?;
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
        let rows = self.rows_mut();
        let free = !rows.any(PLANS, |other| other.name == plan.name && other.id != plan.id)?;
        let changed = rows.change_if(
            PLANS,
            &plan.id,
            |_| free,
            |row| {
                row.name = plan.name.clone();
                row.monthly_run_quota = plan.monthly_run_quota;
                row.archived_at = plan.archived_at;
                row.updated_at = plan.updated_at;
            },
        )?;
        Ok(changed.is_some())
    }

    async fn delete_plan(&mut self, id: PlanId) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let used = rows.any(SUBSCRIPTIONS, |subscription| subscription.plan_id == id)?;
        Ok(rows.delete_if(PLANS, &id, |_| !used)?.is_some())
    }
}
