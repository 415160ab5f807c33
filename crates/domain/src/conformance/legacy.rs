//! Legacy projects, which have no tenant: operators see them, and give each to one tenant.

use super::world::{World, all_pages, first_page, later, noon};
use crate::{AssignError, Project, ProjectId, ProjectStatus, Transition, assign_project, ports::*};

impl<S: Store> World<S> {
    async fn legacy_project(&self, slug: &str) -> Project {
        let project = Project { status: ProjectStatus::Active, ..self.new_project(None, slug, noon()) };
        self.insert_project(&project).await;
        project
    }

    async fn owned_by(&self, ownership: Ownership) -> Vec<ProjectId> {
        let filter = ProjectFilter::default();
        let read = async |page| self.read().projects_of_anyone_page(ownership, &filter, page).await;
        all_pages(2, |project: &Project| project.id, read).await.into_iter().map(|project| project.id).collect()
    }
}

/// No tenant sees, changes, starts, moves or deletes a legacy project.
pub async fn a_legacy_project_is_hidden_from_tenants<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (legacy, code) = (world.legacy_project("old-site").await, world.code(tenant, 1).await);
    let mut reader = world.read();
    assert_eq!(reader.project(tenant, legacy.id).await.unwrap(), None);
    assert!(reader.projects_page(tenant, &ProjectFilter::default(), first_page()).await.unwrap().items.is_empty());
    assert_eq!(reader.count_projects(tenant).await.unwrap(), 0);
    assert!(!reader.project_slug_taken(tenant, &legacy.slug).await.unwrap());
    world
        .write(async |tx| {
            assert_eq!(tx.change_project(tenant, legacy.id, &legacy.details, later(1)).await?, None);
            assert_eq!(tx.start_project(tenant, legacy.id, code.id, later(1)).await?, None);
            assert_eq!(tx.transition_project(tenant, legacy.id, Transition::Pause, later(1)).await?, None);
            assert!(!tx.delete_project(tenant, legacy.id).await?);
            Ok(())
        })
        .await;
    assert_eq!(reader.project_of_anyone(legacy.id).await.unwrap(), Some(legacy));
}

/// Operators list everybody's projects, one tenant's, or nobody's.
pub async fn operators_list_projects_by_ownership<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (first, second) = (world.legacy_project("old").await, world.legacy_project("older").await);
    let mut owned = world.projects(tenant, 3).await;
    let mut others = world.projects(other, 2).await;
    let mut nobodys = vec![first.id, second.id];
    let mut everyones = [owned.clone(), others.clone(), nobodys.clone()].concat();
    for ids in [&mut owned, &mut others, &mut nobodys, &mut everyones] {
        ids.sort_unstable_by(|a, b| b.cmp(a));
    }
    assert_eq!(world.owned_by(Ownership::Tenant(tenant)).await, owned);
    assert_eq!(world.owned_by(Ownership::Tenant(other)).await, others);
    assert_eq!(world.owned_by(Ownership::Nobody).await, nobodys);
    assert_eq!(world.owned_by(Ownership::Any).await, everyones);
}

/// Of 32 racing assignments of a legacy project to two tenants one wins, and the project is that tenant's.
pub async fn racing_assignments_of_a_project_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenants = [world.tenant().await, world.tenant().await];
    let legacy = world.legacy_project("old-site").await;
    let assign = async |racer: usize, tx: &mut S::Transaction| {
        let assigned = tx.assign_project(legacy.id, tenants[racer % 2], later(1)).await?;
        Ok(assigned.is_some_and(|project| project.tenant_id == Some(tenants[racer % 2])))
    };
    assert_eq!(world.winners(assign).await, 1);
    let assigned = world.read().project_of_anyone(legacy.id).await.unwrap().unwrap();
    assert_eq!(assigned, Project { tenant_id: assigned.tenant_id, updated_at: later(1), ..legacy });
    let owner = assigned.tenant_id.unwrap();
    assert_eq!(world.read().project(owner, assigned.id).await.unwrap(), Some(assigned));
    assert_eq!(world.owned_by(Ownership::Nobody).await, []);
}

/// A legacy project isn't given to a tenant that has its slug, however closely the two arrive.
pub async fn an_assignment_keeps_slugs_unique<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let legacy = world.legacy_project("website").await;
    world.insert_project(&world.new_project(Some(tenant), "website", noon())).await;
    assert_eq!(world.write(async |tx| tx.assign_project(legacy.id, tenant, later(1)).await).await, None);
    assert_eq!(world.read().project_of_anyone(legacy.id).await.unwrap(), Some(legacy));

    let shop = world.legacy_project("shop").await.id;
    let new = world.new_project(Some(tenant), "shop", noon());
    let winners = super::world::race(2, async |racer| {
        let enter = async |tx: &mut S::Transaction| match racer {
            0 => tx.assign_project(shop, tenant, later(1)).await.map(|assigned| assigned.is_some()),
            _ => tx.insert_project(&new).await,
        };
        // A store may see the race only when it breaks a constraint.
        world.try_write(enter).await.unwrap_or_default()
    })
    .await;
    assert_eq!(winners.into_iter().filter(|&won| won).count(), 1);
    assert_eq!(world.read().count_projects(tenant).await.unwrap(), 2);
}

/// The use case tells apart why a project isn't assigned, and assigning it again to the same tenant changes nothing.
pub async fn an_assignment_that_is_refused_says_why<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let legacy = world.legacy_project("website").await;
    world.insert_project(&world.new_project(Some(other), "website", noon())).await;
    let assign = async |id, tenant| assign_project(&world.store, &world.cx(later(1)), id, tenant).await;

    assert!(matches!(assign(legacy.id, world.id(noon())).await, Err(AssignError::UnknownTenant)));
    assert!(matches!(assign(world.id(noon()), tenant).await, Err(AssignError::UnknownProject)));
    assert!(matches!(assign(legacy.id, other).await, Err(AssignError::SlugTaken)));
    let assigned = assign(legacy.id, tenant).await.unwrap();
    assert_eq!(assign(legacy.id, tenant).await.unwrap(), assigned);
    assert!(matches!(assign(legacy.id, other).await, Err(AssignError::HasTenant)));
    assert_eq!(world.audited(tenant).await, ["project.assigned"]);
}
