use std::collections::{BTreeSet, HashMap};

use tenantry_domain::{
    Entitlement, Expected, Holdings, Limit, OtpAccount, Page, PageRequest, RateDecision, Slug, StoreError, Subscription,
    SubscriptionTerms, Tenant, TenantId, TenantProfile, Timestamp, Version,
    ports::{TenantFilter, TenantReads, TenantWrites},
};

use crate::{
    error::demand,
    rows::Rows,
    store::{Mode, RedbTransaction, View},
    tables::{
        BATCHES, BUCKETS, CHALLENGES, CODES, CODES_BY_DIGEST, Key as _, MONTHS, PLANS, PROJECTS, REDEMPTIONS, SESSIONS,
        SESSIONS_BY_DIGEST, SUBSCRIPTIONS, TENANTS,
    },
};

impl Rows {
    pub(super) fn entitlement(&self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        let Some(subscription) = self.get(SUBSCRIPTIONS, &tenant)? else { return Ok(None) };
        let (Some(tenant), Some(plan)) = (self.get(TENANTS, &tenant)?, self.get(PLANS, &subscription.plan_id)?) else {
            return Ok(None);
        };
        Ok(Some(Entitlement {
            state: subscription.state,
            quota: plan.monthly_run_quota,
            suspended_at: tenant.suspended_at,
            version: subscription.version(),
            has_listeners: self.has_listeners(tenant.id)?,
        }))
    }
}

impl<M: Mode> TenantReads for View<M> {
    async fn tenant(&mut self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        self.rows()?.get(TENANTS, &id)
    }

    async fn tenants_by_ids(&mut self, ids: &[TenantId]) -> Result<Vec<Tenant>, StoreError> {
        let (rows, mut tenants) = (self.rows()?, Vec::new());
        for id in ids.iter().collect::<BTreeSet<_>>() {
            tenants.extend(rows.get(TENANTS, id)?);
        }
        Ok(tenants)
    }

    async fn tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        self.rows()?.find(TENANTS, |tenant| tenant.slug == *slug)
    }

    async fn tenants_page(&mut self, filter: &TenantFilter, page: PageRequest<Tenant>) -> Result<Page<Tenant>, StoreError> {
        let rows = self.rows()?;
        let subscriptions: HashMap<_, _> =
            rows.list(SUBSCRIPTIONS, |_| true)?.into_iter().map(|subscription| (subscription.tenant_id, subscription)).collect();
        rows.page(TENANTS, page, |tenant| filter.keeps(tenant, subscriptions.get(&tenant.id)))
    }

    async fn subscription(&mut self, tenant: TenantId) -> Result<Option<Subscription>, StoreError> {
        self.rows()?.get(SUBSCRIPTIONS, &tenant)
    }

    async fn entitlement(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        self.rows()?.entitlement(tenant)
    }

    async fn count_holdings(&mut self, tenant: TenantId) -> Result<Option<Holdings>, StoreError> {
        let rows = self.rows()?;
        if !rows.has(TENANTS, &tenant)? {
            return Ok(None);
        }
        let uses = |live: bool| rows.count(REDEMPTIONS, |row| row.tenant_id == tenant && row.returned_at.is_none() == live);
        Ok(Some(Holdings {
            projects: rows.count(PROJECTS, |row| row.tenant_id == Some(tenant))?,
            codes: rows.count(CODES, |row| row.tenant_id == tenant)?,
            sessions: rows.count(SESSIONS, |row| row.tenant_id == tenant)?,
            live_redemptions: uses(true)?,
            returned_redemptions: uses(false)?,
        }))
    }
}

impl TenantWrites for RedbTransaction {
    async fn insert_tenant(&mut self, tenant: &Tenant) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let free = !rows.any(TENANTS, |other| other.slug == tenant.slug)?;
        if free {
            rows.put(TENANTS, &tenant.id, tenant)?;
        }
        Ok(free)
    }

    async fn insert_subscription(&mut self, subscription: &Subscription) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        rows.demand_tenant(subscription.tenant_id)?;
        demand(rows.has(PLANS, &subscription.plan_id)?, "there is no such plan")?;
        demand(!rows.has(SUBSCRIPTIONS, &subscription.tenant_id)?, "the tenant has a subscription")?;
        rows.put(SUBSCRIPTIONS, &subscription.tenant_id, subscription)
    }

    // Transactions take turns, so whoever has one holds and locks everything.
    async fn hold_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        self.rows()?.entitlement(tenant)
    }

    async fn hold_tenant_within(
        &mut self,
        tenant: TenantId,
        limit: Limit,
        now: Timestamp,
    ) -> Result<Option<(Entitlement, RateDecision)>, StoreError> {
        let full_at = self.rows()?.get(BUCKETS, limit.bucket.as_bytes())?.unwrap_or(now);
        Ok(self.rows()?.entitlement(tenant)?.map(|entitlement| (entitlement, limit.rate.decide(full_at, now))))
    }

    async fn lock_tenant(&mut self, tenant: TenantId) -> Result<Option<Entitlement>, StoreError> {
        self.rows()?.entitlement(tenant)
    }

    async fn lock_tenant_by_slug(&mut self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        self.tenant_by_slug(slug).await
    }

    async fn confirm_entitlement(&mut self, tenant: TenantId, version: Version) -> Result<bool, StoreError> {
        Ok(self.rows()?.get(SUBSCRIPTIONS, &tenant)?.is_some_and(|subscription| subscription.version() == version))
    }

    async fn change_tenant(
        &mut self,
        tenant: TenantId,
        profile: &TenantProfile,
        now: Timestamp,
    ) -> Result<Option<Tenant>, StoreError> {
        let TenantProfile { name, contact_email, branding } = profile.clone();
        let changed = self.rows_mut().change_if(
            TENANTS,
            &tenant,
            |_| true,
            |row| {
                row.name = name;
                row.contact_email = contact_email;
                row.branding = branding;
                row.updated_at = now;
            },
        )?;
        Ok(changed)
    }

    async fn change_subscription(
        &mut self,
        tenant: TenantId,
        terms: &SubscriptionTerms,
        now: Timestamp,
    ) -> Result<Option<Subscription>, StoreError> {
        let rows = self.rows_mut();
        demand(rows.has(PLANS, &terms.plan_id)?, "there is no such plan")?;
        let changed = rows.change_if(
            SUBSCRIPTIONS,
            &tenant,
            |_| true,
            |row| {
                row.plan_id = terms.plan_id;
                row.state = terms.state;
                row.current_period_start = terms.current_period_start;
                row.current_period_end = terms.current_period_end;
                row.updated_at = now;
            },
        )?;
        rows.change_if(TENANTS, &tenant, |_| changed.is_some(), |row| row.updated_at = now)?;
        Ok(changed)
    }

    async fn set_tenant_suspended(
        &mut self,
        tenant: TenantId,
        suspended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let differs = |row: &Tenant| row.suspended_at.is_some() != suspended_at.is_some();
        let rows = self.rows_mut();
        let changed = rows.change_if(TENANTS, &tenant, differs, |row| {
            row.suspended_at = suspended_at;
            row.updated_at = now;
        })?;
        let changed = changed.is_some();
        rows.change_if(SUBSCRIPTIONS, &tenant, |_| changed, |row| row.updated_at = now)?;
        Ok(changed)
    }

    async fn delete_tenant(&mut self, tenant: TenantId, expected: &Expected) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        if rows.delete_if(TENANTS, &tenant, |row| expected.admits(row.version()))?.is_none() {
            return Ok(false);
        }
        for code in rows.list(CODES, |code| code.tenant_id == tenant)? {
            rows.delete(CODES, &code.id);
            rows.delete(CODES_BY_DIGEST, code.digest.as_bytes());
        }
        for session in rows.list(SESSIONS, |session| session.tenant_id == tenant)? {
            rows.delete(SESSIONS, &session.id);
            rows.delete(SESSIONS_BY_DIGEST, session.token_digest.as_bytes());
        }
        rows.delete(SUBSCRIPTIONS, &tenant);
        rows.delete_all(BATCHES, |row| row.tenant_id == tenant)?;
        rows.delete_all(PROJECTS, |row| row.tenant_id == Some(tenant))?;
        rows.delete_all(CHALLENGES, |row| row.account == Some(OtpAccount::Tenant(tenant)))?;
        rows.delete_all(REDEMPTIONS, |row| row.tenant_id == tenant)?;
        rows.delete_under(MONTHS, &tenant.bytes())?;
        rows.delete_webhooks_of(tenant)?;
        Ok(true)
    }
}
