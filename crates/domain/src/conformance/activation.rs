//! A code activates as many projects as it may, and each exactly once, however many callers race.

use std::collections::BTreeSet;

use super::world::{RACERS, World, first_page, later, noon, race};
use crate::{
    Action, ActivateError, ActivateWith, AuditFilter, CodeOrder, ProjectStatus, Redemption, Refusal, Target, Transition,
    ports::*, transition_project,
};

/// An activation starts the project, uses the code, writes the ledger, counts the month and audits: all of it.
pub async fn an_activation_writes_all_that_belongs_to_it<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, id) = (world.code(tenant, 1).await, world.project(tenant).await);
    let project = world.activate(tenant, id, code.by_text(), later(1)).await.unwrap();

    assert_eq!(project, world.stored_project(tenant, id).await, "the answer is what is stored");
    assert_eq!((project.status, project.activation_code_id), (ProjectStatus::Active, Some(code.id)));
    assert_eq!((project.started_at, project.completed_at, project.updated_at), (Some(later(1)), None, later(1)));

    let used = world.stored_code(tenant, code.id).await;
    assert_eq!((used.use_count, used.used_at, used.updated_at), (1, Some(later(1)), later(1)));

    let ledger = world.read().redemptions_of_code(tenant, code.id).await.unwrap();
    let [row] = ledger.as_slice() else { panic!("one use is one row of the ledger: {ledger:?}") };
    let expected = Redemption {
        id: row.id,
        tenant_id: tenant,
        activation_code_id: Some(code.id),
        project_id: Some(id),
        redeemed_at: later(1),
        returned_at: None,
    };
    assert_eq!(row, &expected);
    assert_eq!(world.read().live_redemption(tenant, id).await.unwrap().as_ref(), Some(row));
    assert_eq!(world.read().activations_in(tenant, later(1).month()).await.unwrap(), 1);

    let events = world.read().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
    let activated = events.iter().find(|event| event.action == Action::ProjectActivated.as_str()).unwrap();
    assert_eq!(activated.target, Some(Target::Project(id).to_string()));
}

/// Of 32 racing activations of a code for one project, one wins; the others are told that it was used.
pub async fn racing_activations_of_a_single_use_code_have_one_winner<S: Store>(store: S) {
    has_as_many_winners_as_uses(store, 1).await;
}

/// Of 32 racing activations of a code for three projects, three win.
pub async fn racing_activations_of_a_code_for_three_have_three_winners<S: Store>(store: S) {
    has_as_many_winners_as_uses(store, 3).await;
}

async fn has_as_many_winners_as_uses<S: Store>(store: S, uses: u32) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, projects) = (world.code(tenant, uses).await, world.projects(tenant, RACERS).await);
    let answers = race(RACERS, async |racer| world.activate(tenant, projects[racer], code.by_text(), noon()).await).await;

    let winners = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(winners, uses as usize, "winners of a race for {uses} uses");
    assert!(
        answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ActivateError::Refused(Refusal::Exhausted)))),
        "{answers:?}"
    );
    assert_eq!(world.stored_code(tenant, code.id).await.use_count, uses);
    assert_eq!(world.read().redemptions_of_code(tenant, code.id).await.unwrap().len(), uses as usize);
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), uses);
    for (project, answer) in projects.into_iter().zip(answers) {
        let active = world.stored_project(tenant, project).await.status == ProjectStatus::Active;
        assert_eq!(active, answer.is_ok(), "a project is active where its activation was acknowledged, and only there");
    }
}

/// Of 32 racing activations with the next available of 8 codes, 8 win, each with a code of its own.
pub async fn racing_activations_with_the_next_available_code_share_none<S: Store>(store: S) {
    const CODES: usize = 8;
    let world = World::new(store);
    let tenant = world.tenant().await;
    let codes = world.codes(tenant, CodeOrder { count: 8, ..CodeOrder::default() }, noon()).await;
    let projects = world.projects(tenant, RACERS).await;
    let next = async |racer: usize| world.activate(tenant, projects[racer], ActivateWith::NextAvailable, noon()).await;
    let answers = race(RACERS, next).await;

    let used: Vec<_> = answers.iter().flatten().filter_map(|project| project.activation_code_id).collect();
    assert_eq!(used.len(), CODES, "every code finds a project");
    assert_eq!(used.iter().collect::<BTreeSet<_>>().len(), CODES, "no code is used twice");
    assert!(
        answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ActivateError::Refused(Refusal::NoCodeAvailable)))),
        "{answers:?}"
    );
    for code in codes {
        assert_eq!(world.stored_code(tenant, code.id).await.use_count, 1);
    }
}

/// 32 racing repeats of one activation all answer the active project, and take one use.
pub async fn racing_repeats_of_an_activation_answer_alike_and_take_one_use<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for uses in [1, 100] {
        let (code, project) = (world.code(tenant, uses).await, world.project(tenant).await);
        let answers = race(RACERS, async |_| world.activate(tenant, project, code.by_text(), noon()).await.unwrap()).await;
        assert!(answers.iter().all(|answer| answer.id == project && answer.activation_code_id == Some(code.id)));
        assert_eq!(world.stored_code(tenant, code.id).await.use_count, 1, "of a code for {uses}");
        assert_eq!(world.read().redemptions_of_code(tenant, code.id).await.unwrap().len(), 1);
    }
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), 2);
}

/// 32 racing activations of one project with the next available code take one use of one code, and all answer it, also where it is the
/// tenant's only one.
pub async fn racing_repeats_with_the_next_available_code_take_one_use<S: Store>(store: S) {
    let world = World::new(store);
    for count in [1, 32] {
        let tenant = world.tenant().await;
        let codes = world.codes(tenant, CodeOrder { count, ..CodeOrder::default() }, noon()).await;
        let project = world.project(tenant).await;
        let next = async |_| world.activate(tenant, project, ActivateWith::NextAvailable, noon()).await.unwrap();
        let answers = race(RACERS, next).await;

        let used = answers[0].activation_code_id;
        assert!(used.is_some() && answers.iter().all(|answer| answer.activation_code_id == used), "{answers:?}");
        let mut uses = 0;
        for code in codes {
            uses += world.stored_code(tenant, code.id).await.use_count;
        }
        assert_eq!(uses, 1, "uses of all codes");
    }
}

/// Of 32 racing activations of one project with a code each, one wins and the other codes stay unused.
pub async fn racing_codes_for_one_project_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let codes = world.codes(tenant, CodeOrder { count: 32, ..CodeOrder::default() }, noon()).await;
    let project = world.project(tenant).await;
    let answers = race(RACERS, async |racer| world.activate(tenant, project, codes[racer].by_id(), noon()).await).await;

    assert!(
        answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ActivateError::Refused(Refusal::AlreadyActive)))),
        "{answers:?}"
    );
    assert_eq!(answers.iter().flatten().count(), 1, "winners");
    for (code, answer) in codes.into_iter().zip(answers) {
        assert_eq!(world.stored_code(tenant, code.id).await.use_count, u32::from(answer.is_ok()));
    }
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), 1);
}

/// Repeating an activation that won answers the project as it is, also once it is paused or completed, and consumes nothing.
pub async fn a_repeated_activation_consumes_nothing<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 5).await, world.project(tenant).await);
    world.activate(tenant, project, code.by_text(), noon()).await.unwrap();
    let moves = [None, Some(Transition::Pause), Some(Transition::Resume), Some(Transition::Complete)];
    for (seconds, transition) in (1..).zip(moves) {
        if let Some(transition) = transition {
            transition_project(&world.store, &world.cx(later(seconds)), tenant, project, transition).await.unwrap();
        }
        let standing = world.stored_project(tenant, project).await;
        for with in [code.by_text(), code.by_id(), ActivateWith::NextAvailable] {
            let answer = world.activate(tenant, project, with, later(seconds)).await.unwrap();
            assert_eq!(answer, standing, "after {transition:?}");
        }
    }
    let code = world.stored_code(tenant, code.id).await;
    assert_eq!((code.use_count, code.used_at), (1, Some(noon())));
    assert_eq!(world.read().redemptions_of_code(tenant, code.id).await.unwrap().len(), 1);
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), 1);
}
