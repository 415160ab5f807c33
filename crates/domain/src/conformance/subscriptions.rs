//! Subscriptions: what they entitle to, and that nobody acts on one that is no more.

use super::world::{World, later, noon, race};
use crate::{
    ActivateError, ActivateWith, Entitlement, NewTerms, Plan, Project, Quota, Refusal, SubscriptionState, SubscriptionTerms,
    TenantId, Version, ports::*, resume_tenant, set_subscription, suspend_tenant,
};

impl<S: Store> World<S> {
    async fn terms(&self, tenant: TenantId) -> SubscriptionTerms {
        self.read().subscription(tenant).await.unwrap().unwrap().terms()
    }

    async fn entitled(&self, tenant: TenantId) -> Entitlement {
        self.read().entitlement(tenant).await.unwrap().unwrap()
    }

    async fn confirm(&self, tenant: TenantId, version: Version) -> bool {
        self.write(async |tx| tx.confirm_entitlement(tenant, version).await).await
    }

    async fn set_state(&self, tenant: TenantId, state: SubscriptionState) {
        let plan_id = self.terms(tenant).await.plan_id;
        let new = NewTerms { plan_id, state, current_period_start: None, current_period_end: None };
        set_subscription(&self.store, &self.cx(later(1)), tenant, new, &crate::Expected::Any).await.unwrap();
    }
}

/// A changed subscription is read as it was changed, entitles to what it says then, and moves its tenant's `updated_at` along.
pub async fn a_changed_subscription_entitles_to_its_new_terms<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let plan = Plan { monthly_run_quota: Quota::new(7).unwrap(), ..world.new_plan(1) };
    assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
    let (before, others) = (world.read().subscription(tenant).await.unwrap().unwrap(), world.entitled(other).await);
    for (seconds, state) in (1..).zip(SubscriptionState::ALL) {
        let now = later(seconds);
        let period = (later(60), later(61 + seconds));
        let terms = SubscriptionTerms { plan_id: plan.id, state, current_period_start: period.0, current_period_end: period.1 };
        let changed = world.write(async |tx| tx.change_subscription(tenant, &terms, now).await).await.unwrap();
        assert_eq!(changed.terms(), terms);
        assert_eq!((changed.id, changed.created_at, changed.updated_at), (before.id, before.created_at, now));
        assert_eq!(world.read().subscription(tenant).await.unwrap().as_ref(), Some(&changed));
        let expected = Entitlement {
            state,
            quota: plan.monthly_run_quota,
            suspended_at: None,
            version: changed.version(),
            has_listeners: false,
        };
        assert_eq!(world.entitled(tenant).await, expected);
        assert_eq!(world.write(async |tx| tx.hold_tenant(tenant).await).await, Some(expected));
        assert_eq!(world.read().tenant(tenant).await.unwrap().unwrap().updated_at, now);
    }
    assert_eq!(world.entitled(other).await, others, "another tenant's");
    let (unknown, terms) = (world.id(noon()), world.terms(tenant).await);
    assert_eq!(world.write(async |tx| tx.change_subscription(unknown, &terms, noon()).await).await, None);
}

/// A tenant can't be put on a plan that doesn't exist.
pub async fn a_subscription_is_to_a_plan_that_exists<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let before = world.terms(tenant).await;
    let nowhere = SubscriptionTerms { plan_id: world.id(noon()), ..before };
    assert!(world.try_write(async |tx| tx.change_subscription(tenant, &nowhere, later(1)).await).await.is_err());
    assert_eq!(world.terms(tenant).await, before);
}

/// What a tenant is entitled to is confirmed until its subscription changes, or it is suspended or resumed.
pub async fn an_entitlement_is_confirmed_while_it_stands<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let others = world.entitled(other).await;
    for change in 0..3 {
        let seen = world.entitled(tenant).await;
        assert!(world.confirm(tenant, seen.version).await);
        match change {
            0 => world.set_state(tenant, SubscriptionState::PastDue).await,
            1 => suspend_tenant(&world.store, &world.cx(later(1)), tenant).await.unwrap(),
            _ => resume_tenant(&world.store, &world.cx(later(1)), tenant).await.unwrap(),
        }
        assert!(!world.confirm(tenant, seen.version).await);
        assert!(world.confirm(other, others.version).await, "another tenant's");
    }
    assert!(!world.confirm(world.id(noon()), others.version).await);
}

/// Whoever changes a subscription, or suspends its tenant, waits for those who have confirmed it: they come before the change.
pub async fn a_subscription_changes_behind_those_who_confirmed_it<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for change in [true, false] {
        let seen = world.entitled(tenant).await;
        let confirm = async |tx: &mut S::Transaction| assert!(tx.confirm_entitlement(tenant, seen.version).await.unwrap());
        let change = async || match change {
            true => world.set_state(tenant, SubscriptionState::PastDue).await,
            false => suspend_tenant(&world.store, &world.cx(later(1)), tenant).await.unwrap(),
        };
        assert!(!world.overtakes(confirm, change).await.0);
        assert!(!world.confirm(tenant, seen.version).await);
    }
}

/// Whoever confirms a subscription while it is being changed waits, and learns that it is no more.
pub async fn a_subscription_that_is_being_changed_is_not_confirmed<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let terms = SubscriptionTerms { state: SubscriptionState::Unpaid, ..world.terms(tenant).await };
    let seen = world.entitled(tenant).await;
    let change =
        async |tx: &mut S::Transaction| assert!(tx.change_subscription(tenant, &terms, later(1)).await.unwrap().is_some());
    let confirm = async || world.confirm(tenant, seen.version).await;
    assert_eq!(world.overtakes(change, confirm).await, (false, false));

    let seen = world.entitled(tenant).await;
    let suspend = async |tx: &mut S::Transaction| {
        assert!(tx.set_tenant_suspended(tenant, Some(later(2)), later(2)).await.unwrap());
    };
    let confirm = async || world.confirm(tenant, seen.version).await;
    assert_eq!(world.overtakes(suspend, confirm).await, (false, false));
}

/// Those who have confirmed one subscription don't wait for each other.
pub async fn a_subscription_is_confirmed_by_many<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let version = world.entitled(tenant).await.version;
    assert_eq!(world.winners(async |_, tx| tx.confirm_entitlement(tenant, version).await).await, super::world::RACERS);
}

/// Once a change of a tenant's subscription is committed, none of its activations is that began before and hasn't seen it.
pub async fn no_activation_comes_behind_a_change_that_forbids_it<S: Store>(store: S) {
    let world = World::new(store);
    for suspend in [false, true] {
        let tenant = world.tenant().await;
        let code = world.code(tenant, 100).await;
        let projects = world.projects(tenant, 31).await;
        let uses = async || world.read().count_holdings(tenant).await.unwrap().unwrap().live_redemptions;
        let answers = race(32, async |racer| {
            if racer == 12 {
                match suspend {
                    true => suspend_tenant(&world.store, &world.cx(later(1)), tenant).await.unwrap(),
                    false => world.set_state(tenant, SubscriptionState::PastDue).await,
                }
                return Err(uses().await);
            }
            let project = projects[racer.min(30)];
            let with = if racer % 2 == 0 { code.by_text() } else { ActivateWith::CodeId(code.id) };
            Ok(world.activate(tenant, project, with, later(1)).await)
        })
        .await;
        let activated = |answer: &Result<Result<Project, ActivateError>, u64>| match answer {
            Ok(Ok(_)) => true,
            Ok(Err(ActivateError::Refused(Refusal::SubscriptionInactive { .. } | Refusal::TenantSuspended))) | Err(_) => false,
            Ok(Err(refusal)) => panic!("{refusal:?}"),
        };
        let won = answers.iter().filter(|answer| activated(answer)).count() as u64;
        let when_it_was_changed = answers.iter().find_map(|answer| answer.as_ref().err().copied()).unwrap();
        let last = uses().await;
        assert_eq!(last, when_it_was_changed, "activations that are committed when the change is, and in the end");
        // The one project that two racers share is activated once, and answered twice.
        assert!(won == last || won == last + 1, "{won} answered, {last} in the ledger");
        assert_eq!(u64::from(world.read().activations_in(tenant, noon().month()).await.unwrap()), last);
    }
}
