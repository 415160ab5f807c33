//! Projects, each from its row.

use tenantry_domain::{
    ClientName, Description, Entropy, Id, InvalidValue, Line, Priority, Project, ProjectDetails, ProjectStatus, Slug,
};

use super::{
    cells::{Cells, Reason, of},
    tenants::Taken,
};

/// A project without its tenant and its code, which are found by their keys; `was_pending` says that its row said so.
pub fn project(cells: Cells<'_>, entropy: &dyn Entropy) -> Taken<Project> {
    let (created_at, updated_at) = cells.made()?;
    // It stays what it is, also where a new one would have to look otherwise: others know the project by it.
    let slug = Line::<200>::parse(cells.needed("slug")?).map_err(of("slug"))?;
    let mut changes = Vec::new();
    let client_name = cells.text("client_name").unwrap_or_else(|| {
        changes.push("client_name: is missing; its slug is taken".to_owned());
        slug.as_str()
    });
    let linked = cells.text("code").is_some();
    let status = match cells.word("status").as_deref() {
        None if linked || cells.text("tenant").is_none() => ProjectStatus::Active,
        None => ProjectStatus::Pending,
        Some("draft" | "created" | "new" | "inactive") => ProjectStatus::Pending,
        Some("activated" | "running" | "in_progress" | "started") => ProjectStatus::Active,
        Some("on_hold" | "stopped" | "suspended") => ProjectStatus::Paused,
        Some("complete" | "done" | "finished" | "closed" | "archived") => ProjectStatus::Completed,
        Some(word) => ProjectStatus::parse(word).map_err(|_| "status: is a word that isn't known".to_owned())?,
    };
    let started_at = cells.past("started_at")?;
    let completed_at = match (status, cells.past("completed_at")?) {
        (ProjectStatus::Completed, None) => Some(updated_at),
        (ProjectStatus::Completed, end) => end,
        _ => None,
    };
    let project = Project {
        id: Id::generate(created_at, entropy),
        slug: Slug::from_stored(slug.as_str().to_owned()),
        tenant_id: None,
        activation_code_id: None,
        details: ProjectDetails {
            client_name: ClientName::parse(client_name).map_err(of("client_name"))?,
            description: prose(cells, "description", &mut changes)?,
            objectives: prose(cells, "objectives", &mut changes)?,
            priority: line(cells, "priority", Priority::parse, &mut changes),
        },
        status,
        started_at: started_at.or((status != ProjectStatus::Pending).then_some(created_at)),
        completed_at,
        created_by: line(cells, "created_by", Line::<200>::parse, &mut changes).map(|name| name.to_string()),
        created_at,
        updated_at,
    };
    Ok((project, changes))
}

/// What somebody wrote is kept whole, also where it is longer than it could be today.
fn prose(cells: Cells<'_>, field: &str, changes: &mut Vec<Reason>) -> Result<Option<Description>, Reason> {
    let Some(text) = cells.text(field) else { return Ok(None) };
    match Description::parse(text) {
        Err(InvalidValue { code: "too_long", .. }) => Ok(Some(Description::from_stored(text.trim().to_owned()))),
        Err(invalid) => {
            changes.push(format!("{}; these are left out", of(field)(invalid)));
            let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
            Description::parse(&clean).map(Some).map_err(of(field))
        }
        prose => Ok(prose.ok()),
    }
}

fn line<T>(
    cells: Cells<'_>,
    field: &str,
    parse: impl Fn(&str) -> Result<T, InvalidValue>,
    changes: &mut Vec<Reason>,
) -> Option<T> {
    parse(cells.text(field)?).map_err(|invalid| changes.push(format!("{}; it is left out", of(field)(invalid)))).ok()
}
