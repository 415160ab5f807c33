//! What Tenantry's database has already: what was taken before, and names that are in use.

use std::collections::{HashMap, HashSet};

use tenantry_domain::{
    AdoptedKind, Id, PageLimit, PageRequest, Slug, StoreError, TenantId,
    ports::{AdoptionReads as _, PlanFilter, PlanReads as _, Store as _, TenantReads as _},
};
use tenantry_persistence::DatabaseStore;
use uuid::Uuid;

/// Of a database that isn't given, nothing is known.
#[derive(Debug, Default)]
pub struct Target {
    /// The identifiers of what was taken before, by its key in the older portal; in the order of [`AdoptedKind::ALL`].
    pub before: [HashMap<String, Uuid>; 5],
    /// Names of plans.
    pub plans: HashSet<String>,
    /// Slugs of tenants.
    pub slugs: HashSet<String>,
    /// Tenants that were taken before and deleted since.
    pub gone: HashSet<TenantId>,
}

impl Target {
    /// Looks at a database. Of tenants it looks for these slugs.
    pub async fn read(store: &DatabaseStore, source: &str, slugs: &[Slug]) -> Result<Self, StoreError> {
        let mut reader = store.reader();
        let mut target = Self::default();
        for (before, kind) in target.before.iter_mut().zip(AdoptedKind::ALL) {
            *before = reader.adopted_rows(source, kind).await?.into_iter().collect();
        }
        let limit = PageLimit::new(PageLimit::MAX).unwrap_or_default();
        let mut page = PageRequest { limit, after: None, count: false };
        loop {
            let plans = reader.plans_page(&PlanFilter::default(), page).await?;
            page.after = plans.items.last().map(|plan| plan.id);
            target.plans.extend(plans.items.iter().map(|plan| plan.name.to_string()));
            if !plans.has_more {
                break;
            }
        }
        for slug in slugs {
            if reader.tenant_by_slug(slug).await?.is_some() {
                target.slugs.insert(slug.to_string());
            }
        }
        let taken: Vec<TenantId> = target.before(AdoptedKind::Tenant).values().copied().map(Id::from_uuid).collect();
        for some in taken.chunks(500) {
            let there: HashSet<TenantId> = reader.tenants_by_ids(some).await?.into_iter().map(|tenant| tenant.id).collect();
            target.gone.extend(some.iter().filter(|id| !there.contains(id)));
        }
        Ok(target)
    }

    /// What of a table was taken before.
    pub fn before(&self, kind: AdoptedKind) -> &HashMap<String, Uuid> {
        let [plans, tenants, subscriptions, codes, projects] = &self.before;
        match kind {
            AdoptedKind::Plan => plans,
            AdoptedKind::Tenant => tenants,
            AdoptedKind::Subscription => subscriptions,
            AdoptedKind::Code => codes,
            AdoptedKind::Project => projects,
        }
    }
}
