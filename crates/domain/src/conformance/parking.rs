//! A parking store: what use cases commit waits for one commit of the caller's.

use super::world::{World, first_page, noon};
use crate::{
    Branding, Email, NewTenant, Plan, Slug, StoreError, TenantId, TenantName, create_tenant, memory::PlainHasher, ports::*,
};

/// A store whose transactions are parked, and where.
fn parking<S: Store>(store: &S) -> (S, Parking<S::Transaction>) {
    let parking = Parking::new();
    (store.parking(parking.clone()), parking)
}

async fn insert<S: Store>(store: &S, plan: &Plan) {
    let mut tx = store.begin().await.unwrap();
    assert!(tx.insert_plan(plan).await.unwrap());
    tx.commit().await.unwrap();
}

impl<S: Store> World<S> {
    async fn sees(&self, plan: &Plan) -> bool {
        self.read().plan(plan.id).await.unwrap().is_some()
    }
}

/// Nobody sees what is parked before it is committed; then all do. More may be written to it in between.
pub async fn what_is_parked_is_seen_when_it_is_committed_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    let (inside, parking) = parking(&world.store);
    let (first, more) = (world.new_plan(1), world.new_plan(2));
    insert(&inside, &first).await;
    assert!(!world.sees(&first).await);
    assert_eq!(inside.reader().plan(first.id).await.unwrap(), None);
    let mut tx = parking.take().unwrap();
    assert!(tx.insert_plan(&more).await.unwrap());
    assert!(!world.sees(&first).await);
    tx.commit().await.unwrap();
    assert!(world.sees(&first).await && world.sees(&more).await);
    assert!(parking.take().is_none());
}

/// What is parked and dropped leaves no trace, and the store goes on.
pub async fn what_is_parked_and_dropped_leaves_no_trace<S: Store>(store: S) {
    let world = World::new(store);
    let (taken, left, kept) = (world.new_plan(1), world.new_plan(2), world.new_plan(3));
    {
        let (inside, parking) = parking(&world.store);
        insert(&inside, &taken).await;
        drop(parking.take());
        insert(&inside, &left).await;
        // The store and the place go out of use with a transaction still parked.
    }
    insert(&world.store, &kept).await;
    assert!(!world.sees(&taken).await && !world.sees(&left).await && world.sees(&kept).await);
}

/// A transaction that follows a parked one sees its writes, and is committed with it.
pub async fn what_follows_goes_on_inside_what_is_parked<S: Store>(store: S) {
    let world = World::new(store);
    let (inside, parking) = parking(&world.store);
    let plans = [world.new_plan(1), world.new_plan(2), world.new_plan(3)];
    for (number, plan) in plans.iter().enumerate() {
        let mut tx = inside.begin().await.unwrap();
        assert_eq!(tx.plans_page(&PlanFilter::default(), first_page()).await.unwrap().items.len(), number);
        assert!(tx.insert_plan(plan).await.unwrap());
        tx.commit().await.unwrap();
    }
    for plan in &plans {
        assert!(!world.sees(plan).await);
    }
    parking.take().unwrap().commit().await.unwrap();
    for plan in &plans {
        assert!(world.sees(plan).await);
    }
}

/// A transaction that is dropped leaves what is parked as it was; where nothing is, the next begins anew.
pub async fn what_is_dropped_beside_what_is_parked_takes_nothing_along<S: Store>(store: S) {
    let world = World::new(store);
    let (inside, parking) = parking(&world.store);
    let (parked, last) = (world.new_plan(1), world.new_plan(2));
    let drop_one = async || {
        let dropped = world.new_plan(9);
        let mut tx = inside.begin().await.unwrap();
        assert!(tx.insert_plan(&dropped).await.unwrap());
        drop(tx);
        dropped
    };
    let mut dropped = vec![drop_one().await];
    insert(&inside, &parked).await;
    dropped.push(drop_one().await);
    dropped.push(drop_one().await);
    insert(&inside, &last).await;
    dropped.push(drop_one().await);
    parking.take().unwrap().commit().await.unwrap();
    assert!(world.sees(&parked).await && world.sees(&last).await);
    for plan in dropped {
        assert!(!world.sees(&plan).await);
    }
}

/// The same for a transaction that a statement of failed: what is parked can still be added to and committed.
pub async fn what_fails_beside_what_is_parked_takes_nothing_along<S: Store>(store: S) {
    let world = World::new(store);
    let (inside, parking) = parking(&world.store);
    let (parked, after) = (world.new_plan(1), world.new_plan(2));
    insert(&inside, &parked).await;
    let mut tx = inside.begin().await.unwrap();
    let nobody: TenantId = world.id(noon());
    let broken = tx.insert_session(&world.new_session(nobody, noon())).await;
    assert!(matches!(broken, Err(StoreError::Conflict(_))), "{broken:?}");
    drop(tx);
    insert(&inside, &after).await;
    parking.take().unwrap().commit().await.unwrap();
    assert!(world.sees(&parked).await && world.sees(&after).await);
}

/// A use case of several transactions becomes one.
pub async fn a_tenant_is_created_with_its_codes_in_one_commit<S: Store>(store: S) {
    let world = World::new(store);
    let plan = world.new_plan(50);
    insert(&world.store, &plan).await;
    for committed in [false, true] {
        let (inside, parking) = parking(&world.store);
        let new = NewTenant {
            slug: Slug::parse("acme").unwrap(),
            name: TenantName::parse("Acme").unwrap(),
            contact_email: Email::parse("it@acme.example").unwrap(),
            plan_id: plan.id,
            branding: Branding::default(),
        };
        let created = create_tenant(&inside, &world.cx(noon()), &PlainHasher, new).await.unwrap();
        let id = created.tenant.id;
        assert_eq!(created.issued.unwrap().codes.len(), 5);
        assert_eq!(world.read().tenant(id).await.unwrap(), None);
        let parked = parking.take().unwrap();
        if committed {
            parked.commit().await.unwrap();
        } else {
            drop(parked);
        }
        assert_eq!(world.read().tenant(id).await.unwrap().is_some(), committed);
        let codes = world.read().codes_page(id, &CodeFilter::default(), noon(), first_page()).await.unwrap().items;
        assert_eq!(codes.len(), if committed { 5 } else { 0 });
    }
}
