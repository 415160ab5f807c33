//! Counts of tenants: whatever happens to them, they equal a recount.

use super::world::{RACERS, TICK, World, all_pages, later, noon, race};
use crate::{CalendarDay, Expected, Tenant, TenantCounts, TenantId, TenantProfile, Timestamp, ports::*};

fn today() -> CalendarDay {
    noon().day()
}

fn last_week() -> CalendarDay {
    today().days_before(7)
}

const fn counts(total: u64, suspended: u64, new_this_week: u64, new_last_week: u64) -> TenantCounts {
    TenantCounts { total, suspended, new_this_week, new_last_week }
}

impl<S: Store> World<S> {
    async fn tenant_of(&self, name: &str, created_at: Timestamp, suspended_at: Option<Timestamp>) -> TenantId {
        let tenant = Tenant { suspended_at, ..self.new_tenant(name, created_at) };
        assert!(self.write(async |tx| tx.insert_tenant(&tenant).await).await);
        tenant.id
    }

    async fn suspend(&self, tenant: TenantId, suspended_at: Option<Timestamp>) -> bool {
        self.write(async |tx| tx.set_tenant_suspended(tenant, suspended_at, later(9)).await).await
    }

    async fn counted_tenants(&self) -> TenantCounts {
        self.read().count_tenants(today(), last_week()).await.unwrap()
    }

    /// The counts of the tenants that are listed.
    async fn listed_tenants(&self) -> TenantCounts {
        let every = TenantFilter::default();
        let read = async |page| self.read().tenants_page(&every, page).await;
        let tenants = all_pages(200, |tenant: &Tenant| tenant.id, read).await;
        let count = |which: &dyn Fn(&Tenant) -> bool| tenants.iter().filter(|tenant| which(tenant)).count() as u64;
        counts(
            tenants.len() as u64,
            count(&|tenant| tenant.suspended_at.is_some()),
            count(&|tenant| tenant.created_at >= today().start()),
            count(&|tenant| tenant.created_at >= last_week().start() && tenant.created_at < today().start()),
        )
    }
}

/// Tenants are counted with the suspended ones, and by the week in which they were made, whose days turn at midnight (UTC): made, suspended,
/// resumed, changed and deleted.
pub async fn tenants_are_counted_by_week<S: Store>(store: S) {
    let world = World::new(store);
    assert_eq!(world.counted_tenants().await, counts(0, 0, 0, 0));
    let (tomorrow, midnight) = (today().next(), today().next().start());
    let starts = [last_week().start(), today().start(), midnight];
    let mut tenants = Vec::new();
    for (number, created_at) in starts.into_iter().flat_map(|start| [start - TICK, start]).enumerate() {
        tenants.push(world.tenant_of(&format!("tenant-{number}"), created_at, None).await);
    }
    assert_eq!(world.counted_tenants().await, counts(6, 0, 3, 2));
    assert_eq!(world.read().count_tenants(tomorrow, today()).await.unwrap(), counts(6, 0, 1, 2));
    let suspended = world.tenant_of("suspended", noon(), Some(later(1))).await;
    assert_eq!(world.counted_tenants().await, counts(7, 1, 4, 2));

    assert!(world.suspend(tenants[1], Some(later(2))).await && world.suspend(tenants[3], Some(later(2))).await);
    assert!(!world.suspend(tenants[3], Some(later(3))).await, "it is so already");
    assert_eq!(world.counted_tenants().await, counts(7, 3, 4, 2));
    assert!(world.suspend(tenants[3], None).await);
    assert_eq!(world.counted_tenants().await, counts(7, 2, 4, 2));
    let Tenant { name, contact_email, branding, .. } = world.new_tenant("changed", noon());
    let profile = TenantProfile { name, contact_email, branding };
    assert!(world.write(async |tx| tx.change_tenant(tenants[1], &profile, later(9)).await).await.is_some());
    assert_eq!(world.counted_tenants().await, counts(7, 2, 4, 2));

    // One that is suspended, one that was, and one that never was.
    for (gone, left) in [(tenants[1], counts(6, 1, 4, 1)), (tenants[3], counts(5, 1, 3, 1)), (tenants[2], counts(4, 1, 3, 0))] {
        assert!(world.write(async |tx| tx.delete_tenant(gone, &Expected::Any).await).await);
        assert_eq!(world.counted_tenants().await, left);
        assert_eq!(world.listed_tenants().await, left);
    }
    assert!(world.suspend(suspended, None).await);
    assert_eq!(world.counted_tenants().await, counts(4, 0, 3, 0));
}

/// What a dropped transaction did to tenants is not counted.
pub async fn what_a_dropped_transaction_did_to_tenants_is_not_counted<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_of("kept", noon(), None).await;
    let other = world.new_tenant("dropped", noon());
    {
        let mut tx = world.begin().await;
        assert!(tx.insert_tenant(&other).await.unwrap());
        assert!(tx.set_tenant_suspended(tenant, Some(later(1)), later(1)).await.unwrap());
        assert_eq!(tx.count_tenants(today(), last_week()).await.unwrap(), counts(2, 1, 2, 0), "it sees its own");
        assert!(tx.delete_tenant(tenant, &Expected::Any).await.unwrap());
        assert_eq!(tx.count_tenants(today(), last_week()).await.unwrap(), counts(1, 0, 1, 0), "it sees its own");
    }
    assert_eq!(world.counted_tenants().await, counts(1, 0, 1, 0));
}

/// Of 32 at once that make, suspend, resume and delete tenants every one is counted, and of those who are too late none.
pub async fn racing_changes_of_tenants_are_all_counted<S: Store>(store: S) {
    let world = World::new(store);
    let mut tenants = Vec::new();
    for number in 0..RACERS / 4 {
        let suspended_at = (number % 4 == 0).then(noon);
        tenants.push(world.tenant_of(&format!("tenant-{number}"), noon(), suspended_at).await);
    }
    race(RACERS, async |racer| {
        let tenant = tenants[racer / 4];
        match racer % 4 {
            0 | 1 => drop(world.suspend(tenant, (racer % 8 > 3).then(|| later(1))).await),
            2 if racer < RACERS / 2 => {
                assert!(world.write(async |tx| tx.delete_tenant(tenant, &Expected::Any).await).await);
            }
            _ => drop(world.tenant_of(&format!("new-{racer}"), noon() - TICK, Some(noon())).await),
        }
    })
    .await;
    // Four of eight are left: one was resumed, two were suspended. Twelve are new.
    assert_eq!(world.counted_tenants().await, counts(16, 14, 16, 0));
    assert_eq!(world.listed_tenants().await, counts(16, 14, 16, 0));
}
