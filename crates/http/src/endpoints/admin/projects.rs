//! Projects as operators see them, those from before there were tenants among them.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    InvalidValue, Project, ProjectId, Scope, TenantId, assign_project,
    ports::{Ownership, ProjectReads as _, Store},
    return_activation,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::{
        Answer, State,
        tenant::projects::{ProjectJson, project_filter},
    },
    errors::ErrorCode,
    extract::Operator,
    once::KeyedBody,
    operation::{Operation, get, post},
    paging::{List, page_request},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/projects", web::to(list::<S>))
            .scope(Scope::ProjectsRead)
            .says("List everybody's projects", "Those of one tenant, or, with `tenant=none`, the legacy projects that have none.")
            .query::<AllProjectsQuery>()
            .answers::<List<OwnedProjectJson>>(StatusCode::OK),
        get("/api/admin/projects/{id}", web::to(read::<S>))
            .scope(Scope::ProjectsRead)
            .says("Read anybody's project", "Whoever owns it, or nobody.")
            .id::<schema::ProjectId>()
            .answers::<OwnedProjectJson>(StatusCode::OK),
        post("/api/admin/projects/{id}/return", web::to(give_back::<S>))
            .scope(Scope::ProjectsWrite)
            .says(
                "Return anybody's activation",
                "Undoes the activation of an active or paused project: the project is pending again, and the code's use and the month's \
                activation are given back. Doing so again changes nothing.",
            )
            .id::<schema::ProjectId>()
            .answers::<OwnedProjectJson>(StatusCode::OK)
            .idempotent()
            .refuses(&[ErrorCode::InvalidTransition]),
        post("/api/admin/projects/{id}/assign", web::to(assign::<S>))
            .scope(Scope::ProjectsWrite)
            .says("Assign a legacy project", "Gives a project without a tenant to one. Doing so again changes nothing.")
            .id::<schema::ProjectId>()
            .body::<AssignJson>()
            .answers::<OwnedProjectJson>(StatusCode::OK)
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllProjectsQuery {
    /// A tenant's id, or `none`.
    #[param(value_type = Option<String>, pattern = "^(none|ten_[0-9a-f]{32})$")]
    tenant: Option<String>,
    /// Those whose name, `project_id` or description contains this, in any case.
    #[param(max_length = 200)]
    search: Option<String>,
    /// Those that stand so.
    #[param(value_type = Option<schema::ProjectStatus>)]
    status: Option<String>,
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    count: Option<bool>,
}

/// To whom a project is assigned.
#[derive(Deserialize, ToSchema)]
#[schema(as = AssignProject)]
#[serde(deny_unknown_fields)]
struct AssignJson {
    #[schema(value_type = schema::TenantId)]
    tenant_id: String,
}

/// A project as operators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnedProject)]
struct OwnedProjectJson {
    #[serde(flatten)]
    project: ProjectJson,
    /// Whose it is; null: a legacy project.
    #[schema(value_type = Option<schema::TenantId>)]
    tenant_id: Option<TenantId>,
    /// Who made it, as text for people.
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
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().projects_of_anyone_page(ownership, &filter, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |project| project.id, OwnedProjectJson::from)))
}

/// One project.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<ProjectId>) -> Answer {
    let project = state.store.reader().project_of_anyone(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(OwnedProjectJson::from(project)))
}

/// Undoes an activation.
pub(crate) async fn give_back<S: Store>(state: State<S>, who: Operator<S>, id: Path<ProjectId>, body: KeyedBody) -> Answer {
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let project = return_activation(store, cx, *id).await?;
        Ok(HttpResponse::Ok().json(OwnedProjectJson::from(project)))
    })
    .await
}

/// Gives a project without tenant to one.
pub(crate) async fn assign<S: Store>(state: State<S>, who: Operator<S>, id: Path<ProjectId>, mut body: KeyedBody) -> Answer {
    let wanted = body.read::<AssignJson>().await?;
    let tenant = wanted.tenant_id.parse().map_err(|invalid| Problem::field("/tenant_id", invalid))?;
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let project = assign_project(store, cx, *id, tenant).await?;
        Ok(HttpResponse::Ok().json(OwnedProjectJson::from(project)))
    })
    .await
}
