use std::collections::BTreeSet;

use super::{
    store::{MemoryTransaction, Mode, View},
    tables::{Tables, demand},
};
use crate::{
    Entitlement, Expected, Holdings, Limit, OtpAccount, Page, PageRequest, RateDecision, Slug, StoreError, Subscription,
    SubscriptionTerms, Tenant, TenantId, TenantProfile, Timestamp, Version,
    ports::{TenantFilter, TenantReads, TenantWrites},
};

impl Tables {
    pub(super) fn entitlement(&self, tenant: TenantId) -> Option<Entitlement> {
        let subscription = self.subscriptions.get(&tenant)?;
        let suspended_at = self.tenants.get(&tenant)?.suspended_at;
        let quota = self.plans.get(&subscription.plan_id)?.monthly_run_quota;
        let (version, has_listeners) = (subscription.version(), self.has_listeners(tenant));
        Some(Entitlement { state: subscription.state, quota, suspended_at, version, has_listeners })
    }
}

fn count(rows: impl Iterator) -> u64 {
    rows.fold(0, |count, _| count + 1)
}

impl<M: Mode> TenantReads for View<M> {
    async fn tenant(&mut self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tables().tenants.get(&id).cloned())
    }

    async fn tenants_by_ids(&mut self, ids: &[TenantId]) -> Result<Vec<Tenant>, StoreError> {
        let ids: BTreeSet<_> = ids.iter().collect();
        Ok(ids.into_iter().filter_map(|id| self.tables().tenants.get(id).cloned()).collect())
    }

    async fn tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tables().tenants.rows().find(|tenant| tenant.slug == *slug).cloned())
    }

    async fn tenants_page(&mut self, filter: &TenantFilter, page: PageRequest<Tenant>) -> Result<Page<Tenant>, StoreError> {
        let tables = self.tables();
        Ok(tables.tenants.page(page, |tenant| filter.keeps(tenant, tables.subscriptions.get(&tenant.id))))
    }

    async fn subscription(&mut self, tenant: TenantId) -> Result<Option<Subscription>, StoreError> {
        Ok(self.tables().subscriptions.get(&tenant).cloned())
    }

    async fn entitlement(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        Ok(self.tables().entitlement(tenant))
    }

    async fn count_holdings(&mut self, tenant: TenantId) -> Result<Option<Holdings>, StoreError> {
        let tables = self.tables();
        let uses = |live: bool| {
            count(tables.redemptions.rows().filter(|row| row.tenant_id == tenant && row.returned_at.is_none() == live))
        };
        Ok(tables.tenants.get(&tenant).map(|_| Holdings {
            projects: count(tables.projects.rows().filter(|row| row.tenant_id == Some(tenant))),
            codes: count(tables.codes.rows().filter(|row| row.tenant_id == tenant)),
            sessions: count(tables.sessions.rows().filter(|row| row.tenant_id == tenant)),
            live_redemptions: uses(true),
            returned_redemptions: uses(false),
        }))
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

    async fn hold_tenant_within(
        &mut self,
        tenant: TenantId,
        limit: Limit,
        now: Timestamp,
    ) -> Result<Option<(Entitlement, RateDecision)>, StoreError> {
        let full_at = self.tables().buckets.get(&limit.bucket).copied().unwrap_or(now);
        Ok(self.tables().entitlement(tenant).map(|entitlement| (entitlement, limit.rate.decide(full_at, now))))
    }

    async fn lock_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        Ok(self.tables().entitlement(tenant))
    }

    async fn lock_tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        self.tenant_by_slug(slug).await
    }

    async fn confirm_entitlement(&mut self, tenant: TenantId, version: Version) -> Result<bool, StoreError> {
        Ok(self.tables().subscriptions.get(&tenant).is_some_and(|subscription| subscription.version() == version))
    }

    async fn change_tenant(
        &mut self,
        tenant: TenantId,
        profile: &TenantProfile,
        now: Timestamp,
    ) -> Result<Option<Tenant>, StoreError> {
        let TenantProfile { name, contact_email, branding } = profile.clone();
        let changed = self.tables_mut().tenants.change_if(
            &tenant,
            |_| true,
            |row| {
                row.name = name;
                row.contact_email = contact_email;
                row.branding = branding;
                row.updated_at = now;
            },
        );
        Ok(changed.cloned())
    }

    async fn change_subscription(
        &mut self,
        tenant: TenantId,
        terms: &SubscriptionTerms,
        now: Timestamp,
    ) -> Result<Option<Subscription>, StoreError> {
        let tables = self.tables_mut();
        demand(tables.plans.contains(&terms.plan_id), "there is no such plan")?;
        let changed = tables.subscriptions.change_if(
            &tenant,
            |_| true,
            |row| {
                row.plan_id = terms.plan_id;
                row.state = terms.state;
                row.current_period_start = terms.current_period_start;
                row.current_period_end = terms.current_period_end;
                row.updated_at = now;
            },
        );
        let changed = changed.cloned();
        tables.tenants.change_if(&tenant, |_| changed.is_some(), |row| row.updated_at = now);
        Ok(changed)
    }

    async fn set_tenant_suspended(
        &mut self,
        tenant: TenantId,
        suspended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let differs = |row: &Tenant| row.suspended_at.is_some() != suspended_at.is_some();
        let tables = self.tables_mut();
        let changed = tables.tenants.change_if(&tenant, differs, |row| {
            row.suspended_at = suspended_at;
            row.updated_at = now;
        });
        let changed = changed.is_some();
        tables.subscriptions.change_if(&tenant, |_| changed, |row| row.updated_at = now);
        Ok(changed)
    }

    async fn delete_tenant(&mut self, tenant: TenantId, expected: &Expected) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        if !tables.tenants.delete_if(&tenant, |row| expected.admits(row.version())) {
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
        tables.delete_webhooks_of(tenant);
        Ok(true)
    }
}
