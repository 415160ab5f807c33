//! Lists in pages: every item once, newest first, whatever is added meanwhile.

use time::Duration;

use super::world::{World, all_pages, first_page, later, noon};
use crate::{
    Action, ApiKey, AuditEvent, AuditFilter, Code, CodeOrder, Id, Operator, OperatorSession, Page, PageLimit, PageRequest, Plan,
    Project, ProjectStatus, Role, Session, StoreError, Tenant, ports::*,
};

const ITEMS: i64 = 11;

/// Holds a list of `newest_first` against pages of every length, also when its length is a multiple of theirs; each page counts
/// the whole list where asked to.
async fn pages_are_complete<K>(
    newest_first: &[Id<K>],
    id: impl Fn(&K) -> Id<K>,
    read: impl AsyncFn(PageRequest<K>) -> Result<Page<K>, StoreError>,
) where
    Id<K>: std::fmt::Debug,
{
    let length = u16::try_from(newest_first.len()).unwrap();
    for limit in [1, 2, 3, length - 1, length, length + 1, PageLimit::MAX] {
        let items = all_pages(limit, &id, &read).await;
        let ids: Vec<_> = items.iter().map(&id).collect();
        assert_eq!(ids, newest_first, "pages of {limit}");
        for after in [None, newest_first.first().copied(), newest_first.last().copied()] {
            let request = PageRequest { limit: PageLimit::new(limit).unwrap(), after, count: true };
            let counted = read(request).await.unwrap();
            assert_eq!(counted.total, Some(newest_first.len() as u64), "pages of {limit}, behind {after:?}");
            let plain = read(PageRequest { count: false, ..request }).await.unwrap();
            assert_eq!((plain.total, plain.items.len()), (None, counted.items.len()), "nobody asked");
        }
    }
}

/// Plans in pages.
pub async fn pages_of_plans_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let mut ids = Vec::new();
    for seconds in 0..ITEMS {
        let plan = Plan { id: world.id(later(seconds)), created_at: later(seconds), ..world.new_plan(1) };
        assert!(world.write(async |tx| tx.insert_plan(&plan).await).await);
        ids.insert(0, plan.id);
    }
    pages_are_complete(&ids, |plan: &Plan| plan.id, async |page| world.read().plans_page(&PlanFilter::default(), page).await)
        .await;
}

/// Tenants in pages, all of them and those that a search finds.
pub async fn pages_of_tenants_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let (mut all, mut found) = (Vec::new(), Vec::new());
    for seconds in 0..ITEMS {
        let even = seconds % 2 == 0;
        let slug = format!("{}-{seconds}", if even { "even" } else { "odd" });
        let tenant = world.new_tenant(&slug, later(seconds));
        assert!(world.write(async |tx| tx.insert_tenant(&tenant).await).await);
        all.insert(0, tenant.id);
        if even {
            found.insert(0, tenant.id);
        }
    }
    let id = |tenant: &Tenant| tenant.id;
    pages_are_complete(&all, id, async |page| world.read().tenants_page(&TenantFilter::default(), page).await).await;
    let even = TenantFilter { search: Some("EVEN".to_owned()), ..TenantFilter::default() };
    pages_are_complete(&found, id, async |page| world.read().tenants_page(&even, page).await).await;
}

/// Codes in pages, also the many that one moment issued.
pub async fn pages_of_codes_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut ids = Vec::new();
    for seconds in 0..3 {
        let order = CodeOrder { count: 7, ..CodeOrder::default() };
        ids.extend(world.codes(tenant, order, later(seconds)).await.into_iter().map(|code| code.id));
    }
    // Identifiers sort by the millisecond of their making, and within it in an order that every page agrees on.
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let every = CodeFilter::default();
    let read = async |page| world.read().codes_page(tenant, &every, later(9), page).await;
    pages_are_complete(&ids, |code: &Code| code.id, read).await;
}

/// Projects in pages, all of them and those of a status.
pub async fn pages_of_projects_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (mut all, mut paused) = (Vec::new(), Vec::new());
    for seconds in 0..ITEMS {
        let project = world.new_project(Some(tenant), &format!("site-{seconds}"), later(seconds));
        let status = if seconds % 3 == 0 { ProjectStatus::Paused } else { ProjectStatus::Active };
        world.insert_project(&Project { status, ..project.clone() }).await;
        all.insert(0, project.id);
        if status == ProjectStatus::Paused {
            paused.insert(0, project.id);
        }
    }
    let every = ProjectFilter::default();
    let resting = ProjectFilter { status: Some(ProjectStatus::Paused), search: Some("SITE".to_owned()) };
    let id = |project: &Project| project.id;
    for (filter, ids) in [(&every, &all), (&resting, &paused)] {
        pages_are_complete(ids, id, async |page| world.read().projects_page(tenant, filter, page).await).await;
        let anyones = async |page| world.read().projects_of_anyone_page(Ownership::Any, filter, page).await;
        pages_are_complete(ids, id, anyones).await;
    }
}

/// Live sessions in pages.
pub async fn pages_of_sessions_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut ids = Vec::new();
    for seconds in 0..ITEMS {
        let session = world.session(tenant, later(seconds)).await;
        ids.insert(0, session.id);
        let ended = Session { revoked_at: Some(later(seconds)), ..world.new_session(tenant, later(seconds)) };
        world.write(async |tx| tx.insert_session(&ended).await).await;
    }
    let read = async |page| world.read().live_sessions_page(tenant, later(60), page).await;
    pages_are_complete(&ids, |session: &Session| session.id, read).await;
}

/// Audit events in pages, all of them and one tenant's.
pub async fn pages_of_audit_events_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (mut all, mut its) = (Vec::new(), Vec::new());
    for seconds in 0..ITEMS {
        let concerned = (seconds % 2 == 0).then_some(tenant);
        let event = AuditEvent::new(&world.cx(later(seconds)), Action::OtpRequested, concerned, None);
        world.write(async |tx| tx.append_audit(&event).await).await;
        all.insert(0, event.id);
        if concerned.is_some() {
            its.insert(0, event.id);
        }
    }
    let id = |event: &AuditEvent| event.id;
    pages_are_complete(&all, id, async |page| world.read().audit_page(None, &AuditFilter::default(), page).await).await;
    pages_are_complete(&its, id, async |page| world.read().audit_page(Some(tenant), &AuditFilter::default(), page).await).await;
}

/// A list that has nothing counts nothing, whether there is nothing or a filter finds nothing.
pub async fn a_list_of_nothing_counts_nothing<S: Store>(store: S) {
    fn counted<K>() -> PageRequest<K> {
        PageRequest { count: true, ..first_page() }
    }
    let world = World::new(store);
    assert_eq!(world.read().plans_page(&PlanFilter::default(), counted()).await.unwrap(), Page::of_nothing(counted::<Plan>()));
    let tenant = world.tenant().await;
    world.project(tenant).await;
    for search in ["no such thing", "\0"] {
        let search = Some(search.to_owned());
        let filter = PlanFilter { search: search.clone(), ..PlanFilter::default() };
        let plans = world.read().plans_page(&filter, counted()).await.unwrap();
        assert_eq!(plans, Page::of_nothing(counted::<Plan>()), "{search:?}");
        let filter = TenantFilter { search: search.clone(), ..TenantFilter::default() };
        let tenants = world.read().tenants_page(&filter, counted()).await.unwrap();
        assert_eq!(tenants, Page::of_nothing(counted::<Tenant>()), "{search:?}");
        let filter = ProjectFilter { search: search.clone(), status: None };
        let projects = world.read().projects_page(tenant, &filter, counted()).await.unwrap();
        assert_eq!(projects, Page::of_nothing(counted::<Project>()), "{search:?}");
    }
}

/// Operators in pages.
pub async fn pages_of_operators_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let mut ids = Vec::new();
    for seconds in 0..ITEMS {
        let operator = world.new_operator(Role::Viewer, later(seconds));
        world.insert_operator(&operator).await;
        ids.insert(0, operator.id);
    }
    pages_are_complete(&ids, |operator: &Operator| operator.id, async |page| world.read().operators_page(page).await).await;
}

/// API keys in pages, whether they count or not.
pub async fn pages_of_api_keys_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let mut ids = Vec::new();
    for seconds in 0..ITEMS {
        let key = ApiKey { revoked_at: (seconds % 3 == 0).then_some(later(60)), ..world.new_api_key(later(seconds)) };
        world.insert_api_key(&key).await;
        ids.insert(0, key.id);
    }
    pages_are_complete(&ids, |key: &ApiKey| key.id, async |page| world.read().api_keys_page(page).await).await;
}

/// Live sessions of an operator in pages.
pub async fn pages_of_operators_sessions_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let (operator, other) = (world.operator(Role::Viewer).await.id, world.operator(Role::Viewer).await.id);
    let mut ids = Vec::new();
    for seconds in 0..ITEMS {
        ids.insert(0, world.operator_session(operator, later(seconds)).await.id);
        world.operator_session(other, later(seconds)).await;
    }
    let read = async |page| world.read().live_operator_sessions_page(operator, later(60), page).await;
    pages_are_complete(&ids, |session: &OperatorSession| session.id, read).await;
}

/// Items that are added or deleted between two pages, even the last item of the first, shift nothing in the second.
pub async fn a_page_is_stable_while_the_list_changes<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut ids = Vec::new();
    for seconds in 0..6 {
        let project = world.new_project(Some(tenant), &format!("site-{seconds}"), later(seconds));
        world.insert_project(&project).await;
        ids.insert(0, project.id);
    }
    let filter = ProjectFilter::default();
    let page = async |after| {
        let request = PageRequest { limit: PageLimit::new(3).unwrap(), after, count: false };
        let page = world.read().projects_page(tenant, &filter, request).await.unwrap();
        (page.items.into_iter().map(|project| project.id).collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(page(None).await, (ids[..3].to_vec(), true));
    world.insert_project(&world.new_project(Some(tenant), "newer", noon() + Duration::HOUR)).await;
    assert_eq!(page(Some(ids[2])).await, (ids[3..].to_vec(), false));
    assert!(world.write(async |tx| tx.delete_project(tenant, ids[2]).await).await);
    assert_eq!(page(Some(ids[2])).await, (ids[3..].to_vec(), false));
    assert_eq!(page(Some(ids[5])).await, (Vec::new(), false), "behind the last item there is nothing");
}
