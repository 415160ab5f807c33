use tenantry_domain::{
    CalendarMonth, CodeId, ProjectId, Quota, Redemption, RedemptionId, StoreError, TenantId, Timestamp,
    ports::{LedgerReads, LedgerWrites},
};

use crate::{
    error::demand,
    rows::Rows,
    store::{Mode, RedbTransaction, View},
    tables::{CODES, MONTHS, PROJECTS, REDEMPTIONS},
};

impl Rows {
    fn live_redemption(&self, project: ProjectId) -> Result<Option<Redemption>, StoreError> {
        self.find(REDEMPTIONS, |row| row.project_id == Some(project) && row.returned_at.is_none())
    }
}

impl<M: Mode> LedgerReads for View<M> {
    async fn redemptions_of_code(&mut self, tenant: TenantId, code: CodeId) -> Result<Vec<Redemption>, StoreError> {
        self.rows()?.list(REDEMPTIONS, |row| row.tenant_id == tenant && row.activation_code_id == Some(code))
    }

    async fn live_redemption(&mut self, tenant: TenantId, project: ProjectId) -> Result<Option<Redemption>, StoreError> {
        Ok(self.rows()?.live_redemption(project)?.filter(|row| row.tenant_id == tenant))
    }

    async fn latest_redemption(&mut self, tenant: TenantId, project: ProjectId) -> Result<Option<Redemption>, StoreError> {
        let rows = self.rows()?;
        let its = rows.list(REDEMPTIONS, |row| row.tenant_id == tenant && row.project_id == Some(project))?.into_iter();
        Ok(its.max_by_key(|row| (row.redeemed_at, row.id)))
    }

    async fn activations_in(&mut self, tenant: TenantId, month: CalendarMonth) -> Result<u32, StoreError> {
        Ok(self.rows()?.get(MONTHS, &(tenant, month))?.unwrap_or(0))
    }
}

impl LedgerWrites for RedbTransaction {
    async fn insert_redemption(&mut self, redemption: &Redemption) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        rows.demand_tenant(redemption.tenant_id)?;
        if let Some(code) = redemption.activation_code_id {
            demand(rows.has(CODES, &code)?, "there is no such code")?;
        }
        if let Some(project) = redemption.project_id {
            demand(rows.has(PROJECTS, &project)?, "there is no such project")?;
            let free = redemption.returned_at.is_some() || rows.live_redemption(project)?.is_none();
            demand(free, "the project has a live redemption")?;
        }
        rows.put(REDEMPTIONS, &redemption.id, redemption)
    }

    async fn count_activation(
        &mut self,
        tenant: TenantId,
        month: CalendarMonth,
        quota: Quota,
        _now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let rows = self.rows_mut();
        rows.demand_tenant(tenant)?;
        let counted = rows.get(MONTHS, &(tenant, month))?.unwrap_or(0);
        let left = counted < quota.get();
        if left {
            rows.put(MONTHS, &(tenant, month), &(counted + 1))?;
        }
        Ok(left.then_some(counted + 1))
    }

    async fn return_redemption(&mut self, tenant: TenantId, id: RedemptionId, now: Timestamp) -> Result<bool, StoreError> {
        let live = |row: &Redemption| row.tenant_id == tenant && row.returned_at.is_none();
        let returned = self.rows_mut().change_if(REDEMPTIONS, &id, live, |row| row.returned_at = Some(now))?;
        Ok(returned.is_some())
    }

    async fn uncount_activation(&mut self, tenant: TenantId, month: CalendarMonth, _now: Timestamp) -> Result<bool, StoreError> {
        let counted = |activations: &u32| *activations > 0;
        let uncounted = self.rows_mut().change_if(MONTHS, &(tenant, month), counted, |activations| *activations -= 1)?;
        Ok(uncounted.is_some())
    }
}
