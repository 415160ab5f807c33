//! Projects: their fields, their slugs, and the steps between their statuses.

use super::{
    fixtures::details,
    world::{World, later, noon},
};
use crate::{CodeOrder, Description, Priority, Project, ProjectDetails, ProjectStatus, Transition, ports::*};

/// Every field of a project is read as it was written.
pub async fn a_project_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 1).await;
    let bare = world.new_project(Some(tenant), "bare", noon());
    let full = Project {
        activation_code_id: Some(code.id),
        details: ProjectDetails {
            description: Some(Description::parse("First line\n\tsecond, with ‘quotes’ and 漢字").unwrap()),
            objectives: Some(Description::parse(&"x".repeat(4000)).unwrap()),
            priority: Some(Priority::parse("high").unwrap()),
            ..details("O'Neill & Søn; DROP TABLE --")
        },
        status: ProjectStatus::Completed,
        started_at: Some(later(1)),
        completed_at: Some(later(2)),
        created_by: Some("ses_0123".to_owned()),
        updated_at: later(2),
        ..world.new_project(Some(tenant), "full", noon())
    };
    for project in [bare, full] {
        world.insert_project(&project).await;
        assert_eq!(world.stored_project(tenant, project.id).await, project);
        assert_eq!(world.read().project_of_anyone(project.id).await.unwrap(), Some(project));
    }
    assert_eq!(world.read().count_projects(tenant).await.unwrap(), 2);
}

/// A slug is unique within its tenant, and free in every other.
pub async fn a_slug_is_unique_within_its_tenant_alone<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let slug = world.new_project(Some(tenant), "website", noon());
    assert!(!world.read().project_slug_taken(tenant, &slug.slug).await.unwrap());
    world.insert_project(&slug).await;

    let again = world.new_project(Some(tenant), "website", noon());
    assert!(!world.write(async |tx| tx.insert_project(&again).await).await);
    assert_eq!(world.read().project(tenant, again.id).await.unwrap(), None);
    assert!(world.read().project_slug_taken(tenant, &slug.slug).await.unwrap());
    assert!(!world.read().project_slug_taken(other, &slug.slug).await.unwrap());
    world.insert_project(&world.new_project(Some(other), "website", noon())).await;
}

/// Of 32 racing projects with one slug, one is stored.
pub async fn racing_projects_with_one_slug_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let insert = async |_, tx: &mut S::Transaction| tx.insert_project(&world.new_project(Some(tenant), "website", noon())).await;
    assert_eq!(world.winners(insert).await, 1);
    assert_eq!(world.read().count_projects(tenant).await.unwrap(), 1);
}

/// A refused slug leaves its transaction usable: what else it wrote is committed.
pub async fn a_refused_slug_leaves_the_transaction_usable<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    world.insert_project(&world.new_project(Some(tenant), "website", noon())).await;
    let [again, other] = ["website", "shop"].map(|slug| world.new_project(Some(tenant), slug, noon()));
    world
        .write(async |tx| {
            assert!(!tx.insert_project(&again).await?);
            assert!(tx.insert_project(&other).await?);
            Ok(())
        })
        .await;
    assert_eq!(world.stored_project(tenant, other.id).await, other);
}

/// A change replaces what a tenant says of a project, and nothing else of it.
pub async fn a_change_replaces_the_details_alone<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let project = Project {
        details: ProjectDetails { priority: Some(Priority::parse("low").unwrap()), ..details("Before") },
        ..world.new_project(Some(tenant), "website", noon())
    };
    world.insert_project(&project).await;
    let new = ProjectDetails { objectives: Some(Description::parse("More").unwrap()), ..details("After") };
    let changed = world.write(async |tx| tx.change_project(tenant, project.id, &new, later(5)).await).await.unwrap();
    assert_eq!(changed, Project { details: new, updated_at: later(5), ..project });
    assert_eq!(world.stored_project(tenant, project.id).await, changed);
}

/// A pending project is started once, by one of 32 racing callers, and by its code.
pub async fn racing_starts_of_a_project_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let codes = world.codes(tenant, CodeOrder { count: 32, ..CodeOrder::default() }, noon()).await;
    let project = world.project(tenant).await;
    let start = async |racer: usize, tx: &mut S::Transaction| {
        let started = tx.start_project(tenant, project, codes[racer].id, later(1)).await?;
        Ok(started.is_some_and(|project| project.activation_code_id == Some(codes[racer].id)))
    };
    assert_eq!(world.winners(start).await, 1);
    let project = world.stored_project(tenant, project).await;
    assert_eq!((project.status, project.started_at, project.updated_at), (ProjectStatus::Active, Some(later(1)), later(1)));
}

/// Only a pending project is started.
pub async fn only_a_pending_project_is_started<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 1).await;
    for status in ProjectStatus::ALL {
        let project = world.project_in(tenant, status).await;
        let started = world.write(async |tx| tx.start_project(tenant, project, code.id, later(1)).await).await;
        assert_eq!(started.is_some(), status == ProjectStatus::Pending, "{status:?}");
    }
}

/// A transition moves a project from its first status alone; completing says when, and is final.
pub async fn a_transition_starts_from_its_status_alone<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for transition in [Transition::Pause, Transition::Resume, Transition::Complete] {
        for status in ProjectStatus::ALL {
            let id = world.project_in(tenant, status).await;
            let before = world.stored_project(tenant, id).await;
            let moved = world.write(async |tx| tx.transition_project(tenant, id, transition, later(3)).await).await;
            let completed_at = (transition == Transition::Complete).then(|| later(3));
            let expected = (status == transition.from()).then(|| Project {
                status: transition.to(),
                completed_at,
                updated_at: later(3),
                ..before.clone()
            });
            assert_eq!(moved, expected, "{transition:?} from {status:?}");
            assert_eq!(world.stored_project(tenant, id).await, moved.unwrap_or(before));
        }
    }
}

/// Of 32 racing transitions out of one status, one wins.
pub async fn racing_transitions_of_a_project_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let project = world.project_in(tenant, ProjectStatus::Active).await;
    let leave = async |racer: usize, tx: &mut S::Transaction| {
        let transition = if racer.is_multiple_of(2) { Transition::Pause } else { Transition::Complete };
        Ok(tx.transition_project(tenant, project, transition, later(1)).await?.is_some())
    };
    assert_eq!(world.winners(leave).await, 1);
}

/// A project is deleted once, and its slug is free then.
pub async fn racing_deletions_of_a_project_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let project = world.new_project(Some(tenant), "website", noon());
    world.insert_project(&project).await;
    assert_eq!(world.winners(async |_, tx| tx.delete_project(tenant, project.id).await).await, 1);
    assert_eq!(world.read().project(tenant, project.id).await.unwrap(), None);
    assert_eq!(world.read().count_projects(tenant).await.unwrap(), 0);
    world.insert_project(&world.new_project(Some(tenant), "website", noon())).await;
}
