//! A tenant's projects.

use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use serde::{Deserialize, Deserializer, Serialize};
use tenantry_domain::{
    ClientName, CodeId, Description, InvalidValue, NewProject, Priority, Project, ProjectChange, ProjectDetails, ProjectId,
    ProjectStatus, SearchText, Slug, Timestamp, Transition, change_project, create_project, delete_project,
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

/// A description, objectives, or a priority that may be absent, parsed, with a note if it can't be taken.
fn optional<T>(
    fields: &mut Fields,
    pointer: &str,
    text: Option<&String>,
    parse: fn(&str) -> Result<T, InvalidValue>,
) -> Option<Option<T>> {
    fields.take_optional(pointer, text.map(|text| parse(text)))
}

impl ReplaceJson {
    fn parse(&self, fields: &mut Fields) -> Option<ProjectDetails> {
        let client_name = fields.take("/client_name", ClientName::parse(&self.client_name));
        let description = optional(fields, "/description", self.description.as_ref(), Description::parse);
        let objectives = optional(fields, "/objectives", self.objectives.as_ref(), Description::parse);
        let priority = optional(fields, "/priority", self.priority.as_ref(), Priority::parse);
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
        let slug = optional(&mut fields, "/project_id", self.project_id.as_ref(), Slug::parse);
        let Self { client_name, description, objectives, priority, .. } = self;
        match (slug, ReplaceJson { client_name, description, objectives, priority }.parse(&mut fields)) {
            (Some(slug), Some(details)) => Ok(NewProject { slug, details }),
            _ => Err(fields.into_problem()),
        }
    }
}

impl ChangeJson {
    fn parse(&self) -> Result<ProjectChange, Problem> {
        /// A detail that is absent stays, one that is null is cleared, and one that is text is parsed.
        fn change<T>(
            fields: &mut Fields,
            pointer: &str,
            sent: Option<&Option<String>>,
            parse: fn(&str) -> Result<T, InvalidValue>,
        ) -> Option<Option<Option<T>>> {
            let Some(text) = sent else { return Some(None) };
            optional(fields, pointer, text.as_ref(), parse).map(Some)
        }
        let mut fields = Fields::default();
        let client_name = optional(&mut fields, "/client_name", self.client_name.as_ref(), ClientName::parse);
        let description = change(&mut fields, "/description", self.description.as_ref(), Description::parse);
        let objectives = change(&mut fields, "/objectives", self.objectives.as_ref(), Description::parse);
        let priority = change(&mut fields, "/priority", self.priority.as_ref(), Priority::parse);
        match (client_name, description, objectives, priority) {
            (Some(client_name), Some(description), Some(objectives), Some(priority)) => {
                Ok(ProjectChange { client_name, description, objectives, priority })
            }
            _ => Err(fields.into_problem()),
        }
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
    let search = fields.take_optional("?search", search.map(SearchText::parse));
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
    let change = body.read::<ChangeJson>().await?.parse()?;
    let project = change_project(&state.store, &who.context(&state), who.id(), *id, change).await?;
    Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
}

/// Replaces all that a tenant says of its project.
pub(crate) async fn replace<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, body: JsonBody) -> Answer {
    let mut fields = Fields::default();
    let details = body.read::<ReplaceJson>().await?.parse(&mut fields).ok_or_else(|| fields.into_problem())?;
    let project = change_project(&state.store, &who.context(&state), who.id(), *id, details.into()).await?;
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
