//! Editing: every change gives a row another version, and of two editors who saw the same one the second is refused.

use super::{
    fixtures::details,
    world::{RACERS, World, later, noon, race},
};
use crate::{
    ActivateWith, Branding, ChangeTenantError, DomainName, Email, Expected, HexColor, HttpsUrl, ManagePlanError,
    ManageTenantError, NewTerms, Plan, PlanChange, PlanId, PlanName, ProfileChange, ProjectError, ProjectId, Quota,
    SetSubscriptionError, Subscription, SubscriptionState, Tenant, TenantId, TenantName, TenantProfile, Transition, Version,
    archive_plan, change_plan, change_project, change_tenant, delete_plan, delete_project, delete_tenant, ports::*, restore_plan,
    resume_tenant, return_activation, set_subscription, suspend_tenant, transition_project,
};

/// How often editors race: once in a while they come one by one.
const ROUNDS: usize = 4;

impl<S: Store> World<S> {
    async fn plan_now(&self, id: PlanId) -> Plan {
        self.read().plan(id).await.unwrap().unwrap()
    }

    async fn tenant_now(&self, id: TenantId) -> Tenant {
        self.read().tenant(id).await.unwrap().unwrap()
    }

    async fn subscription_now(&self, tenant: TenantId) -> Subscription {
        self.read().subscription(tenant).await.unwrap().unwrap()
    }

    async fn edit_plan(&self, id: PlanId, expected: &Expected) -> Result<Plan, ManagePlanError> {
        let name = PlanName::parse(&format!("Edited {}", self.number())).unwrap();
        let change = PlanChange { name: Some(name), monthly_run_quota: None };
        change_plan(&self.store, &self.cx(noon()), id, change, expected).await
    }

    async fn edit_tenant(&self, id: TenantId, expected: &Expected) -> Result<Tenant, ChangeTenantError> {
        let name = TenantName::parse(&format!("Edited {}", self.number())).unwrap();
        let change = ProfileChange { name: Some(name), ..ProfileChange::default() };
        change_tenant(&self.store, &self.cx(noon()), id, change, expected).await
    }

    async fn edit_subscription(&self, tenant: TenantId, expected: &Expected) -> Result<Subscription, SetSubscriptionError> {
        let end = later(i64::from(self.number()) + 1);
        let (plan_id, state) = (self.subscription_now(tenant).await.plan_id, SubscriptionState::Active);
        let new = NewTerms { plan_id, state, current_period_start: Some(noon()), current_period_end: Some(end) };
        set_subscription(&self.store, &self.cx(noon()), tenant, new, expected).await
    }

    async fn edit_project(&self, tenant: TenantId, id: ProjectId, expected: &Expected) -> Result<Version, ProjectError> {
        let change = details(&format!("Edited {}", self.number())).into();
        change_project(&self.store, &self.cx(noon()), tenant, id, change, expected).await.map(|project| project.version())
    }
}

/// Versions that must follow each other.
struct Versions(Vec<Version>);

impl Versions {
    fn follow(&mut self, version: Version) {
        assert!(self.0.last().is_none_or(|last| *last < version), "{version} comes after {:?}", self.0);
        self.0.push(version);
    }
}

/// Each change moves its row's version on, though the clock stands still.
pub async fn every_change_moves_the_version_on<S: Store>(store: S) {
    let world = World::new(store);
    let (store, cx, any) = (&world.store, &world.cx(noon()), &Expected::Any);
    let tenant = world.tenant().await;
    let plan = world.subscription_now(tenant).await.plan_id;

    let mut plans = Versions(vec![world.plan_now(plan).await.version()]);
    plans.follow(world.edit_plan(plan, any).await.unwrap().version());
    plans.follow(archive_plan(store, cx, plan).await.unwrap().version());
    plans.follow(restore_plan(store, cx, plan).await.unwrap().version());
    assert_eq!(plans.0.last(), Some(&world.plan_now(plan).await.version()));

    let mut tenants = Versions(vec![world.tenant_now(tenant).await.version()]);
    let mut subscriptions = Versions(vec![world.subscription_now(tenant).await.version()]);
    tenants.follow(world.edit_tenant(tenant, any).await.unwrap().version());
    subscriptions.follow(world.edit_subscription(tenant, any).await.unwrap().version());
    tenants.follow(world.tenant_now(tenant).await.version());
    suspend_tenant(store, cx, tenant).await.unwrap();
    subscriptions.follow(world.subscription_now(tenant).await.version());
    tenants.follow(world.tenant_now(tenant).await.version());
    resume_tenant(store, cx, tenant).await.unwrap();
    subscriptions.follow(world.subscription_now(tenant).await.version());
    tenants.follow(world.tenant_now(tenant).await.version());

    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    let mut projects = Versions(vec![world.stored_project(tenant, project).await.version()]);
    projects.follow(world.edit_project(tenant, project, any).await.unwrap());
    projects.follow(world.activate(tenant, project, ActivateWith::CodeId(code.id), noon()).await.unwrap().version());
    for step in [Transition::Pause, Transition::Resume, Transition::Complete] {
        projects.follow(transition_project(store, cx, tenant, project, step).await.unwrap().version());
    }
    assert_eq!(projects.0.last(), Some(&world.stored_project(tenant, project).await.version()));
    let returned = world.project(tenant).await;
    let mut versions = Versions(vec![world.stored_project(tenant, returned).await.version()]);
    let code = world.code(tenant, 1).await;
    versions.follow(world.activate(tenant, returned, ActivateWith::CodeId(code.id), noon()).await.unwrap().version());
    versions.follow(return_activation(store, cx, returned).await.unwrap().version());
}

/// A change that changes nothing leaves the version as it is, and the audit trail too.
pub async fn a_change_of_nothing_is_none<S: Store>(store: S) {
    let world = World::new(store);
    let (store, cx, any) = (&world.store, &world.cx(later(1)), &Expected::Any);
    let tenant = world.tenant().await;
    let project = world.stored_project(tenant, world.project(tenant).await).await;
    let (owner, subscription) = (world.tenant_now(tenant).await, world.subscription_now(tenant).await);
    let plan = world.plan_now(subscription.plan_id).await;

    let same = PlanChange { name: Some(plan.name.clone()), monthly_run_quota: Some(plan.monthly_run_quota) };
    assert_eq!(change_plan(store, cx, plan.id, same, any).await.unwrap(), plan);
    let same = ProfileChange { name: Some(owner.name.clone()), domain: Some(None), ..ProfileChange::default() };
    assert_eq!(change_tenant(store, cx, tenant, same, any).await.unwrap(), owner);
    let (plan_id, state) = (plan.id, subscription.state);
    let same = NewTerms { plan_id, state, current_period_start: None, current_period_end: None };
    assert_eq!(set_subscription(store, cx, tenant, same, any).await.unwrap(), subscription);
    assert_eq!(change_project(store, cx, tenant, project.id, project.details.clone().into(), any).await.unwrap(), project);

    assert_eq!(world.plan_now(plan.id).await, plan);
    assert_eq!(world.tenant_now(tenant).await, owner);
    assert_eq!(world.subscription_now(tenant).await, subscription);
    assert_eq!(world.stored_project(tenant, project.id).await, project);
    assert!(world.audited(tenant).await.is_empty());
}

/// Of 32 racing editors of a plan who saw the same version one succeeds.
pub async fn racing_editors_of_a_plan_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let plan = world.subscription_now(world.tenant().await).await.plan_id;
    for _ in 0..ROUNDS {
        let seen = Expected::OneOf(vec![world.plan_now(plan).await.version()]);
        let answers = race(RACERS, async |_| world.edit_plan(plan, &seen).await).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ManagePlanError::ChangedMeanwhile))), "{answers:?}");
        assert_eq!(answers.iter().flatten().count(), 1);
    }
}

/// Of 32 racing editors of a tenant who saw the same version one succeeds.
pub async fn racing_editors_of_a_tenant_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for _ in 0..ROUNDS {
        let seen = Expected::OneOf(vec![world.tenant_now(tenant).await.version()]);
        let answers = race(RACERS, async |_| world.edit_tenant(tenant, &seen).await).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ChangeTenantError::ChangedMeanwhile))), "{answers:?}");
        assert_eq!(answers.iter().flatten().count(), 1);
    }
}

/// Of 32 racing editors of a subscription who saw the same version one succeeds.
pub async fn racing_editors_of_a_subscription_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for _ in 0..ROUNDS {
        let seen = Expected::OneOf(vec![world.subscription_now(tenant).await.version()]);
        let answers = race(RACERS, async |_| world.edit_subscription(tenant, &seen).await).await;
        let known = |answer: &Result<_, _>| matches!(answer, Ok(_) | Err(SetSubscriptionError::ChangedMeanwhile));
        assert!(answers.iter().all(known), "{answers:?}");
        assert_eq!(answers.iter().flatten().count(), 1);
    }
}

/// Of 32 racing editors of a project who saw the same version one succeeds.
pub async fn racing_editors_of_a_project_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let project = world.project(tenant).await;
    for _ in 0..ROUNDS {
        let seen = Expected::OneOf(vec![world.stored_project(tenant, project).await.version()]);
        let answers = race(RACERS, async |_| world.edit_project(tenant, project, &seen).await).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ProjectError::ChangedMeanwhile))), "{answers:?}");
        assert_eq!(answers.iter().flatten().count(), 1);
    }
}

/// Of racing edits and deletions of one version, one takes place: nothing is deleted that its deleter hasn't seen.
pub async fn a_deletion_that_races_an_edit_is_meant_for_what_it_saw<S: Store>(store: S) {
    let world = World::new(store);
    for _ in 0..4 {
        let tenant = world.tenant().await;
        let (plan, project) = (world.new_plan(1), world.project(tenant).await);
        assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
        let stored = world.stored_project(tenant, project).await;
        let [of_plan, of_tenant, of_project] = [plan.version(), world.tenant_now(tenant).await.version(), stored.version()]
            .map(|version| Expected::OneOf(vec![version]));
        let (store, cx) = (&world.store, &world.cx(later(1)));
        let won = race(4, async |racer| {
            let edit = racer % 2 == 0;
            let of_plan = match edit {
                true => world.edit_plan(plan.id, &of_plan).await.map(drop),
                false => delete_plan(store, cx, plan.id, &of_plan).await,
            };
            assert!(matches!(of_plan, Ok(()) | Err(ManagePlanError::ChangedMeanwhile | ManagePlanError::UnknownPlan)));
            let of_project = match edit {
                true => world.edit_project(tenant, project, &of_project).await.map(drop),
                false => delete_project(store, cx, tenant, project, &of_project).await,
            };
            assert!(matches!(of_project, Ok(()) | Err(ProjectError::ChangedMeanwhile | ProjectError::UnknownProject)));
            [of_plan.is_ok(), of_project.is_ok()].map(usize::from)
        })
        .await;
        let sums = won.iter().fold([0; 2], |sums, won| [sums[0] + won[0], sums[1] + won[1]]);
        assert_eq!(sums, [1, 1]);
        let won = race(4, async |racer| match racer % 2 == 0 {
            true => world.edit_tenant(tenant, &of_tenant).await.is_ok(),
            false => match delete_tenant(store, cx, tenant, &of_tenant).await {
                Ok(()) => true,
                Err(ManageTenantError::ChangedMeanwhile | ManageTenantError::UnknownTenant) => false,
                Err(failure) => panic!("{failure:?}"),
            },
        })
        .await;
        assert_eq!(won.into_iter().filter(|&won| won).count(), 1);
    }
}

/// A changed tenant is read as it was changed, found by its new name, and keeps what can't be changed.
pub async fn a_changed_tenant_is_read_as_it_was_changed<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (before, others) = (world.tenant_now(tenant).await, world.tenant_now(other).await);
    let full = TenantProfile {
        name: TenantName::parse("Ärztehaus „Süd“ & Co; --").unwrap(),
        contact_email: Email::parse("O'Neill+codes@acme.example").unwrap(),
        branding: Branding {
            logo_url: Some(HttpsUrl::parse("https://cdn.example.com/logo.svg?v=1").unwrap()),
            primary_color: Some(HexColor::parse("#1a2b3c").unwrap()),
            domain: Some(DomainName::parse("portal.example.com").unwrap()),
        },
    };
    let bare = TenantProfile { branding: Branding::default(), ..full.clone() };
    for (seconds, profile) in [(1, full), (2, bare)] {
        let changed = world.write(async |tx| tx.change_tenant(tenant, &profile, later(seconds)).await).await.unwrap();
        let TenantProfile { name, contact_email, branding } = profile;
        assert_eq!(changed, Tenant { name, contact_email, branding, updated_at: later(seconds), ..before.clone() });
        assert_eq!(world.tenant_now(tenant).await, changed);
    }
    let found = async |search: &str| {
        let filter = TenantFilter { search: Some(search.to_owned()), ..TenantFilter::default() };
        let tenants = world.read().tenants_page(&filter, super::world::first_page()).await.unwrap().items;
        tenants.into_iter().map(|tenant| tenant.id).collect::<Vec<_>>()
    };
    assert_eq!(found("ärzteHAUS").await, [tenant]);
    assert_eq!(found(before.slug.as_str()).await, [tenant]);
    assert_eq!(found(before.name.as_str()).await, [other]);
    assert_eq!(world.tenant_now(other).await, others, "another tenant");
    let unknown = world.id(noon());
    assert_eq!(world.write(async |tx| tx.change_tenant(unknown, &before.profile(), noon()).await).await, None);
}

/// Whoever changes a tenant waits for those who locked it by its slug to send it a password, and they for it: they see the new address.
pub async fn who_locks_a_tenant_by_its_slug_sees_its_address<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_now(world.tenant().await).await;
    let profile = TenantProfile { contact_email: Email::parse("new@acme.example").unwrap(), ..tenant.profile() };
    let lock = async |tx: &mut S::Transaction| {
        assert_eq!(tx.lock_tenant_by_slug(&tenant.slug).await.unwrap().as_ref(), Some(&tenant));
    };
    let change = async || world.write(async |tx| tx.change_tenant(tenant.id, &profile, later(1)).await).await;
    assert!(!world.overtakes(lock, change).await.0);

    let again = TenantProfile { contact_email: Email::parse("newer@acme.example").unwrap(), ..tenant.profile() };
    let change = async |tx: &mut S::Transaction| {
        assert!(tx.change_tenant(tenant.id, &again, later(2)).await.unwrap().is_some());
    };
    let lock = async || world.write(async |tx| tx.lock_tenant_by_slug(&tenant.slug).await).await;
    let (overtaken, locked) = world.overtakes(change, lock).await;
    assert_eq!((overtaken, locked.unwrap().contact_email), (false, again.contact_email.clone()));
    let nobody = crate::Slug::parse("nobody").unwrap();
    assert_eq!(world.write(async |tx| tx.lock_tenant_by_slug(&nobody).await).await, None);
}

/// A quota that was lowered holds from the next activation on.
pub async fn a_lowered_quota_holds_from_the_next_activation_on<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let plan = world.subscription_now(tenant).await.plan_id;
    let (code, projects) = (world.code(tenant, 9).await, world.projects(tenant, 4).await);
    let set = async |quota| {
        let change = PlanChange { name: None, monthly_run_quota: Some(Quota::new(quota).unwrap()) };
        change_plan(&world.store, &world.cx(noon()), plan, change, &Expected::Any).await.unwrap();
    };
    let activate = async |number: usize| world.activate(tenant, projects[number], code.by_text(), noon()).await.is_ok();
    assert!(activate(0).await && activate(1).await);
    set(1).await;
    assert!(!activate(2).await, "two are activated already");
    set(3).await;
    assert!(activate(2).await);
    assert!(!activate(3).await);
}
