//! One project, as operators see it: whose it is, and what activated it.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    InvalidValue, Project, ProjectId, ProjectStatus, Scope, assign_project,
    ports::{ProjectReads as _, Store},
    return_activation,
};

use super::lookup::{Owner, named_tenant, owner};
use crate::{
    console::{
        cookie::Door,
        events::Thing,
        form::Form,
        form_body::FormBody,
        view::{Moment, Shell, Tag, admin_shell, page, see_other},
    },
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/projects";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/projects/{id}", web::to(show::<S>)).scope(Scope::ProjectsRead),
        post("/admin/projects/{id}/assign", web::to(assign::<S>)).scope(Scope::ProjectsWrite),
        post("/admin/projects/{id}/return", web::to(give_back::<S>)).scope(Scope::ProjectsWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/project.html")]
struct ProjectPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    may_return: bool,
    id: ProjectId,
    slug: String,
    client_name: String,
    tag: Tag,
    owner: Option<Owner>,
    code: Option<Thing>,
    texts: Vec<(&'static str, String)>,
    created_by: Option<String>,
    started_at: Option<Moment>,
    completed_at: Option<Moment>,
    created_at: Moment,
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<ProjectId>, asked: Form) -> Answer {
    answer(&state, &who, *id, &asked, StatusCode::OK, Form::default()).await
}

/// Gives a project that nobody has to a tenant.
async fn assign<S: Store>(state: State<S>, who: Operator<S>, id: Path<ProjectId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let assigned = async {
        let nobody = || Problem::field("/tenant_id", InvalidValue::new("empty", "must name the tenant"));
        let tenant = named_tenant(&state, &form, "tenant_id").await?.ok_or_else(nobody)?;
        state.again(async || assign_project(&state.store, &who.context(&state), *id, tenant).await).await
    };
    match assigned.await {
        Ok(_) => Ok(see_other(format!("{HERE}/{id}?done=assigned"))),
        Err(problem) => refused(&state, &who, *id, form, problem.beside("/tenant_id")).await,
    }
}

/// Undoes the activation of the project whose short name was typed to say that it is meant.
async fn give_back<S: Store>(state: State<S>, who: Operator<S>, id: Path<ProjectId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let returned = async {
        form.confirms("confirm", find(&state, *id).await?.slug.as_str())?;
        state.again(async || return_activation(&state.store, &who.context(&state), *id).await).await
    };
    match returned.await {
        Ok(_) => Ok(see_other(format!("{HERE}/{id}?done=returned"))),
        Err(problem) => refused(&state, &who, *id, form, problem).await,
    }
}

async fn find<S: Store>(state: &State<S>, id: ProjectId) -> Result<Project, Problem> {
    state.store.reader().project_of_anyone(id).await?.ok_or_else(Problem::not_found)
}

/// The project's page again, with what was sent and why it was refused.
async fn refused<S: Store>(state: &State<S>, who: &Operator<S>, id: ProjectId, form: Form, problem: Problem) -> Answer {
    let status = problem.code.status();
    answer(state, who, id, &Form::default(), status, form.refused(problem)).await
}

async fn answer<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    id: ProjectId,
    asked: &Form,
    status: StatusCode,
    form: Form,
) -> Answer {
    let project = find(state, id).await?;
    let may_write = who.scopes().has(Scope::ProjectsWrite);
    let running = matches!(project.status, ProjectStatus::Active | ProjectStatus::Paused);
    let details = project.details;
    let texts = [
        ("Description", details.description.map(|text| text.to_string())),
        ("Objectives", details.objectives.map(|text| text.to_string())),
        ("Priority", details.priority.map(|text| text.to_string())),
    ];
    let owner = match project.tenant_id {
        Some(tenant) => Some(owner(state, who, tenant).await?),
        None => None,
    };
    let shell = admin_shell(state, who, HERE, asked);
    let shown = ProjectPage {
        shell: &shell,
        form,
        may_write,
        may_return: may_write && running && project.activation_code_id.is_some(),
        id,
        slug: project.slug.to_string(),
        client_name: details.client_name.to_string(),
        tag: Tag::project(project.status),
        owner,
        code: project.activation_code_id.map(|code| Thing::new(code.to_string(), Door::Admin)),
        texts: texts.into_iter().filter_map(|(label, text)| Some((label, text?))).collect(),
        created_by: project.created_by,
        started_at: project.started_at.map(Moment),
        completed_at: project.completed_at.map(Moment),
        created_at: Moment(project.created_at),
    };
    page(&shell, status, &shown)
}
