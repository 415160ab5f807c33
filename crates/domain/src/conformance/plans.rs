//! Plans: their fields and names, who may be put on them, and when they can go.

use super::world::{RACERS, World, later, noon, race};
use crate::{
    CreateTenantError, Expected, ManagePlanError, Plan, PlanName, Quota, SubscriptionState, archive_plan, create_tenant,
    delete_plan, memory::PlainHasher, ports::*,
};

impl<S: Store> World<S> {
    async fn stored_plan(&self) -> Plan {
        let plan = self.new_plan(10);
        assert!(self.write(async |tx| tx.insert_plan(&plan).await).await);
        plan
    }
}

/// Every field of a plan is read as it was written.
pub async fn a_plan_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let archived = Plan { archived_at: Some(later(1)), updated_at: later(1), ..world.new_plan(i64::from(Quota::MAX)) };
    let named = Plan { name: PlanName::parse("Größe „XL“").unwrap(), ..world.new_plan(1) };
    for plan in [archived, named] {
        assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
        assert_eq!(world.write(async |tx| tx.hold_plan(plan.id).await).await.as_ref(), Some(&plan));
        assert_eq!(world.write(async |tx| tx.lock_plan(plan.id).await).await.as_ref(), Some(&plan));
        assert_eq!(world.read().plan(plan.id).await.unwrap(), Some(plan));
    }
    assert_eq!(world.read().plan(world.id(noon())).await.unwrap(), None);
}

/// Of 32 racing plans with one name one is stored.
pub async fn racing_plans_with_one_name_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let insert = async |_, tx: &mut S::Transaction| {
        tx.insert_plan(&Plan { name: PlanName::parse("Basic").unwrap(), ..world.new_plan(1) }).await
    };
    assert_eq!(world.winners(insert).await, 1);
}

/// A changed plan is read as it was changed, and keeps what can't be changed.
pub async fn a_changed_plan_is_read_as_it_was_changed<S: Store>(store: S) {
    let world = World::new(store);
    let plan = world.stored_plan().await;
    let (name, monthly_run_quota) = (PlanName::parse("Größe „XL“").unwrap(), Quota::new(7).unwrap());
    let changed = Plan { name, monthly_run_quota, archived_at: Some(later(1)), updated_at: later(1), ..plan.clone() };
    let restored = Plan { archived_at: None, updated_at: later(2), ..changed.clone() };
    for change in [changed, restored] {
        let sent = Plan { created_at: later(9), ..change.clone() };
        assert!(world.write(async |tx| tx.change_plan(&sent).await).await);
        assert_eq!(world.read().plan(plan.id).await.unwrap(), Some(change));
    }
    let unknown = world.new_plan(1);
    assert!(!world.write(async |tx| tx.change_plan(&unknown).await).await);
    assert_eq!(world.read().plan(unknown.id).await.unwrap(), None);
}

/// Of 32 racing plans that take one name one gets it; the transactions of the others can go on.
pub async fn racing_renames_to_one_name_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let mut plans = Vec::new();
    for _ in 0..RACERS {
        plans.push(world.stored_plan().await);
    }
    let rename = async |racer: usize, tx: &mut S::Transaction| {
        let plan = Plan { name: PlanName::parse("Basic").unwrap(), ..plans[racer].clone() };
        let taken = tx.change_plan(&plan).await?;
        assert!(tx.insert_plan(&world.new_plan(1)).await?, "the transaction can go on");
        Ok(taken)
    };
    assert_eq!(world.winners(rename).await, 1);
}

/// A plan that a tenant is on is not deleted, and the transaction that tried can go on; one that nobody is on is.
pub async fn a_plan_in_use_is_not_deleted<S: Store>(store: S) {
    let world = World::new(store);
    let (used, free) = (world.stored_plan().await, world.stored_plan().await);
    let tenant = world.new_tenant("acme", noon());
    let subscription = world.new_subscription(tenant.id, &used, SubscriptionState::Canceled);
    world
        .write(async |tx| {
            assert!(tx.insert_tenant(&tenant).await?);
            tx.insert_subscription(&subscription).await
        })
        .await;
    world
        .write(async |tx| {
            assert!(!tx.delete_plan(used.id).await?);
            assert!(tx.delete_plan(free.id).await?, "the transaction can go on");
            assert!(!tx.delete_plan(free.id).await?);
            Ok(())
        })
        .await;
    assert_eq!(world.read().plan(free.id).await.unwrap(), None);
    assert_eq!(world.read().plan(used.id).await.unwrap().as_ref(), Some(&used));
    assert!(world.write(async |tx| tx.delete_tenant(tenant.id, &Expected::Any).await).await);
    assert!(world.write(async |tx| tx.delete_plan(used.id).await).await);
}

/// A plan's deletion that races tenants who are put on it succeeds or not; either way no tenant is on a plan that isn't there.
pub async fn a_deletion_of_a_plan_that_races_its_first_tenants_leaves_none_without_it<S: Store>(store: S) {
    let world = World::new(store);
    for _ in 0..4 {
        let plan = world.stored_plan().await;
        let made = race(8, async |racer| match racer {
            3 => match delete_plan(&world.store, &world.cx(later(1)), plan.id, &Expected::Any).await {
                Ok(()) | Err(ManagePlanError::InUse) => 0,
                Err(failure) => panic!("{failure:?}"),
            },
            _ => match create_tenant(&world.store, &world.cx(later(1)), &PlainHasher, world.tenant_to_be(plan.id)).await {
                Ok(created) => {
                    created.issued.unwrap();
                    1
                }
                Err(CreateTenantError::UnknownPlan) => 0,
                Err(failure) => panic!("{failure:?}"),
            },
        })
        .await;
        let left = world.read().plan(plan.id).await.unwrap().is_some();
        let filter = TenantFilter { plan_id: Some(plan.id), ..TenantFilter::default() };
        let tenants = world.read().tenants_page(&filter, super::world::first_page()).await.unwrap().items.len();
        assert_eq!(tenants, made.iter().sum::<usize>());
        assert_eq!(left, tenants > 0);
    }
}

/// Whoever archives a plan waits for those who are putting tenants on it: a tenant that is made later isn't on it.
pub async fn a_plan_is_archived_behind_those_who_hold_it<S: Store>(store: S) {
    let world = World::new(store);
    let plan = world.stored_plan().await;
    let hold = async |tx: &mut S::Transaction| assert_eq!(tx.hold_plan(plan.id).await.unwrap().as_ref(), Some(&plan));
    let archive = async || archive_plan(&world.store, &world.cx(later(1)), plan.id).await.unwrap();
    let (overtaken, archived) = world.overtakes(hold, archive).await;
    assert!(!overtaken);
    assert_eq!(world.read().plan(plan.id).await.unwrap(), Some(archived));
    let refused = create_tenant(&world.store, &world.cx(later(2)), &PlainHasher, world.tenant_to_be(plan.id)).await;
    assert!(matches!(refused, Err(CreateTenantError::PlanArchived)), "{refused:?}");
}

/// Whoever holds a plan while it is being archived waits, and sees it archived.
pub async fn who_holds_a_plan_sees_what_was_done_to_it<S: Store>(store: S) {
    let world = World::new(store);
    let plan = world.stored_plan().await;
    let archived = Plan { archived_at: Some(later(1)), updated_at: later(1), ..plan.clone() };
    let archive = async |tx: &mut S::Transaction| assert!(tx.change_plan(&archived).await.unwrap());
    let hold = async || world.write(async |tx| tx.hold_plan(plan.id).await).await;
    let (overtaken, held) = world.overtakes(archive, hold).await;
    assert!(!overtaken);
    assert_eq!(held.as_ref(), Some(&archived));
}
