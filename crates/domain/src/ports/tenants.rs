use std::future::Future;

use super::StoreError;
use crate::{
    Entitlement, Expected, Holdings, Limit, Page, PageRequest, PlanId, RateDecision, Slug, Subscription, SubscriptionState,
    SubscriptionTerms, Tenant, TenantId, TenantProfile, Timestamp, Version,
};

/// Which tenants a list has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantFilter {
    /// Those whose slug or name contains this, in any case. `%` and `_` are ordinary characters.
    pub search: Option<String>,
    /// Those on this plan.
    pub plan_id: Option<PlanId>,
    /// Those whose subscription stands so.
    pub state: Option<SubscriptionState>,
    /// Those that are suspended (`true`), or aren't.
    pub suspended: Option<bool>,
}

impl TenantFilter {
    /// Whether a list with this filter has the tenant, whose subscription this is.
    #[must_use]
    pub fn keeps(&self, tenant: &Tenant, subscription: Option<&Subscription>) -> bool {
        let has = |text: &String| {
            let text = text.to_lowercase();
            tenant.slug.as_str().to_lowercase().contains(&text) || tenant.name.as_str().to_lowercase().contains(&text)
        };
        self.search.as_ref().is_none_or(has)
            && self.plan_id.is_none_or(|plan| subscription.is_some_and(|row| row.plan_id == plan))
            && self.state.is_none_or(|state| subscription.is_some_and(|row| row.state == state))
            && self.suspended.is_none_or(|suspended| tenant.suspended_at.is_some() == suspended)
    }
}

/// Reads of tenants and their subscriptions.
pub trait TenantReads {
    /// A tenant, suspended or not.
    fn tenant(&mut self, id: TenantId) -> impl Future<Output = Result<Option<Tenant>, StoreError>> + Send;

    /// Those of these tenants that there are, suspended or not, each once and in no order: one round trip, and none for nobody.
    fn tenants_by_ids(&mut self, ids: &[TenantId]) -> impl Future<Output = Result<Vec<Tenant>, StoreError>> + Send;

    /// The tenant that signs in with this slug, suspended or not.
    fn tenant_by_slug(&mut self, slug: &Slug) -> impl Future<Output = Result<Option<Tenant>, StoreError>> + Send;

    /// Tenants, newest first.
    fn tenants_page(
        &mut self,
        filter: &TenantFilter,
        page: PageRequest<Tenant>,
    ) -> impl Future<Output = Result<Page<Tenant>, StoreError>> + Send;

    /// A tenant's subscription.
    fn subscription(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Subscription>, StoreError>> + Send;

    /// What a tenant is entitled to; `None` without a subscription.
    fn entitlement(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Entitlement>, StoreError>> + Send;

    /// How much a tenant owns; `None` when there is none.
    fn count_holdings(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Holdings>, StoreError>> + Send;
}

/// Writes of tenants and their subscriptions.
pub trait TenantWrites {
    /// Stores a new tenant; `false` when its slug is taken.
    fn insert_tenant(&mut self, tenant: &Tenant) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Stores a new tenant's subscription.
    fn insert_subscription(&mut self, subscription: &Subscription) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// [`entitlement`](TenantReads::entitlement), and keeps the tenant from being deleted until this transaction ends. Holders don't wait
    /// for each other. A transaction that will lock rows of a tenant holds the tenant first, so that none deadlocks with its deletion.
    fn hold_tenant(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Entitlement>, StoreError>> + Send;

    /// [`hold_tenant`](Self::hold_tenant), and whether a bucket holds one at `now`, which stays there: in one round trip.
    fn hold_tenant_within(
        &mut self,
        tenant: TenantId,
        limit: Limit,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<(Entitlement, RateDecision)>, StoreError>> + Send;

    /// [`hold_tenant`](Self::hold_tenant), and keeps every other transaction that locks the same tenant waiting until this one
    /// ends. For rules over several rows of a tenant, which no single conditional write can decide.
    fn lock_tenant(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Entitlement>, StoreError>> + Send;

    /// [`tenant_by_slug`](TenantReads::tenant_by_slug), locked like [`lock_tenant`](Self::lock_tenant) does.
    fn lock_tenant_by_slug(&mut self, slug: &Slug) -> impl Future<Output = Result<Option<Tenant>, StoreError>> + Send;

    /// Whether a tenant's subscription still has this version. If so it keeps it until this transaction ends: whoever changes the
    /// subscription, or suspends the tenant, waits. For the end of a transaction that has acted on an
    /// [`Entitlement`]: its commit then comes before every change that it hasn't seen.
    ///
    /// It is the last row that a transaction locks, and held for as short as can be: those who change subscriptions don't stand in a
    /// queue, so holders who never let go together would keep them waiting for ever.
    fn confirm_entitlement(
        &mut self,
        tenant: TenantId,
        version: Version,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces what may be changed of a tenant; `None` when there is none.
    fn change_tenant(
        &mut self,
        tenant: TenantId,
        profile: &TenantProfile,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Tenant>, StoreError>> + Send;

    /// Replaces what may be changed of a tenant's subscription, and moves the tenant's `updated_at` too, as the two are shown together;
    /// `None` when it has none.
    fn change_subscription(
        &mut self,
        tenant: TenantId,
        terms: &SubscriptionTerms,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Subscription>, StoreError>> + Send;

    /// Suspends a tenant (`Some`) or lets it go on (`None`), and moves its subscription's `updated_at` too, so that
    /// [`confirm_entitlement`](Self::confirm_entitlement) notices; `false` when it is so already, or there is no such tenant.
    fn set_tenant_suspended(
        &mut self,
        tenant: TenantId,
        suspended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes a tenant and everything that it owns: subscription, codes, projects, sessions, challenges, redemptions, usage. Its
    /// audit events stay. `false` when there is none, or it isn't at an expected version.
    fn delete_tenant(&mut self, tenant: TenantId, expected: &Expected) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
