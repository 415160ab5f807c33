//! Returns: an activation is undone whole, once, by whoever may; and the ledger adds up whatever races.

use time::Duration;

use super::world::{RACERS, World, first_page, later, noon, race};
use crate::{
    Action, ActivateError, ActivateWith, AuditFilter, BucketKey, Code, Project, ProjectError, ProjectId, ProjectStatus, Rate,
    Redemption, Refusal, ReturnError, ReturnLimits, SubscriptionState, TenantId, Timestamp, Transition, ports::*,
    return_activation, return_own_activation, transition_project,
};

impl<S: Store> World<S> {
    fn limits(&self) -> ReturnLimits {
        let rate = Rate { burst: 3, interval: Duration::HOUR };
        ReturnLimits { grace: Duration::MINUTE, bucket: BucketKey::from_bytes(self.bytes()), rate }
    }

    async fn give_back(&self, project: ProjectId, now: Timestamp) -> Result<Project, ReturnError> {
        return_activation(&self.store, &self.cx(now), project).await
    }

    async fn give_back_own(
        &self,
        tenant: TenantId,
        project: ProjectId,
        limits: &ReturnLimits,
        now: Timestamp,
    ) -> Result<Project, ReturnError> {
        return_own_activation(&self.store, &self.cx(now), tenant, project, limits).await
    }

    /// Every use of a code is a row of the ledger that wasn't returned; every such row with a project keeps it active, paused or completed;
    /// and the month counts as many.
    async fn ledger_adds_up(&self, tenant: TenantId) {
        let mut reader = self.read();
        let codes = reader.codes_page(tenant, &CodeFilter::default(), noon(), first_page::<Code>()).await.unwrap().items;
        let projects = reader.projects_page(tenant, &ProjectFilter::default(), first_page::<Project>()).await.unwrap().items;
        let (mut live, mut uses) = (Vec::new(), 0);
        for code in codes {
            let rows: Vec<Redemption> = reader.redemptions_of_code(tenant, code.id).await.unwrap();
            let kept: Vec<_> = rows.into_iter().filter(|row| row.returned_at.is_none()).collect();
            assert_eq!(code.use_count as usize, kept.len(), "uses of {}", code.id);
            uses += kept.len();
            live.extend(kept.into_iter().filter_map(|row| Some((row.project_id?, code.id))));
        }
        let mut standing: Vec<_> =
            projects.iter().filter_map(|project| Some((project.id, project.activation_code_id?))).collect();
        live.sort_unstable();
        standing.sort_unstable();
        assert_eq!(standing, live, "projects with a code are those that the ledger keeps active");
        for project in projects {
            assert!(project.status != ProjectStatus::Pending || project.activation_code_id.is_none(), "{project:?}");
        }
        assert_eq!(reader.activations_in(tenant, noon().month()).await.unwrap() as usize, uses, "the month's activations");
    }
}

/// A return makes the project pending, gives the code's use and the month's activation back, and says so in the ledger and the audit trail:
/// all of it. From paused too.
pub async fn a_return_gives_back_all_that_the_activation_took<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for transition in [None, Some(Transition::Pause)] {
        let (code, id) = (world.code(tenant, 1).await, world.project(tenant).await);
        world.activate(tenant, id, code.by_text(), later(1)).await.unwrap();
        if let Some(transition) = transition {
            transition_project(&world.store, &world.cx(later(2)), tenant, id, transition).await.unwrap();
        }
        let project = world.give_back(id, later(3)).await.unwrap();
        assert_eq!(project, world.stored_project(tenant, id).await, "the answer is what is stored");
        assert_eq!((project.status, project.activation_code_id, project.started_at), (ProjectStatus::Pending, None, None));
        assert_eq!(project.updated_at, later(3));
        let ledger = world.read().redemptions_of_code(tenant, code.id).await.unwrap();
        assert_eq!(ledger.iter().map(|row| row.returned_at).collect::<Vec<_>>(), [Some(later(3))]);
        assert_eq!(world.stored_code(tenant, code.id).await.use_count, 0);
        assert_eq!(world.read().live_redemption(tenant, id).await.unwrap(), None);
        world.ledger_adds_up(tenant).await;

        // The use that was given back activates again: this project, or another one.
        let next = if transition.is_none() { id } else { world.project(tenant).await };
        world.activate(tenant, next, code.by_text(), later(4)).await.unwrap();
        let latest = world.read().latest_redemption(tenant, next).await.unwrap().unwrap();
        assert_eq!((latest.redeemed_at, latest.returned_at), (later(4), None));
        world.ledger_adds_up(tenant).await;
    }
    let events = world.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
    assert_eq!(events.iter().filter(|event| event.action == Action::ActivationReturned.as_str()).count(), 2);
}

/// The month that an activation was counted in gets it back, in whichever month it is returned.
pub async fn a_return_is_given_to_the_month_of_its_activation<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_on(1, SubscriptionState::Active).await;
    let (code, id) = (world.code(tenant, 1).await, world.project(tenant).await);
    world.activate(tenant, id, code.by_text(), noon()).await.unwrap();
    let next_month = noon().month().end();
    world.give_back(id, next_month).await.unwrap();
    for month in [noon().month(), next_month.month()] {
        assert_eq!(world.read().activations_in(tenant, month).await.unwrap(), 0, "{month}");
    }
    world.activate(tenant, id, code.by_text(), next_month).await.unwrap();
    assert_eq!(world.read().activations_in(tenant, next_month.month()).await.unwrap(), 1);
}

/// Of 32 racing returns of a project one takes place, and all answer the pending project.
pub async fn racing_returns_of_a_project_give_back_once<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 100).await;
    for project in world.projects(tenant, 5).await {
        world.activate(tenant, project, code.by_text(), noon()).await.unwrap();
    }
    let id = world.project(tenant).await;
    world.activate(tenant, id, code.by_text(), noon()).await.unwrap();
    let answers = race(RACERS, async |_| world.give_back(id, later(1)).await.unwrap()).await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.status == ProjectStatus::Pending), "{answers:?}");
    assert_eq!(world.stored_code(tenant, code.id).await.use_count, 5);
    assert_eq!(world.give_back(id, later(9)).await.unwrap(), answers[0], "a repeat changes nothing");
    world.ledger_adds_up(tenant).await;
    let events = world.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
    assert_eq!(events.iter().filter(|event| event.action == Action::ActivationReturned.as_str()).count(), 1);
}

/// Each of the writes that a return makes wins once, and never takes more than there was.
pub async fn racing_writes_of_a_return_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, id) = (world.code(tenant, 9).await, world.project(tenant).await);
    world.activate(tenant, id, code.by_text(), noon()).await.unwrap();
    let row = world.read().live_redemption(tenant, id).await.unwrap().unwrap();
    let month = noon().month();
    assert_eq!(world.winners(async |_, tx| Ok(tx.return_project(tenant, id, later(1)).await?.is_some())).await, 1);
    assert_eq!(world.winners(async |_, tx| tx.return_redemption(tenant, row.id, later(1)).await).await, 1);
    assert_eq!(world.winners(async |_, tx| tx.uncount_activation(tenant, month, later(1)).await).await, 1);
    assert_eq!(world.winners(async |_, tx| tx.uncount_activation(tenant, month.end().month(), later(1)).await).await, 0);
    let returned = Redemption { returned_at: Some(later(1)), ..row };
    assert_eq!(world.read().latest_redemption(tenant, id).await.unwrap(), Some(returned));
}

/// Only a project that a code made active, and that isn't completed, is returned.
pub async fn a_return_that_makes_no_sense_is_refused<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, id) = (world.code(tenant, 1).await, world.project(tenant).await);
    let pending = ProjectStatus::Pending;
    assert!(matches!(world.give_back(id, noon()).await, Err(ReturnError::InvalidTransition { from }) if from == pending));
    world.activate(tenant, id, code.by_text(), noon()).await.unwrap();
    transition_project(&world.store, &world.cx(later(1)), tenant, id, Transition::Complete).await.unwrap();
    let completed = ProjectStatus::Completed;
    assert!(matches!(world.give_back(id, later(2)).await, Err(ReturnError::InvalidTransition { from }) if from == completed));
    let without_code = world.project_in(tenant, ProjectStatus::Active).await;
    assert!(matches!(world.give_back(without_code, noon()).await, Err(ReturnError::NoRedemption)));
    let legacy = Project { status: ProjectStatus::Active, ..world.new_project(None, "legacy", noon()) };
    world.insert_project(&legacy).await;
    assert!(matches!(world.give_back(legacy.id, noon()).await, Err(ReturnError::NoRedemption)));
    assert!(matches!(world.give_back(world.id(noon()), noon()).await, Err(ReturnError::UnknownProject)));
    world
        .write(async |tx| {
            for project in [id, without_code, legacy.id] {
                assert_eq!(tx.return_project(tenant, project, later(3)).await?, None);
            }
            Ok(())
        })
        .await;
    world.ledger_adds_up(tenant).await;
}

/// A tenant returns its own within the time that it has, exclusive, while its subscription lets it change projects; a stranger nothing.
pub async fn a_tenant_returns_its_own_in_time<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let (code, id) = (world.code(tenant, 9).await, world.project(tenant).await);
    let limits = world.limits();
    world.activate(tenant, id, code.by_text(), noon()).await.unwrap();
    let foreign = world.give_back_own(stranger, id, &limits, later(1)).await;
    assert!(matches!(foreign, Err(ReturnError::UnknownProject)), "{foreign:?}");
    let late = world.give_back_own(tenant, id, &limits, later(60)).await;
    assert!(matches!(late, Err(ReturnError::WindowClosed { grace }) if grace == limits.grace), "{late:?}");
    let off = ReturnLimits { grace: Duration::ZERO, ..limits };
    let never = world.give_back_own(tenant, id, &off, noon()).await;
    assert!(matches!(never, Err(ReturnError::WindowClosed { .. })), "{never:?}");
    let last = later(60) - Duration::MICROSECOND;
    let returned = world.give_back_own(tenant, id, &limits, last).await.unwrap();
    assert_eq!(returned.status, ProjectStatus::Pending);
    let again = world.give_back_own(tenant, id, &limits, later(900)).await.unwrap();
    assert_eq!(again, returned, "a repeat is answered, however late");

    world.activate(tenant, id, code.by_text(), later(900)).await.unwrap();
    assert!(world.write(async |tx| tx.set_tenant_suspended(tenant, Some(later(901)), later(901)).await).await);
    let suspended = world.give_back_own(tenant, id, &limits, later(902)).await;
    assert!(matches!(suspended, Err(ReturnError::TenantSuspended)), "{suspended:?}");
    let unpaid = world.tenant_on(5, SubscriptionState::Unpaid).await;
    let project = world.project(unpaid).await;
    let refused = world.give_back_own(unpaid, project, &limits, noon()).await;
    assert!(matches!(refused, Err(ReturnError::SubscriptionInactive { state: SubscriptionState::Unpaid })), "{refused:?}");
    world.give_back(id, later(903)).await.unwrap();
    world.ledger_adds_up(tenant).await;
}

/// Of a tenant's racing returns as many take place as its bucket holds; refused ones and repeats take nothing from it.
pub async fn a_tenant_returns_as_often_as_it_may<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 100).await;
    let projects = world.projects(tenant, 8).await;
    let limits = world.limits();
    let (late, off) = (ReturnLimits { grace: Duration::SECOND, ..limits }, world.project(tenant).await);
    for &project in &projects {
        world.activate(tenant, project, code.by_text(), noon()).await.unwrap();
        assert!(matches!(world.give_back_own(tenant, project, &late, later(2)).await, Err(ReturnError::WindowClosed { .. })));
        assert!(matches!(world.give_back_own(tenant, off, &limits, later(2)).await, Err(ReturnError::InvalidTransition { .. })));
    }
    let answers = race(8, async |racer| world.give_back_own(tenant, projects[racer], &limits, later(2)).await).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3, "{answers:?}");
    for (&project, answer) in projects.iter().zip(&answers) {
        match answer {
            Ok(returned) => {
                let again = world.give_back_own(tenant, project, &limits, later(3)).await;
                assert_eq!(again.unwrap(), *returned, "a repeat costs nothing");
            }
            Err(ReturnError::Limited { retry_after }) => assert_eq!(*retry_after, Duration::HOUR),
            Err(other) => panic!("{other:?}"),
        }
    }
    world.ledger_adds_up(tenant).await;
}

/// Whatever order activations, returns, completions and deletions of the same projects come in, the ledger adds up.
pub async fn the_ledger_adds_up_whatever_races<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 3).await;
    let projects = world.projects(tenant, 4).await;
    for round in 0..6 {
        let now = later(round);
        race(RACERS, async |racer| {
            let project = projects[racer % projects.len()];
            match (racer / projects.len()) % 4 {
                0 | 1 => match world.activate(tenant, project, code.by_text(), now).await {
                    Ok(_) | Err(ActivateError::Refused(Refusal::Exhausted | Refusal::AlreadyActive)) => {}
                    Err(other) => panic!("{other:?}"),
                },
                2 => match world.give_back(project, now).await {
                    Ok(_) | Err(ReturnError::InvalidTransition { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                },
                _ if racer % 8 == 7 && round % 2 == 1 => {
                    let moved = transition_project(&world.store, &world.cx(now), tenant, project, Transition::Complete).await;
                    assert!(matches!(moved, Ok(_) | Err(ProjectError::InvalidTransition { .. })), "{moved:?}");
                }
                _ => match world.activate(tenant, project, ActivateWith::NextAvailable, now).await {
                    Ok(_) | Err(ActivateError::Refused(Refusal::NoCodeAvailable)) => {}
                    Err(other) => panic!("{other:?}"),
                },
            }
        })
        .await;
        world.ledger_adds_up(tenant).await;
    }
}
