//! Plans, tenants and subscriptions: their fields, their names, what they entitle to.

use super::world::{RACERS, World, later, noon, race};
use crate::{
    Branding, DomainName, Email, Entitlement, HexColor, HttpsUrl, NewProject, Plan, PlanName, ProjectError, Quota, Slug,
    SubscriptionState, Tenant, TenantName, create_project, ports::*,
};

/// Every field of a plan is read as it was written.
pub async fn a_plan_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let archived = Plan { archived_at: Some(later(1)), updated_at: later(1), ..world.new_plan(i64::from(Quota::MAX)) };
    let named = Plan { name: PlanName::parse("Größe „XL“").unwrap(), ..world.new_plan(1) };
    for plan in [archived, named] {
        assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
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

/// Every field of a tenant is read as it was written, by its identifier and by its slug.
pub async fn a_tenant_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let bare = world.new_tenant("bare", noon());
    let full = Tenant {
        name: TenantName::parse("Ärztehaus „Süd“ & Co; --").unwrap(),
        contact_email: Email::parse("O'Neill+codes@acme.example").unwrap(),
        branding: Branding {
            logo_url: Some(HttpsUrl::parse("https://cdn.example.com/logo.svg?v=1").unwrap()),
            primary_color: Some(HexColor::parse("#1a2b3c").unwrap()),
            domain: Some(DomainName::parse("portal.example.com").unwrap()),
        },
        suspended_at: Some(later(1)),
        updated_at: later(1),
        ..world.new_tenant("full", noon())
    };
    for tenant in [bare, full] {
        assert!(world.write(async |tx| tx.insert_tenant(&tenant).await).await);
        assert_eq!(world.read().tenant(tenant.id).await.unwrap().as_ref(), Some(&tenant));
        assert_eq!(world.read().tenant_by_slug(&tenant.slug).await.unwrap(), Some(tenant));
    }
    assert_eq!(world.read().tenant(world.id(noon())).await.unwrap(), None);
    assert_eq!(world.read().tenant_by_slug(&Slug::parse("nobody").unwrap()).await.unwrap(), None);
}

/// Of 32 racing tenants with one slug one is stored.
pub async fn racing_tenants_with_one_slug_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let insert = async |_, tx: &mut S::Transaction| tx.insert_tenant(&world.new_tenant("acme", noon())).await;
    assert_eq!(world.winners(insert).await, 1);
}

/// A subscription is read as it was written, and entitles to its state and its plan's quota, also while the tenant is held or locked.
pub async fn a_subscription_entitles_to_its_plan<S: Store>(store: S) {
    let world = World::new(store);
    for (quota, state) in (1..).zip(SubscriptionState::ALL) {
        let (plan, tenant) = (world.new_plan(quota), world.new_tenant(&format!("tenant-{quota}"), noon()));
        let subscription = world.new_subscription(tenant.id, &plan, state);
        world
            .write(async |tx| {
                assert!(tx.insert_plan(&plan).await?);
                assert!(tx.insert_tenant(&tenant).await?);
                assert_eq!(tx.hold_tenant(tenant.id).await?, None, "without a subscription");
                tx.insert_subscription(&subscription).await
            })
            .await;
        let expected = Some(Entitlement { state, quota: plan.monthly_run_quota, suspended_at: None });
        assert_eq!(world.read().subscription(tenant.id).await.unwrap(), Some(subscription));
        assert_eq!(world.read().entitlement(tenant.id).await.unwrap(), expected);
        assert_eq!(world.write(async |tx| tx.hold_tenant(tenant.id).await).await, expected);
        assert_eq!(world.write(async |tx| tx.lock_tenant(tenant.id).await).await, expected);
    }
    let unknown = world.id(noon());
    assert_eq!(world.read().entitlement(unknown).await.unwrap(), None);
    assert_eq!(world.write(async |tx| tx.hold_tenant(unknown).await).await, None);
    assert_eq!(world.write(async |tx| tx.lock_tenant(unknown).await).await, None);
}

/// A tenant has one subscription; a second is refused.
pub async fn a_tenant_has_one_subscription<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let first = world.read().subscription(tenant).await.unwrap();
    let plan = world.new_plan(5);
    assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
    let second = world.new_subscription(tenant, &plan, SubscriptionState::Trialing);
    assert!(world.try_write(async |tx| tx.insert_subscription(&second).await).await.is_err());
    assert_eq!(world.read().subscription(tenant).await.unwrap(), first);
}

/// Of 32 racing suspensions of a tenant one succeeds, and so of 32 that let it go on.
pub async fn racing_suspensions_of_a_tenant_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for (now, suspended_at) in [(later(1), Some(later(1))), (later(2), None), (later(3), Some(later(3)))] {
        let set = async |_, tx: &mut S::Transaction| tx.set_tenant_suspended(tenant, suspended_at, now).await;
        assert_eq!(world.winners(set).await, 1);
        assert!(!world.write(async |tx| tx.set_tenant_suspended(tenant, suspended_at.map(|_| later(9)), later(9)).await).await);
        let stored = world.read().tenant(tenant).await.unwrap().unwrap();
        assert_eq!((stored.suspended_at, stored.updated_at), (suspended_at, now));
        assert_eq!(world.read().entitlement(tenant).await.unwrap().unwrap().suspended_at, suspended_at);
    }
    let unknown = world.id(noon());
    assert!(!world.write(async |tx| tx.set_tenant_suspended(unknown, Some(noon()), noon()).await).await);
}

/// Of 32 racing projects of a tenant that is trying out, one is made: locking a tenant decides what no single write can.
pub async fn racing_projects_of_a_trial_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_on(10, SubscriptionState::Trialing).await;
    let answers = race(RACERS, async |_| {
        let new = NewProject { slug: None, details: super::fixtures::details("Client") };
        create_project(&world.store, &world.cx(noon()), tenant, new).await
    })
    .await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ProjectError::TrialLimit))), "{answers:?}");
    assert_eq!(answers.iter().flatten().count(), 1);
    assert_eq!(world.read().count_projects(tenant).await.unwrap(), 1);
}
