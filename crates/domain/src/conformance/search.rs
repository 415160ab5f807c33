//! Searching: any case, any script, and no character but itself.

use super::{
    fixtures::details,
    world::{World, first_page, later, noon},
};
use crate::{Description, Plan, PlanName, Project, ProjectDetails, ProjectStatus, Slug, TenantId, TenantName, ports::*};

impl<S: Store> World<S> {
    /// The slugs of a tenant's projects that a search finds, sorted.
    async fn found(&self, tenant: TenantId, search: &str, status: Option<ProjectStatus>) -> Vec<String> {
        let filter = ProjectFilter { search: Some(search.to_owned()), status };
        let projects = self.read().projects_page(tenant, &filter, first_page()).await.unwrap().items;
        let of_anyone =
            self.read().projects_of_anyone_page(Ownership::Tenant(tenant), &filter, first_page()).await.unwrap().items;
        assert_eq!(projects, of_anyone, "tenants and operators find the same");
        sorted(projects.into_iter().map(|project| project.slug))
    }

    /// The slugs of the tenants that a search finds, sorted.
    async fn found_tenants(&self, search: &str) -> Vec<String> {
        let filter = TenantFilter { search: Some(search.to_owned()), ..TenantFilter::default() };
        let tenants = self.read().tenants_page(&filter, first_page()).await.unwrap().items;
        sorted(tenants.into_iter().map(|tenant| tenant.slug))
    }
}

fn sorted(slugs: impl Iterator<Item = Slug>) -> Vec<String> {
    let mut slugs: Vec<_> = slugs.map(|slug| slug.to_string()).collect();
    slugs.sort_unstable();
    slugs
}

const NAMES: [(&str, &str); 6] = [
    ("clinic", "Ärztehaus SÜD"),
    ("percent", "100% Bio"),
    ("thousand", "1000 Bio"),
    ("underscore", "snake_case"),
    ("letter", "snakeXcase"),
    ("backslash", r"back\slash"),
];

const SEARCHES: [(&str, &[&str]); 9] = [
    ("ärzte", &["clinic"]),
    ("ÄRZTEHAUS süd", &["clinic"]),
    ("BIO", &["percent", "thousand"]),
    ("0%", &["percent"]),
    ("%", &["percent"]),
    ("snake_", &["underscore"]),
    ("_", &["underscore"]),
    (r"\", &["backslash"]),
    ("nothing like it", &[]),
];

/// A search for projects looks through name, slug and description in any case, and takes `%`, `_` and `\` as they are.
pub async fn a_search_for_projects_takes_text_as_it_is_in_any_case<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    for (slug, name) in NAMES {
        for owner in [tenant, other] {
            world.insert_project(&Project { details: details(name), ..world.new_project(Some(owner), slug, noon()) }).await;
        }
    }
    for (search, expected) in SEARCHES {
        assert_eq!(world.found(tenant, search, None).await, expected, "{search:?}");
    }
    assert_eq!(world.found(tenant, "BACKSL", None).await, ["backslash"], "by the slug");
    assert_eq!(world.found(tenant, "", None).await.len(), NAMES.len(), "an empty search finds all");

    let description = Some(Description::parse("Relaunch\nim HERBST für Öl").unwrap());
    let objectives = Some(Description::parse("Secret goals").unwrap());
    let details = ProjectDetails { description, objectives, ..details("Client") };
    world.insert_project(&Project { details, ..world.new_project(Some(tenant), "described", noon()) }).await;
    assert_eq!(world.found(tenant, "herbst FÜR öL", None).await, ["described"], "by the description");
    assert_eq!(world.found(tenant, "secret", None).await, [""; 0], "objectives are not searched");
}

/// A project is found by what it says now, no longer by what it said before.
pub async fn a_changed_project_is_found_by_its_new_details<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let project = Project { details: details("Before"), ..world.new_project(Some(tenant), "website", noon()) };
    world.insert_project(&project).await;
    world.write(async |tx| tx.change_project(tenant, project.id, &details("ÖSTERREICH"), noon()).await).await.unwrap();
    assert_eq!(world.found(tenant, "österreich", None).await, ["website"]);
    assert_eq!(world.found(tenant, "before", None).await, [""; 0]);
}

/// A filter by status narrows a search, and stands alone as well.
pub async fn a_filter_by_status_narrows_a_search<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for status in ProjectStatus::ALL {
        for name in ["Apple", "Pear"] {
            let slug = format!("{name}-{}", status.as_str());
            let project = Project { status, details: details(name), ..world.new_project(Some(tenant), &slug, noon()) };
            world.insert_project(&project).await;
        }
    }
    for status in ProjectStatus::ALL {
        assert_eq!(world.found(tenant, "apple", Some(status)).await, [format!("apple-{}", status.as_str())]);
        let filter = ProjectFilter { search: None, status: Some(status) };
        let projects = world.read().projects_page(tenant, &filter, first_page()).await.unwrap().items;
        assert_eq!(projects.len(), 2);
        assert!(projects.iter().all(|project| project.status == status));
    }
    assert_eq!(world.found(tenant, "apple", None).await.len(), ProjectStatus::ALL.len());
}

/// A search for tenants looks through name and slug in the same way.
pub async fn a_search_for_tenants_takes_text_as_it_is_in_any_case<S: Store>(store: S) {
    let world = World::new(store);
    for (slug, name) in NAMES {
        let mut tenant = world.new_tenant(slug, noon());
        tenant.name = TenantName::parse(name).unwrap();
        assert!(world.write(async |tx| tx.insert_tenant(&tenant).await).await);
    }
    for (search, expected) in SEARCHES {
        assert_eq!(world.found_tenants(search).await, expected, "{search:?}");
    }
    assert_eq!(world.found_tenants("CLIN").await, ["clinic"], "by the slug");
    assert_eq!(world.read().tenants_page(&TenantFilter::default(), first_page()).await.unwrap().items.len(), NAMES.len());
}

/// A search for plans looks through their names in the same way, and finds a plan by its new name; archived ones are told apart.
pub async fn a_search_for_plans_takes_text_as_it_is_in_any_case<S: Store>(store: S) {
    let world = World::new(store);
    let mut plans = Vec::new();
    for (_, name) in NAMES {
        let plan = Plan { name: PlanName::parse(name).unwrap(), ..world.new_plan(1) };
        assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
        plans.push(plan);
    }
    let found = async |search: &str, archived| {
        let filter = PlanFilter { search: Some(search.to_owned()), archived };
        let found = world.read().plans_page(&filter, first_page()).await.unwrap().items;
        let mut slugs: Vec<_> = NAMES
            .iter()
            .zip(&plans)
            .filter(|(_, plan)| found.iter().any(|row| row.id == plan.id))
            .map(|((slug, _), _)| *slug)
            .collect();
        slugs.sort_unstable();
        slugs
    };
    for (search, expected) in SEARCHES {
        assert_eq!(found(search, None).await, expected, "{search:?}");
    }
    let name = PlanName::parse("ÜBERALL 50%").unwrap();
    let archived = Plan { name, archived_at: Some(later(1)), updated_at: later(1), ..plans[0].clone() };
    assert!(world.write(async |tx| tx.change_plan(&archived).await).await);
    assert_eq!(found("überall", None).await, [NAMES[0].0]);
    assert_eq!(found("überall", Some(true)).await, [NAMES[0].0]);
    assert_eq!(found("überall", Some(false)).await, [""; 0]);
    let every = async |archived| {
        let filter = PlanFilter { search: None, archived };
        world.read().plans_page(&filter, first_page()).await.unwrap().items.len()
    };
    assert_eq!((every(Some(true)).await, every(Some(false)).await, every(None).await), (1, NAMES.len() - 1, NAMES.len()));
}
