use super::{
    store::{MemoryTransaction, Mode, View},
    tables::{Tables, demand},
};
use crate::{
    Entitlement, OtpAccount, Page, PageRequest, Slug, StoreError, Subscription, Tenant, TenantId, Timestamp,
    ports::{TenantReads, TenantWrites},
};

impl Tables {
    pub(super) fn entitlement(&self, tenant: TenantId) -> Option<Entitlement> {
        let subscription = self.subscriptions.get(&tenant)?;
        let suspended_at = self.tenants.get(&tenant)?.suspended_at;
        let quota = self.plans.get(&subscription.plan_id)?.monthly_run_quota;
        Some(Entitlement { state: subscription.state, quota, suspended_at })
    }
}

impl<M: Mode> TenantReads for View<M> {
    async fn tenant(&mut self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tables().tenants.get(&id).cloned())
    }

    async fn tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tables().tenants.rows().find(|tenant| tenant.slug == *slug).cloned())
    }

    async fn tenants_page(&mut self, search: Option<&str>, page: PageRequest<Tenant>) -> Result<Page<Tenant>, StoreError> {
        let wanted = search.unwrap_or_default().to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        Ok(self.tables().tenants.page(page, |tenant| has(tenant.slug.as_str()) || has(tenant.name.as_str())))
    }

    async fn subscription(&mut self, tenant: TenantId) -> Result<Option<Subscription>, StoreError> {
        Ok(self.tables().subscriptions.get(&tenant).cloned())
    }

    async fn entitlement(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        Ok(self.tables().entitlement(tenant))
    }
}

impl TenantWrites for MemoryTransaction {
    async fn insert_tenant(&mut self, tenant: &Tenant) -> Result<bool, StoreError> {
        let tenants = &mut self.tables_mut().tenants;
        let free = tenants.rows().all(|other| other.slug != tenant.slug);
        if free {
            tenants.put(tenant.id, tenant.clone());
        }
        Ok(free)
    }

    async fn insert_subscription(&mut self, subscription: &Subscription) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        tables.demand_tenant(subscription.tenant_id)?;
        demand(tables.plans.contains(&subscription.plan_id), "there is no such plan")?;
        demand(!tables.subscriptions.contains(&subscription.tenant_id), "the tenant has a subscription")?;
        tables.subscriptions.put(subscription.tenant_id, subscription.clone());
        Ok(())
    }

    // Transactions take turns, so whoever has one holds and locks everything.
    async fn hold_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        Ok(self.tables().entitlement(tenant))
    }

    async fn lock_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        Ok(self.tables().entitlement(tenant))
    }

    async fn set_tenant_suspended(
        &mut self,
        tenant: TenantId,
        suspended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let differs = |row: &Tenant| row.suspended_at.is_some() != suspended_at.is_some();
        let changed = self.tables_mut().tenants.change_if(&tenant, differs, |row| {
            row.suspended_at = suspended_at;
            row.updated_at = now;
        });
        Ok(changed.is_some())
    }

    async fn delete_tenant(&mut self, tenant: TenantId) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        if !tables.tenants.delete_if(&tenant, |_| true) {
            return Ok(false);
        }
        let Tables { codes, sessions, .. } = tables.clone();
        tables.codes_by_digest.delete_all(|id| codes.get(id).is_none_or(|code| code.tenant_id == tenant));
        tables.sessions_by_digest.delete_all(|id| sessions.get(id).is_none_or(|session| session.tenant_id == tenant));
        tables.subscriptions.delete_all(|row| row.tenant_id == tenant);
        tables.batches.delete_all(|row| row.tenant_id == tenant);
        tables.codes.delete_all(|row| row.tenant_id == tenant);
        tables.projects.delete_all(|row| row.tenant_id == Some(tenant));
        tables.sessions.delete_all(|row| row.tenant_id == tenant);
        tables.challenges.delete_all(|row| row.account == Some(OtpAccount::Tenant(tenant)));
        tables.redemptions.delete_all(|row| row.tenant_id == tenant);
        tables.activations.delete_keys(|(owner, _)| *owner == tenant);
        Ok(true)
    }
}
