//! Everybody's projects, and those from before there were tenants, which are nobody's.

use actix_web::web;
use askama::Template;
use tenantry_domain::{
    Project, ProjectId, ProjectStatus, Scope,
    ports::{Ownership, ProjectFilter, ProjectReads as _, Store},
};

use super::lookup::{Owner, named_tenant, owners};
use crate::{
    console::{
        form::{Choice, Form},
        list::{choices, found},
        view::{Moment, Pager, Shell, Tag, admin_shell, asked_page, page},
    },
    endpoints::{Answer, State, tenant::projects::project_filter},
    extract::Operator,
    operation::{Operation, get},
    problem::Problem,
};

const HERE: &str = "/admin/projects";
const FILTERS: [&str; 3] = ["search", "status", "tenant"];

/// What stands for no tenant, as in the API.
const NOBODY: &str = "none";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![get("/admin/projects", web::to(list::<S>)).scope(Scope::ProjectsRead)]
}

#[derive(Template)]
#[template(path = "console/admin/projects.html")]
struct ProjectsPage<'a> {
    shell: &'a Shell,
    form: Form,
    projects: Vec<Row>,
    pager: Pager,
}

/// A project in a list.
pub(super) struct Row {
    pub id: ProjectId,
    pub client_name: String,
    pub slug: String,
    pub owner: Option<Owner>,
    pub status: Tag,
    pub started_at: Option<Moment>,
    pub created_at: Moment,
}

impl Row {
    /// The project; `owner`: in a list of everybody's.
    pub fn of(project: &Project, owner: Option<Owner>) -> Self {
        Self {
            id: project.id,
            client_name: project.details.client_name.to_string(),
            slug: project.slug.to_string(),
            owner,
            status: Tag::project(project.status),
            started_at: project.started_at.map(Moment),
            created_at: Moment(project.created_at),
        }
    }
}

/// How a project can stand, for a filter.
pub(super) fn statuses(asked: &str) -> Vec<Choice> {
    choices("All", ProjectStatus::ALL.into_iter().map(|status| Choice::word(status.as_str())), asked)
}

impl ProjectsPage<'_> {
    fn statuses(&self) -> Vec<Choice> {
        statuses(self.form.value("status"))
    }

    fn is_filtered(&self) -> bool {
        FILTERS.iter().any(|name| self.form.optional(name).is_some())
    }

    /// Whether the list is of those that nobody has.
    fn is_legacy(&self) -> bool {
        self.form.value("tenant") == NOBODY
    }
}

/// Whose projects are asked for, and which of them.
async fn wanted<S: Store>(state: &State<S>, asked: &Form) -> Result<(Ownership, ProjectFilter), Problem> {
    let filter = project_filter(asked.optional("search"), asked.optional("status"))?;
    if asked.value("tenant") == NOBODY {
        return Ok((Ownership::Nobody, filter));
    }
    Ok((named_tenant(state, asked, "tenant").await?.map_or(Ownership::Any, Ownership::Tenant), filter))
}

/// The projects that are asked for, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let request = asked_page(&asked)?;
    let projects = async {
        let (owned, filter) = wanted(&state, &asked).await?;
        Ok::<_, Problem>(state.store.reader().projects_of_anyone_page(owned, &filter, request).await?)
    };
    let projects = projects.await;
    let (status, form, projects) = found(asked, projects)?;
    let owners = owners(&state, &who, projects.items.iter().filter_map(|project| project.tenant_id)).await?;
    let shell = admin_shell(&state, &who, HERE, &form);
    let pager = Pager::new(HERE, &form, &FILTERS, &projects, |project| project.id);
    let owner = |project: &Project| project.tenant_id.and_then(|tenant| owners.get(&tenant).cloned());
    let projects = projects.items.iter().map(|project| Row::of(project, owner(project))).collect();
    page(&shell, status, &ProjectsPage { shell: &shell, form, projects, pager })
}
