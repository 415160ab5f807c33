//! Tenants and their subscriptions: their fields, their names, what they entitle to.

use super::world::{RACERS, World, first_page, later, noon, race};
use crate::{
    Branding, DomainName, Email, Entitlement, Expected, HexColor, Holdings, HttpsUrl, NewProject, PageRequest, ProjectError,
    Redemption, Slug, SubscriptionState, Tenant, TenantName, create_project, ports::*,
};

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

/// Several tenants are read at once: those that there are, suspended or not, each once, however often it is named.
pub async fn tenants_are_read_together<S: Store>(store: S) {
    let world = World::new(store);
    let mut wanted = Vec::new();
    for number in 0..40 {
        let tenant =
            Tenant { suspended_at: (number % 2 == 0).then(|| later(1)), ..world.new_tenant(&format!("tenant-{number}"), noon()) };
        assert!(world.write(async |tx| tx.insert_tenant(&tenant).await).await);
        wanted.push(tenant);
    }
    let left_out = wanted.pop().unwrap().id;
    let mut ids: Vec<_> = wanted.iter().map(|tenant| tenant.id).collect();
    ids.extend([wanted[3].id, world.id(noon())]);
    let mut read = world.read().tenants_by_ids(&ids).await.unwrap();
    read.sort_unstable_by_key(|tenant| tenant.id);
    wanted.sort_unstable_by_key(|tenant| tenant.id);
    assert_eq!(read, wanted);
    assert!(read.iter().all(|tenant| tenant.id != left_out));
    assert_eq!(world.read().tenants_by_ids(&[]).await.unwrap(), []);
    assert_eq!(world.read().tenants_by_ids(&[world.id(noon())]).await.unwrap(), []);
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
        let version = subscription.version();
        let expected =
            Some(Entitlement { state, quota: plan.monthly_run_quota, suspended_at: None, version, has_listeners: false });
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

/// Filters narrow a list of tenants one by one and together.
pub async fn tenants_are_found_by_plan_state_and_suspension<S: Store>(store: S) {
    let world = World::new(store);
    let plans = [world.new_plan(1), world.new_plan(2)];
    let mut made = Vec::new();
    for (place, plan) in plans.iter().enumerate() {
        assert!(world.write(async |tx| tx.insert_plan(plan).await).await);
        for state in SubscriptionState::ALL {
            for suspended in [false, true] {
                let slug = format!("{}-{place}-{suspended}", state.as_str().replace('_', "-"));
                let tenant = Tenant { suspended_at: suspended.then(noon), ..world.new_tenant(&slug, noon()) };
                let subscription = world.new_subscription(tenant.id, plan, state);
                world
                    .write(async |tx| {
                        assert!(tx.insert_tenant(&tenant).await?);
                        tx.insert_subscription(&subscription).await
                    })
                    .await;
                made.push((tenant.id, plan.id, state, suspended, slug));
            }
        }
    }
    let mut filters = vec![TenantFilter::default()];
    for filter in filters.clone() {
        filters.extend(plans.iter().map(|plan| TenantFilter { plan_id: Some(plan.id), ..filter.clone() }));
    }
    for filter in filters.clone() {
        filters.extend(SubscriptionState::ALL.map(|state| TenantFilter { state: Some(state), ..filter.clone() }));
    }
    for filter in filters.clone() {
        filters.extend([true, false].map(|suspended| TenantFilter { suspended: Some(suspended), ..filter.clone() }));
    }
    for filter in filters.clone() {
        filters.extend(["AL", "-1-"].map(|search| TenantFilter { search: Some(search.to_owned()), ..filter.clone() }));
    }
    for filter in filters {
        let mut expected: Vec<_> = made
            .iter()
            .filter(|(_, plan, state, suspended, slug)| {
                filter.plan_id.is_none_or(|wanted| *plan == wanted)
                    && filter.state.is_none_or(|wanted| *state == wanted)
                    && filter.suspended.is_none_or(|wanted| *suspended == wanted)
                    && filter.search.as_ref().is_none_or(|wanted| slug.contains(&wanted.to_lowercase()))
            })
            .map(|(id, ..)| *id)
            .collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let request = PageRequest { count: true, ..first_page() };
        let page = world.read().tenants_page(&filter, request).await.unwrap();
        assert_eq!(page.items.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(page.total, Some(expected.len() as u64));
    }
}

/// What a tenant owns is counted, whatever others own.
pub async fn what_a_tenant_owns_is_counted<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let holdings = async |tenant| world.read().count_holdings(tenant).await.unwrap();
    assert_eq!(holdings(tenant).await, Some(Holdings::default()));
    let code = world.code(tenant, 5).await;
    world.code(tenant, 1).await;
    let projects = world.projects(tenant, 3).await;
    for &project in &projects[..2] {
        world.activate(tenant, project, code.by_text(), noon()).await.unwrap();
    }
    let ended = world.session(tenant, noon()).await;
    world.session(tenant, noon()).await;
    let returned = Redemption {
        id: world.id(noon()),
        tenant_id: tenant,
        activation_code_id: Some(code.id),
        project_id: Some(projects[2]),
        redeemed_at: noon(),
        returned_at: Some(later(1)),
    };
    world
        .write(async |tx| {
            tx.insert_redemption(&returned).await?;
            assert!(tx.revoke_session(tenant, ended.id, later(1)).await?);
            Ok(())
        })
        .await;
    let expected = Holdings { projects: 3, codes: 2, sessions: 2, live_redemptions: 2, returned_redemptions: 1 };
    assert_eq!(holdings(tenant).await, Some(expected));
    assert_eq!(holdings(other).await, Some(Holdings::default()));
    assert_eq!(holdings(world.id(noon())).await, None);
    assert!(world.write(async |tx| tx.delete_tenant(tenant, &Expected::Any).await).await);
    assert_eq!(holdings(tenant).await, None);
}
