use std::sync::atomic::{AtomicU32, Ordering};

use tenantry_domain::{
    ActivateError, ActivateProject, ActivateWith, Actor, ChangeTenantError, Context, Entropy, Expected, Id, NewProject,
    ProfileChange, ProjectError, ProjectStatus, Refusal, SeededEntropy, SessionId, Slug, SubscriptionState, TenantId, Transition,
    WebhookError, WebhookOwner, activate_project, change_own_profile, change_project, create_project, delete_project,
    hold_webhook_owner, memory::PlainHasher, ports::*, suspend_tenant, transition_project,
};

use crate::support::{Portal, block_on, details, noon};

/// Whether each of the four actions is let through by the subscription: create, activate, change, delete.
async fn allowed(portal: &Portal, tenant: TenantId) -> [bool; 4] {
    let (store, cx) = (&portal.store, &portal.cx(noon()));
    let unknown = Id::from_uuid(uuid::Uuid::from_u128(7));
    let gated = |error: &ProjectError| matches!(error, ProjectError::SubscriptionInactive { .. } | ProjectError::TenantSuspended);
    let create = portal.create_project(tenant, None).await;
    let project = create.as_ref().map_or(unknown, |project| project.id);
    let request = ActivateProject { tenant, project, with: ActivateWith::NextAvailable, guesses: None };
    let activate = activate_project(store, cx, &PlainHasher, &request).await;
    let change = change_project(store, cx, tenant, unknown, details("New").into(), &Expected::Any).await;
    let delete = delete_project(store, cx, tenant, unknown, &Expected::Any).await;
    [
        !create.is_err_and(|error| gated(&error)),
        matches!(activate, Err(ActivateError::Refused(Refusal::NoCodeAvailable))),
        !change.is_err_and(|error| gated(&error)),
        !delete.is_err_and(|error| gated(&error)),
    ]
}

#[test]
fn a_subscription_lets_through_what_its_state_says() {
    block_on(async {
        use SubscriptionState::{Active, Canceled, PastDue, Suspended, Trialing, Unpaid};
        let (everything, nothing) = ([true; 4], [false; 4]);
        let existing = [false, false, true, true];
        let table = [(Active, everything), (Trialing, everything), (PastDue, existing), (Unpaid, nothing), (Canceled, nothing)];
        for (state, expected) in table.into_iter().chain([(Suspended, nothing)]) {
            let portal = Portal::new();
            let tenant = portal.tenant_in(state).await;
            assert_eq!(allowed(&portal, tenant).await, expected, "{state:?}");
        }
    });
}

#[test]
fn a_suspended_tenant_changes_nothing_whatever_it_pays() {
    block_on(async {
        let portal = Portal::new();
        let tenant = portal.tenant_in(SubscriptionState::Active).await;
        suspend_tenant(&portal.store, &portal.cx(noon()), tenant).await.unwrap();
        assert_eq!(allowed(&portal, tenant).await, [false; 4]);
        // Each says so, and nothing of a subscription that is active.
        let (store, cx, unknown) = (&portal.store, &portal.cx(noon()), Id::from_uuid(uuid::Uuid::from_u128(7)));
        let answers = [
            portal.create_project(tenant, None).await.map(drop),
            change_project(store, cx, tenant, unknown, details("New").into(), &Expected::Any).await.map(drop),
            transition_project(store, cx, tenant, unknown, Transition::Pause).await.map(drop),
            delete_project(store, cx, tenant, unknown, &Expected::Any).await,
        ];
        assert!(answers.iter().all(|answer| matches!(answer, Err(ProjectError::TenantSuspended))), "{answers:?}");
        let own = Id::from_uuid(uuid::Uuid::from_u128(7));
        let profile = change_own_profile(store, cx, tenant, own, ProfileChange::default(), &Expected::Any).await;
        assert!(matches!(profile, Err(ChangeTenantError::TenantSuspended)), "{profile:?}");
        let hooks = hold_webhook_owner(&mut store.begin().await.unwrap(), WebhookOwner::Tenant(tenant)).await;
        assert!(matches!(hooks, Err(WebhookError::TenantSuspended)), "{hooks:?}");
    });
}

#[test]
fn a_tenant_that_tries_out_has_one_project_at_a_time() {
    block_on(async {
        let portal = Portal::new();
        let tenant = portal.tenant_in(SubscriptionState::Trialing).await;
        let first = portal.create_project(tenant, None).await.unwrap();
        let second = portal.create_project(tenant, None).await;
        assert!(matches!(second, Err(ProjectError::TrialLimit)), "{second:?}");
        delete_project(&portal.store, &portal.cx(noon()), tenant, first.id, &Expected::Any).await.unwrap();
        portal.create_project(tenant, None).await.unwrap();
    });
}

#[test]
fn a_project_starts_pending_and_says_who_made_it() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let session: SessionId = Id::from_uuid(uuid::Uuid::from_u128(9));
        let cx = Context { actor: Actor::Tenant { tenant, session }, ..portal.cx(noon()) };
        let new = NewProject { slug: None, details: details("Acme Corp") };
        let project = create_project(&portal.store, &cx, tenant, new).await.unwrap();
        assert_eq!((project.status, project.started_at, project.activation_code_id), (ProjectStatus::Pending, None, None));
        assert_eq!(project.created_by, Some(session.to_string()));
        assert!(project.slug.as_str().starts_with("acme-corp-"), "{}", project.slug);
        assert_eq!(portal.store.reader().project(tenant, project.id).await.unwrap(), Some(project));
    });
}

#[test]
fn a_slug_is_taken_within_its_tenant_alone() {
    block_on(async {
        let portal = Portal::new();
        let [(tenant, _), (other, _)] = [portal.tenant("acme").await, portal.tenant("globex").await];
        let project = portal.create_project(tenant, Some("website")).await.unwrap();
        assert_eq!(project.slug, Slug::parse("website").unwrap());
        let again = portal.create_project(tenant, Some("website")).await;
        assert!(matches!(again, Err(ProjectError::SlugTaken)), "{again:?}");
        portal.create_project(other, Some("website")).await.unwrap();
    });
}

#[test]
fn a_refused_transition_names_where_the_project_stands() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let project = portal.create_project(tenant, None).await.unwrap().id;
        let (store, cx) = (&portal.store, &portal.cx(noon()));
        let go = async |transition| transition_project(store, cx, tenant, project, transition).await;
        let refused = async |transition| match go(transition).await {
            Err(ProjectError::InvalidTransition { from }) => Some(from),
            _ => None,
        };
        assert_eq!(refused(Transition::Pause).await, Some(ProjectStatus::Pending));
        let request = ActivateProject { tenant, project, with: ActivateWith::NextAvailable, guesses: None };
        activate_project(store, cx, &PlainHasher, &request).await.unwrap();
        assert_eq!(refused(Transition::Resume).await, Some(ProjectStatus::Active));
        go(Transition::Pause).await.unwrap();
        assert_eq!(refused(Transition::Complete).await, Some(ProjectStatus::Paused));
        go(Transition::Resume).await.unwrap();
        go(Transition::Complete).await.unwrap();
        for transition in [Transition::Pause, Transition::Resume, Transition::Complete] {
            assert_eq!(refused(transition).await, Some(ProjectStatus::Completed), "completed is final");
        }
    });
}

#[test]
fn another_tenants_project_is_as_good_as_missing() {
    block_on(async {
        let portal = Portal::new();
        let [(owner, _), (stranger, _)] = [portal.tenant("acme").await, portal.tenant("globex").await];
        let project = portal.create_project(owner, None).await.unwrap().id;
        let (store, cx) = (&portal.store, &portal.cx(noon()));
        let change = change_project(store, cx, stranger, project, details("Mine").into(), &Expected::Any).await;
        let pause = transition_project(store, cx, stranger, project, Transition::Pause).await;
        let delete = delete_project(store, cx, stranger, project, &Expected::Any).await;
        for refusal in [change.unwrap_err(), pause.unwrap_err(), delete.unwrap_err()] {
            assert!(matches!(refusal, ProjectError::UnknownProject), "{refusal:?}");
        }
        let request = ActivateProject { tenant: stranger, project, with: ActivateWith::NextAvailable, guesses: None };
        let activate = activate_project(store, cx, &PlainHasher, &request).await;
        assert!(matches!(activate, Err(ActivateError::Refused(Refusal::UnknownProject))), "{activate:?}");
    });
}

/// Draws the same suffix of a slug so many times, and then others.
struct Repeating {
    left: AtomicU32,
    others: SeededEntropy,
}

impl Entropy for Repeating {
    fn fill(&self, bytes: &mut [u8]) {
        let is_suffix = bytes.len() == 4;
        let repeats = |left: u32| left.checked_sub(1).filter(|_| is_suffix);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, repeats) {
            Ok(_) => bytes.fill(0),
            Err(_) => self.others.fill(bytes),
        }
    }
}

#[test]
fn a_slug_that_is_drawn_and_taken_is_drawn_again() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let others = SeededEntropy::new(7);
        let entropy = Repeating { left: AtomicU32::new(1), others };
        let create = async |repeats: u32, slug: Option<Slug>| {
            entropy.left.store(repeats, Ordering::Relaxed);
            let cx = Context { entropy: &entropy, ..portal.cx(noon()) };
            create_project(&portal.store, &cx, tenant, NewProject { slug, details: details("Globex") }).await
        };
        assert_eq!(create(1, None).await.unwrap().slug.as_str(), "globex-0000");
        let again = create(7, None).await.unwrap();
        assert!(again.slug.as_str().starts_with("globex-") && again.slug.as_str() != "globex-0000", "{}", again.slug);
        // It ends, and a slug that was named is never replaced.
        assert!(matches!(create(u32::MAX, None).await, Err(ProjectError::SlugTaken)));
        assert!(matches!(create(0, Some(again.slug)).await, Err(ProjectError::SlugTaken)));
    });
}
