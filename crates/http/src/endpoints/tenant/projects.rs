//! A tenant's projects.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    ClientName, CodeId, Description, NewProject, Priority, Project, ProjectChange, ProjectDetails, ProjectId, ProjectStatus,
    SearchText, Slug, Timestamp, Transition, change_project, create_project, delete_project,
    ports::{ProjectFilter, ProjectReads as _, Store},
    transition_project,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::JsonBody,
    change::present,
    conditional::{IfMatch, IfNoneMatch, etag},
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::{TenantDoor, TenantSession},
    once::KeyedBody,
    operation::{Operation, delete as delete_operation, get, patch, post, put},
    paging::{List, page_request},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    let moves = |path, summary, says, to| {
        post(path, web::to(move |state, session, path| transition::<S>(state, session, path, to)))
            .tenant()
            .says(summary, says)
            .id::<schema::ProjectId>()
            .answers::<ProjectJson>(StatusCode::OK)
            .refuses(&[ErrorCode::InvalidTransition, ErrorCode::SubscriptionInactive, ErrorCode::TenantSuspended])
    };
    vec![
        get("/api/tenant/projects", web::to(list::<S>))
            .tenant()
            .says("List projects", "The tenant's projects, newest first.")
            .query::<ProjectsQuery>()
            .answers::<List<ProjectJson>>(StatusCode::OK),
        post("/api/tenant/projects", web::to(create::<S>))
            .tenant()
            .says("Create a project", "It is pending until a code activates it.")
            .body::<NewProjectJson>()
            .answers::<ProjectJson>(StatusCode::CREATED)
            .idempotent()
            .refuses(&[
                ErrorCode::Conflict,
                ErrorCode::QuotaExceeded,
                ErrorCode::SubscriptionInactive,
                ErrorCode::TenantSuspended,
            ]),
        get("/api/tenant/projects/{id}", web::to(read::<S>))
            .tenant()
            .says("Read a project", "One of the tenant's projects.")
            .id::<schema::ProjectId>()
            .answers::<ProjectJson>(StatusCode::OK)
            .versioned(),
        patch("/api/tenant/projects/{id}", web::to(change::<S>))
            .tenant()
            .says("Change a project", "What is absent stays as it is; what is null is cleared.")
            .id::<schema::ProjectId>()
            .body::<ChangeJson>()
            .answers::<ProjectJson>(StatusCode::OK)
            .refuses(&[ErrorCode::SubscriptionInactive, ErrorCode::TenantSuspended])
            .conditional(),
        put("/api/tenant/projects/{id}", web::to(replace::<S>))
            .tenant()
            .says("Replace a project's details", "What is absent is cleared.")
            .id::<schema::ProjectId>()
            .body::<ReplaceJson>()
            .answers::<ProjectJson>(StatusCode::OK)
            .refuses(&[ErrorCode::SubscriptionInactive, ErrorCode::TenantSuspended])
            .conditional(),
        delete_operation("/api/tenant/projects/{id}", web::to(delete::<S>))
            .tenant()
            .says("Delete a project", "The use of the code that activated it is not given back.")
            .id::<schema::ProjectId>()
            .answers_nothing()
            .refuses(&[ErrorCode::SubscriptionInactive, ErrorCode::TenantSuspended])
            .conditional(),
        moves("/api/tenant/projects/{id}/pause", "Pause a project", "From active to paused.", Transition::Pause),
        moves("/api/tenant/projects/{id}/resume", "Resume a project", "From paused to active.", Transition::Resume),
        moves(
            "/api/tenant/projects/{id}/complete",
            "Complete a project",
            "From active to completed, for good.",
            Transition::Complete,
        ),
    ]
}

/// A project as its tenant sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
pub(crate) struct ProjectJson {
    #[schema(value_type = schema::ProjectId)]
    id: ProjectId,
    /// Its short name, unlike that of the tenant's other projects.
    #[schema(value_type = String, example = "globex-7k2m")]
    project_id: Slug,
    /// Whom it is for.
    #[schema(value_type = String, example = "Globex")]
    client_name: ClientName,
    /// What it is about.
    #[schema(value_type = Option<String>)]
    description: Option<Description>,
    /// What it is to reach.
    #[schema(value_type = Option<String>)]
    objectives: Option<Description>,
    /// How pressing it is.
    #[schema(value_type = Option<String>)]
    priority: Option<Priority>,
    #[schema(value_type = schema::ProjectStatus)]
    project_status: &'static str,
    /// The code that activated it.
    #[schema(value_type = Option<schema::CodeId>)]
    activation_code_id: Option<CodeId>,
    /// When it was activated.
    #[schema(value_type = Option<schema::Moment>)]
    started_at: Option<Timestamp>,
    /// When it was completed.
    #[schema(value_type = Option<schema::Moment>)]
    completed_at: Option<Timestamp>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

impl From<Project> for ProjectJson {
    fn from(project: Project) -> Self {
        Self {
            id: project.id,
            project_id: project.slug,
            client_name: project.details.client_name,
            description: project.details.description,
            objectives: project.details.objectives,
            priority: project.details.priority,
            project_status: project.status.as_str(),
            activation_code_id: project.activation_code_id,
            started_at: project.started_at,
            completed_at: project.completed_at,
            created_at: project.created_at,
            updated_at: project.updated_at,
        }
    }
}

/// A project to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewProject)]
#[serde(deny_unknown_fields)]
struct NewProjectJson {
    /// Its short name; absent: made from the client's name.
    #[schema(value_type = Option<schema::Slug>)]
    project_id: Option<String>,
    /// Whom it is for.
    #[schema(min_length = 1, max_length = 200, example = "Globex")]
    client_name: String,
    /// What it is about.
    #[schema(min_length = 1, max_length = 4000)]
    description: Option<String>,
    /// What it is to reach.
    #[schema(min_length = 1, max_length = 4000)]
    objectives: Option<String>,
    /// How pressing it is, in the tenant's own words.
    #[schema(min_length = 1, max_length = 40)]
    priority: Option<String>,
}

/// All that a tenant says of a project.
#[derive(Deserialize, ToSchema)]
#[schema(as = ReplaceProject)]
#[serde(deny_unknown_fields)]
struct ReplaceJson {
    /// Whom it is for.
    #[schema(min_length = 1, max_length = 200, example = "Globex")]
    client_name: String,
    /// What it is about.
    #[schema(min_length = 1, max_length = 4000)]
    description: Option<String>,
    /// What it is to reach.
    #[schema(min_length = 1, max_length = 4000)]
    objectives: Option<String>,
    /// How pressing it is, in the tenant's own words.
    #[schema(min_length = 1, max_length = 40)]
    priority: Option<String>,
}

/// A change: what is absent stays, what is null is cleared.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeProject)]
#[serde(deny_unknown_fields)]
struct ChangeJson {
    /// Whom it is for.
    #[schema(min_length = 1, max_length = 200, example = "Globex")]
    client_name: Option<String>,
    /// What it is about.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 4000)]
    description: Option<Option<String>>,
    /// What it is to reach.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 4000)]
    objectives: Option<Option<String>>,
    /// How pressing it is, in the tenant's own words.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 40)]
    priority: Option<Option<String>>,
}

impl ReplaceJson {
    fn parse(&self, fields: &mut Fields) -> Option<ProjectDetails> {
        let client_name = fields.take("/client_name", ClientName::parse(&self.client_name));
        let description = fields.parse_optional("/description", self.description.as_ref(), Description::parse);
        let objectives = fields.parse_optional("/objectives", self.objectives.as_ref(), Description::parse);
        let priority = fields.parse_optional("/priority", self.priority.as_ref(), Priority::parse);
        Some(ProjectDetails {
            client_name: client_name?,
            description: description?,
            objectives: objectives?,
            priority: priority?,
        })
    }
}

impl NewProjectJson {
    fn parse(self) -> Result<NewProject, Problem> {
        let mut fields = Fields::default();
        let slug = fields.parse_optional("/project_id", self.project_id.as_ref(), Slug::parse);
        let Self { client_name, description, objectives, priority, .. } = self;
        match (slug, ReplaceJson { client_name, description, objectives, priority }.parse(&mut fields)) {
            (Some(slug), Some(details)) => Ok(NewProject { slug, details }),
            _ => Err(fields.into_problem()),
        }
    }
}

impl ChangeJson {
    fn parse(&self) -> Result<ProjectChange, Problem> {
        let mut fields = Fields::default();
        let client_name = fields.parse_optional("/client_name", self.client_name.as_ref(), ClientName::parse);
        let description = fields.parse_change("/description", self.description.as_ref(), Description::parse);
        let objectives = fields.parse_change("/objectives", self.objectives.as_ref(), Description::parse);
        let priority = fields.parse_change("/priority", self.priority.as_ref(), Priority::parse);
        match (client_name, description, objectives, priority) {
            (Some(client_name), Some(description), Some(objectives), Some(priority)) => {
                Ok(ProjectChange { client_name, description, objectives, priority })
            }
            _ => Err(fields.into_problem()),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectsQuery {
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

/// The filter that a query's `search` and `status` make.
pub(crate) fn project_filter(search: Option<&str>, status: Option<&str>) -> Result<ProjectFilter, Problem> {
    let mut fields = Fields::default();
    let status = fields.take_optional("?status", status.map(ProjectStatus::parse));
    let search = search.map(str::trim).filter(|search| !search.is_empty());
    let search = fields.take_optional("?search", search.map(SearchText::parse));
    match (search, status) {
        (Some(search), Some(status)) => Ok(ProjectFilter { search: search.map(|search| search.to_string()), status }),
        _ => Err(fields.into_problem()),
    }
}

/// The tenant's projects. All of them are had with the session in one query, being what every visit begins with.
pub(crate) async fn list<S: Store>(state: State<S>, door: TenantDoor<S>, request: HttpRequest) -> Answer {
    let query = Query::<ProjectsQuery>::from_query(request.query_string()).map_err(|error| Problem::bad_query(&error));
    let asked = query.and_then(|query| {
        let filter = project_filter(query.search.as_deref(), query.status.as_deref())?;
        Ok((filter, page_request(query.limit, query.cursor.as_deref(), query.count)?))
    });
    let page = match asked {
        Ok((filter, page)) if filter == ProjectFilter::default() => door.enter_with_projects(page).await?.1,
        // Who isn't signed in isn't told what else is wrong.
        asked => {
            let who = door.enter().await?;
            let (filter, page) = asked?;
            state.store.reader().projects_page(who.id(), &filter, page).await?
        }
    };
    Ok(HttpResponse::Ok().json(List::new(page, |project| project.id, ProjectJson::from)))
}

/// Makes a pending project.
pub(crate) async fn create<S: Store>(state: State<S>, who: TenantSession<S>, mut body: KeyedBody) -> Answer {
    let new = body.read::<NewProjectJson>().await?.parse()?;
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let project = create_project(store, cx, who.id(), new).await?;
        let location = format!("/api/tenant/projects/{}", project.id);
        let mut created = HttpResponse::Created();
        created.insert_header(("location", location)).insert_header(etag(project.version()));
        Ok(created.json(ProjectJson::from(project)))
    })
    .await
}

/// One project.
pub(crate) async fn read<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, seen: IfNoneMatch) -> Answer {
    let project = state.store.reader().project(who.id(), *id).await?.ok_or_else(Problem::not_found)?;
    Ok(seen.answer(project.version(), ProjectJson::from(project)))
}

/// Changes the fields that are sent.
pub(crate) async fn change<S: Store>(
    state: State<S>,
    who: TenantSession<S>,
    id: Path<ProjectId>,
    if_match: IfMatch,
    body: JsonBody,
) -> Answer {
    let expected = if_match.expected()?;
    let change = body.read::<ChangeJson>().await?.parse()?;
    let project = state
        .again(async || change_project(&state.store, &who.context(&state), who.id(), *id, change.clone(), &expected).await)
        .await?;
    Ok(HttpResponse::Ok().insert_header(etag(project.version())).json(ProjectJson::from(project)))
}

/// Replaces all that a tenant says of its project.
pub(crate) async fn replace<S: Store>(
    state: State<S>,
    who: TenantSession<S>,
    id: Path<ProjectId>,
    if_match: IfMatch,
    body: JsonBody,
) -> Answer {
    let expected = if_match.expected()?;
    let mut fields = Fields::default();
    let details = body.read::<ReplaceJson>().await?.parse(&mut fields).ok_or_else(|| fields.into_problem())?;
    let project = state
        .again(async || {
            change_project(&state.store, &who.context(&state), who.id(), *id, details.clone().into(), &expected).await
        })
        .await?;
    Ok(HttpResponse::Ok().insert_header(etag(project.version())).json(ProjectJson::from(project)))
}

/// Deletes a project.
pub(crate) async fn delete<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, if_match: IfMatch) -> Answer {
    let expected = if_match.expected()?;
    state.again(async || delete_project(&state.store, &who.context(&state), who.id(), *id, &expected).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Pauses, resumes or completes a project.
pub(crate) async fn transition<S: Store>(
    state: State<S>,
    who: TenantSession<S>,
    id: Path<ProjectId>,
    transition: Transition,
) -> Answer {
    let project =
        state.again(async || transition_project(&state.store, &who.context(&state), who.id(), *id, transition).await).await?;
    Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
}
