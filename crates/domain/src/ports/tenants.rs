use std::future::Future;

use super::StoreError;
use crate::{Entitlement, Page, PageRequest, Slug, Subscription, Tenant, TenantId, Timestamp};

/// Reads of tenants and their subscriptions.
pub trait TenantReads {
    /// A tenant, suspended or not.
    fn tenant(&mut self, id: TenantId) -> impl Future<Output = Result<Option<Tenant>, StoreError>> + Send;

    /// The tenant that signs in with this slug, suspended or not.
    fn tenant_by_slug(&mut self, slug: &Slug) -> impl Future<Output = Result<Option<Tenant>, StoreError>> + Send;

    /// Tenants, newest first; with `search`, those whose slug or name contains it in any case.
    fn tenants_page(
        &mut self,
        search: Option<&str>,
        page: PageRequest<Tenant>,
    ) -> impl Future<Output = Result<Page<Tenant>, StoreError>> + Send;

    /// A tenant's subscription.
    fn subscription(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Subscription>, StoreError>> + Send;

    /// What a tenant is entitled to; `None` without a subscription.
    fn entitlement(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Entitlement>, StoreError>> + Send;
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

    /// [`hold_tenant`](Self::hold_tenant), and keeps every other transaction that locks the same tenant waiting until this one
    /// ends. For rules over several rows of a tenant, which no single conditional write can decide.
    fn lock_tenant(&mut self, tenant: TenantId) -> impl Future<Output = Result<Option<Entitlement>, StoreError>> + Send;

    /// Suspends a tenant (`Some`) or lets it go on (`None`); `false` when it is so already, or there is no such tenant.
    fn set_tenant_suspended(
        &mut self,
        tenant: TenantId,
        suspended_at: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes a tenant and everything that it owns: subscription, codes, projects, sessions, challenges, redemptions, usage. Its
    /// audit events stay. `false` when there is none.
    fn delete_tenant(&mut self, tenant: TenantId) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
