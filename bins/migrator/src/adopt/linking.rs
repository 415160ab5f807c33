//! Which code activated which project: the two tables of an older portal made to agree, so that the ledger is whole.

use std::collections::{HashMap, HashSet};

use tenantry_domain::{Adopted, AdoptedKind, CodeId, Id, Project, ProjectStatus, Redemption, TenantId, Timestamp};
use tenantry_persistence::OlderRow;

use super::{
    cells::Cells,
    codes::OlderCode,
    projects,
    sorting::{CODES, Household, Owners, PROJECTS, Sorted, Sorter, is_started},
};

/// The codes that are taken, to be found by their keys.
#[derive(Default)]
pub struct Codes {
    /// Whose each is, and its place there.
    by_key: HashMap<String, (TenantId, usize)>,
    /// The keys of the codes that say which project used them, by that project's key or slug.
    by_project: HashMap<String, Vec<String>>,
}

impl Codes {
    pub fn add(&mut self, key: &str, tenant: TenantId, place: usize, code: &OlderCode) {
        self.by_key.insert(key.to_owned(), (tenant, place));
        if let Some(project) = &code.project {
            self.by_project.entry(project.clone()).or_default().push(key.to_owned());
        }
    }
}

/// Sorts all projects of an owner, or of several, and writes the ledger of all their codes.
pub fn projects(sorter: &mut Sorter<'_>, rows: &[OlderRow], tenants: &Owners, codes: &Codes, sorted: &mut Sorted) {
    let mut slugs: HashSet<(Option<TenantId>, String)> = HashSet::new();
    // How many projects each code has activated, of those that are taken.
    let mut linked: HashMap<CodeId, u32> = HashMap::new();
    for row in rows {
        let cells = Cells::new(row, sorter.now);
        let key = cells.key();
        let owner = cells.text("tenant").map(|tenant| tenants.get(tenant).copied());
        let slug = cells.text("slug").unwrap_or_default().trim().to_owned();
        let is_free = slugs.insert((owner.flatten(), slug));
        if sorter.was_taken(PROJECTS, AdoptedKind::Project, key) {
            continue;
        }
        if owner == Some(None) {
            sorter.report.refuse(PROJECTS, key, "tenant: there is none that is taken");
            continue;
        }
        if !is_free {
            sorter.report.refuse(PROJECTS, key, "slug: another project of its owner has it");
            continue;
        }
        let Some(mut project) = sorter.noted(PROJECTS, key, projects::project(cells, sorter.entropy)) else { continue };
        let Some(tenant) = owner.flatten() else {
            if cells.text("code").is_some() {
                sorter.report.change(PROJECTS, key, "code: it has no tenant, so it is taken without its code");
            }
            sorted.legacy.push(Adopted { old_key: key.to_owned(), row: project });
            continue;
        };
        project.tenant_id = Some(tenant);
        let household = sorted.households.entry(tenant).or_default();
        link(sorter, cells, tenant, codes, household, &mut project, &mut linked);
        household.projects.push(Adopted { old_key: key.to_owned(), row: project });
    }
    for (&tenant, household) in &mut sorted.households {
        settle(sorter, tenant, household, &linked);
    }
}

/// Finds the code that activated a project, by the one's or the other's row, and writes it into the ledger.
fn link(
    sorter: &mut Sorter<'_>,
    cells: Cells<'_>,
    tenant: TenantId,
    codes: &Codes,
    household: &mut Household,
    project: &mut Project,
    linked: &mut HashMap<CodeId, u32>,
) {
    let key = cells.key();
    let own = cells.text("code");
    let others = || [key, project.slug.as_str()].into_iter().filter_map(|name| codes.by_project.get(name)).flatten();
    let Some(name) =
        own.or_else(|| others().find(|code| codes.by_key.get(*code).is_some_and(|(of, _)| *of == tenant)).map(String::as_str))
    else {
        return;
    };
    let code = codes.by_key.get(name).filter(|(of, _)| *of == tenant);
    let Some(Adopted { row: (id, code), .. }) = code.and_then(|(_, place)| household.codes.get_mut(*place)) else {
        let reason = "code: none of its tenant's that is taken now; it is taken without its code";
        return sorter.report.change(PROJECTS, key, reason);
    };
    if !is_started(project) {
        if code.use_count == 0 {
            return sorter.report.change(PROJECTS, key, "code: it was not activated yet; it is taken without its code");
        }
        sorter.report.change(PROJECTS, key, "status: pending, though its code was used; it is taken as active");
        project.status = ProjectStatus::Active;
        project.started_at = code.used_at;
    }
    let uses = linked.entry(*id).or_default();
    if *uses >= code.max_uses {
        return sorter.report.change(
            PROJECTS,
            key,
            format!("code: others have used up the code {name}; it is taken without its code"),
        );
    }
    *uses += 1;
    let started = cells.past("started_at").ok().flatten().or(code.used_at).unwrap_or(project.created_at);
    project.started_at = Some(started);
    project.activation_code_id = Some(*id);
    household.redemptions.push(redemption(sorter, tenant, *id, Some(project.id), started));
}

/// Makes each code's uses and its place in the ledger agree.
fn settle(sorter: &mut Sorter<'_>, tenant: TenantId, household: &mut Household, linked: &HashMap<CodeId, u32>) {
    for Adopted { old_key, row: (id, code) } in &mut household.codes {
        let by_projects = linked.get(id).copied().unwrap_or(0);
        if by_projects > code.use_count {
            sorter.report.change(
                CODES,
                old_key,
                format!("use_count: {} of {by_projects} projects; all are counted", code.use_count),
            );
            code.use_count = by_projects;
        }
        let at = code.used_at.unwrap_or(code.updated_at);
        if code.use_count > by_projects {
            let reason = "it was used by a project that isn't taken, or is gone; the use stays";
            sorter.report.change(CODES, old_key, reason);
        }
        for _ in by_projects..code.use_count {
            household.redemptions.push(redemption(sorter, tenant, *id, None, at));
        }
        if code.use_count > 0 {
            code.used_at = Some(at);
        }
    }
}

fn redemption(sorter: &Sorter<'_>, tenant: TenantId, code: CodeId, project: Option<Id<Project>>, at: Timestamp) -> Redemption {
    Redemption {
        id: Id::generate(at, sorter.entropy),
        tenant_id: tenant,
        activation_code_id: Some(code),
        project_id: project,
        redeemed_at: at,
        returned_at: None,
    }
}
