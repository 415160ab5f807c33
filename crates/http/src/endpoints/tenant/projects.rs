//! A tenant's projects.

use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use serde::{Deserialize, Deserializer, Serialize};
use tenantry_domain::{
    ClientName, CodeId, Description, NewProject, Priority, Project, ProjectDetails, ProjectId, ProjectStatus, Slug, Timestamp,
    Transition, change_project, create_project, delete_project,
    ports::{ProjectFilter, ProjectReads as _, Store},
    transition_project,
};

use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    extract::TenantSession,
    paging::{List, page_request},
    problem::{Fields, Problem},
};

/// A project as its tenant sees it.
#[derive(Serialize)]
pub(crate) struct ProjectJson {
    id: ProjectId,
    project_id: Slug,
    client_name: ClientName,
    description: Option<Description>,
    objectives: Option<Description>,
    priority: Option<Priority>,
    project_status: &'static str,
    activation_code_id: Option<CodeId>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    created_at: Timestamp,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProjectJson {
    project_id: Option<String>,
    client_name: String,
    description: Option<String>,
    objectives: Option<String>,
    priority: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceJson {
    client_name: String,
    description: Option<String>,
    objectives: Option<String>,
    priority: Option<String>,
}

/// A change: what is absent stays, what is null is cleared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeJson {
    client_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    objectives: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    priority: Option<Option<String>>,
}

/// Tells a field that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The details that the fields make, with a note for each that can't be taken.
fn details(
    fields: &mut Fields,
    client_name: &str,
    description: Option<&str>,
    objectives: Option<&str>,
    priority: Option<&str>,
) -> Option<ProjectDetails> {
    let client_name = fields.take("/client_name", ClientName::parse(client_name));
    let description = fields.take_optional("/description", description.map(Description::parse));
    let objectives = fields.take_optional("/objectives", objectives.map(Description::parse));
    let priority = fields.take_optional("/priority", priority.map(Priority::parse));
    Some(ProjectDetails { client_name: client_name?, description: description?, objectives: objectives?, priority: priority? })
}

impl NewProjectJson {
    fn parse(&self) -> Result<NewProject, Problem> {
        let mut fields = Fields::default();
        let slug = fields.take_optional("/project_id", self.project_id.as_deref().map(Slug::parse));
        let (description, objectives) = (self.description.as_deref(), self.objectives.as_deref());
        match (slug, details(&mut fields, &self.client_name, description, objectives, self.priority.as_deref())) {
            (Some(slug), Some(details)) => Ok(NewProject { slug, details }),
            _ => Err(fields.into_problem()),
        }
    }
}

impl ReplaceJson {
    fn parse(&self) -> Result<ProjectDetails, Problem> {
        let mut fields = Fields::default();
        let (description, objectives) = (self.description.as_deref(), self.objectives.as_deref());
        let details = details(&mut fields, &self.client_name, description, objectives, self.priority.as_deref());
        details.ok_or_else(|| fields.into_problem())
    }
}

impl ChangeJson {
    fn apply(self, to: ProjectDetails) -> Result<ProjectDetails, Problem> {
        let text = |value: Option<String>, or: Option<Description>| value.or_else(|| or.map(|text| text.to_string()));
        let keep = |change: Option<Option<String>>, or| change.unwrap_or_else(|| text(None, or));
        ReplaceJson {
            client_name: self.client_name.unwrap_or_else(|| to.client_name.to_string()),
            description: keep(self.description, to.description),
            objectives: keep(self.objectives, to.objectives),
            priority: self.priority.unwrap_or_else(|| to.priority.map(|text| text.to_string())),
        }
        .parse()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectsQuery {
    search: Option<String>,
    status: Option<String>,
    limit: Option<u16>,
    cursor: Option<String>,
}

/// The filter that a query's `search` and `status` make.
pub(crate) fn project_filter(search: Option<&str>, status: Option<&str>) -> Result<ProjectFilter, Problem> {
    let mut fields = Fields::default();
    let status = fields.take_optional("?status", status.map(ProjectStatus::parse));
    let search = search.map(str::trim).filter(|search| !search.is_empty());
    let search = fields.take_optional("?search", search.map(ClientName::parse));
    match (search, status) {
        (Some(search), Some(status)) => Ok(ProjectFilter { search: search.map(|search| search.to_string()), status }),
        _ => Err(fields.into_problem()),
    }
}

/// The tenant's projects.
pub(crate) async fn list<S: Store>(state: State<S>, who: TenantSession<S>, query: Query<ProjectsQuery>) -> Answer {
    let filter = project_filter(query.search.as_deref(), query.status.as_deref())?;
    let page = page_request(query.limit, query.cursor.as_deref())?;
    let page = state.store.reader().projects_page(who.id(), &filter, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |project| project.id, ProjectJson::from)))
}

/// Makes a pending project.
pub(crate) async fn create<S: Store>(state: State<S>, who: TenantSession<S>, body: JsonBody) -> Answer {
    let new = body.read::<NewProjectJson>().await?.parse()?;
    let project = create_project(&state.store, &who.context(&state), who.id(), new).await?;
    let location = format!("/api/tenant/projects/{}", project.id);
    Ok(HttpResponse::Created().insert_header(("location", location)).json(ProjectJson::from(project)))
}

/// One project.
pub(crate) async fn read<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    let project = state.store.reader().project(who.id(), *id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
}

/// Changes the fields that are sent.
pub(crate) async fn change<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, body: JsonBody) -> Answer {
    let change = body.read::<ChangeJson>().await?;
    let project = state.store.reader().project(who.id(), *id).await?.ok_or_else(Problem::not_found)?;
    let details = change.apply(project.details)?;
    let project = change_project(&state.store, &who.context(&state), who.id(), *id, &details).await?;
    Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
}

/// Replaces all that a tenant says of its project.
pub(crate) async fn replace<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, body: JsonBody) -> Answer {
    let details = body.read::<ReplaceJson>().await?.parse()?;
    let project = change_project(&state.store, &who.context(&state), who.id(), *id, &details).await?;
    Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
}

/// Deletes a project.
pub(crate) async fn delete<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>) -> Answer {
    delete_project(&state.store, &who.context(&state), who.id(), *id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Pauses, resumes or completes a project.
pub(crate) async fn transition<S: Store>(
    state: State<S>,
    who: TenantSession<S>,
    id: Path<ProjectId>,
    transition: Transition,
) -> Answer {
    let project = transition_project(&state.store, &who.context(&state), who.id(), *id, transition).await?;
    Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
}
