//! Projects as operators see them, those from before there were tenants among them.

use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    InvalidValue, Project, ProjectId, TenantId, assign_project,
    ports::{Ownership, ProjectReads as _, Store},
};

use crate::{
    body::JsonBody,
    endpoints::{
        Answer, State,
        tenant::projects::{ProjectJson, project_filter},
    },
    extract::Operator,
    paging::{List, page_request},
    problem::Problem,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllProjectsQuery {
    tenant: Option<String>,
    search: Option<String>,
    status: Option<String>,
    limit: Option<u16>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignJson {
    tenant_id: String,
}

#[derive(Serialize)]
struct OwnedProjectJson {
    #[serde(flatten)]
    project: ProjectJson,
    tenant_id: Option<TenantId>,
    created_by: Option<String>,
}

impl From<Project> for OwnedProjectJson {
    fn from(mut project: Project) -> Self {
        Self { tenant_id: project.tenant_id, created_by: project.created_by.take(), project: project.into() }
    }
}

fn ownership(tenant: Option<&str>) -> Result<Ownership, Problem> {
    let unknown = |_| InvalidValue::new("invalid_tenant", "must be `none`, for projects without a tenant, or a tenant's id");
    match tenant {
        None => Ok(Ownership::Any),
        Some("none") => Ok(Ownership::Nobody),
        Some(id) => id.parse().map(Ownership::Tenant).map_err(|invalid| Problem::field("?tenant", unknown(invalid))),
    }
}

/// Projects of everybody, of one tenant, or of nobody.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<AllProjectsQuery>) -> Answer {
    let ownership = ownership(query.tenant.as_deref())?;
    let filter = project_filter(query.search.as_deref(), query.status.as_deref())?;
    let page = page_request(query.limit, query.cursor.as_deref())?;
    let page = state.store.reader().projects_of_anyone_page(ownership, &filter, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |project| project.id, OwnedProjectJson::from)))
}

/// Gives a project without tenant to one.
pub(crate) async fn assign<S: Store>(state: State<S>, who: Operator<S>, id: Path<ProjectId>, body: JsonBody) -> Answer {
    let wanted = body.read::<AssignJson>().await?;
    let tenant = wanted.tenant_id.parse().map_err(|invalid| Problem::field("/tenant_id", invalid))?;
    let project = assign_project(&state.store, &who.context(&state), *id, tenant).await?;
    Ok(HttpResponse::Ok().json(OwnedProjectJson::from(project)))
}
