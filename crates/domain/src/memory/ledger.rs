use super::{
    store::{MemoryTransaction, Mode, View},
    tables::{Tables, demand},
};
use crate::{
    CalendarMonth, CodeId, ProjectId, Quota, Redemption, RedemptionId, StoreError, TenantId, Timestamp,
    ports::{LedgerReads, LedgerWrites},
};

impl Tables {
    fn live_redemption(&self, project: ProjectId) -> Option<&Redemption> {
        self.redemptions.rows().find(|row| row.project_id == Some(project) && row.returned_at.is_none())
    }
}

impl<M: Mode> LedgerReads for View<M> {
    async fn redemptions_of_code(&mut self, tenant: TenantId, code: CodeId) -> Result<Vec<Redemption>, StoreError> {
        let tables = self.tables();
        let uses = tables.redemptions.rows().filter(|row| row.tenant_id == tenant && row.activation_code_id == Some(code));
        Ok(uses.cloned().collect())
    }

    async fn live_redemption(&mut self, tenant: TenantId, project: ProjectId) -> Result<Option<Redemption>, StoreError> {
        Ok(self.tables().live_redemption(project).filter(|row| row.tenant_id == tenant).cloned())
    }

    async fn latest_redemption(&mut self, tenant: TenantId, project: ProjectId) -> Result<Option<Redemption>, StoreError> {
        let tables = self.tables();
        let its = tables.redemptions.rows().filter(|row| row.tenant_id == tenant && row.project_id == Some(project));
        Ok(its.max_by_key(|row| (row.redeemed_at, row.id)).cloned())
    }

    async fn activations_in(&mut self, tenant: TenantId, month: CalendarMonth) -> Result<u32, StoreError> {
        Ok(self.tables().activations.get(&(tenant, month)).copied().unwrap_or(0))
    }
}

impl LedgerWrites for MemoryTransaction {
    async fn insert_redemption(&mut self, redemption: &Redemption) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        tables.demand_tenant(redemption.tenant_id)?;
        demand(redemption.activation_code_id.is_none_or(|id| tables.codes.contains(&id)), "there is no such code")?;
        if let Some(project) = redemption.project_id {
            demand(tables.projects.contains(&project), "there is no such project")?;
            let free = redemption.returned_at.is_some() || tables.live_redemption(project).is_none();
            demand(free, "the project has a live redemption")?;
        }
        tables.redemptions.put(redemption.id, redemption.clone());
        Ok(())
    }

    async fn count_activation(
        &mut self,
        tenant: TenantId,
        month: CalendarMonth,
        quota: Quota,
        _now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let tables = self.tables_mut();
        tables.demand_tenant(tenant)?;
        let counted = tables.activations.get(&(tenant, month)).copied().unwrap_or(0);
        let left = counted < quota.get();
        if left {
            tables.activations.put((tenant, month), counted + 1);
        }
        Ok(left.then_some(counted + 1))
    }

    async fn return_redemption(&mut self, tenant: TenantId, id: RedemptionId, now: Timestamp) -> Result<bool, StoreError> {
        let live = |row: &Redemption| row.tenant_id == tenant && row.returned_at.is_none();
        let returned = self.tables_mut().redemptions.change_if(&id, live, |row| row.returned_at = Some(now));
        Ok(returned.is_some())
    }

    async fn uncount_activation(&mut self, tenant: TenantId, month: CalendarMonth, _now: Timestamp) -> Result<bool, StoreError> {
        let counted = |activations: &u32| *activations > 0;
        let uncounted = self.tables_mut().activations.change_if(&(tenant, month), counted, |activations| *activations -= 1);
        Ok(uncounted.is_some())
    }
}
