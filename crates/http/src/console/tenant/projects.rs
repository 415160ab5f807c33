//! A tenant's first page: its projects, its quota and its codes at a glance. And the form that makes a project.

use actix_web::{HttpRequest, http::StatusCode, web};
use askama::Template;
use tenantry_domain::{
    ClientName, Description, NewProject, Priority, Project, ProjectDetails, ProjectId, ProjectStatus, Slug, create_project,
    ports::{CodeReads as _, LedgerReads as _, ProjectReads as _, Store, TenantReads as _},
};

use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        list::{choices, found},
        view::{Moment, Pager, Shell, Tag, asked_page, page, see_other, tenant_shell},
    },
    endpoints::{Answer, State, tenant::projects::project_filter},
    extract::TenantSession,
    once::Keyed,
    operation::{Operation, get, post},
    problem::{Fields, Problem},
};

const HERE: &str = "/tenant";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/tenant", web::to(list::<S>)).tenant(),
        post("/tenant/projects/new", web::to(create::<S>)).tenant(),
        get("/tenant/projects/new", web::to(new::<S>)).tenant(),
    ]
}

#[derive(Template)]
#[template(path = "console/tenant/projects.html")]
struct ProjectsPage<'a> {
    shell: &'a Shell,
    form: Form,
    glance: Glance,
    projects: Vec<Row>,
    pager: Pager,
}

/// What a tenant has, in figures.
struct Glance {
    subscription: Tag,
    used: u32,
    quota: u32,
    month_ends_at: Moment,
    available_codes: u64,
    used_codes: u64,
}

struct Row {
    id: ProjectId,
    slug: String,
    client_name: String,
    priority: String,
    status: Tag,
    created_at: Moment,
}

impl From<Project> for Row {
    fn from(project: Project) -> Self {
        Self {
            id: project.id,
            slug: project.slug.to_string(),
            client_name: project.details.client_name.to_string(),
            priority: project.details.priority.map(|priority| priority.to_string()).unwrap_or_default(),
            status: Tag::project(project.status),
            created_at: Moment(project.created_at),
        }
    }
}

impl ProjectsPage<'_> {
    fn statuses(&self) -> Vec<Choice> {
        let words = ProjectStatus::ALL.into_iter().map(|status| Choice::word(status.as_str()));
        choices("All", words, self.form.value("status"))
    }
}

#[derive(Template)]
#[template(path = "console/tenant/project_new.html")]
struct NewProjectPage<'a> {
    shell: &'a Shell,
    form: Form,
}

/// The tenant's projects, newest first, below what it has.
async fn list<S: Store>(state: State<S>, who: TenantSession<S>, asked: Form) -> Answer {
    let asked_page = asked_page(&asked)?;
    let projects = async {
        let filter = project_filter(asked.optional("search"), asked.optional("status"))?;
        Ok::<_, Problem>(state.store.reader().projects_page(who.id(), &filter, asked_page).await?)
    };
    let projects = projects.await;
    let (status, form, projects) = found(asked, projects)?;
    let glance = glance(&state, &who).await?;
    let shell = tenant_shell(&state, &who, HERE, &form);
    let pager = Pager::new(HERE, &form, &["search", "status"], &projects, |project| project.id);
    let projects = projects.items.into_iter().map(Row::from).collect();
    page(&shell, status, &ProjectsPage { shell: &shell, form, glance, projects, pager })
}

async fn glance<S: Store>(state: &State<S>, who: &TenantSession<S>) -> Result<Glance, Problem> {
    let now = state.clock.now();
    let mut reader = state.store.reader();
    let entitlement = reader.entitlement(who.id()).await?.ok_or_else(Problem::not_found)?;
    let used = reader.activations_in(who.id(), now.month()).await?;
    let [_revoked, _expired, used_codes, available_codes] = reader.count_codes(who.id(), now).await?;
    Ok(Glance {
        subscription: Tag::subscription(entitlement.state),
        used,
        quota: entitlement.quota.get(),
        month_ends_at: Moment(now.month().end()),
        available_codes,
        used_codes,
    })
}

async fn new<S: Store>(state: State<S>, who: TenantSession<S>, asked: Form) -> Answer {
    let shell = tenant_shell(&state, &who, HERE, &asked);
    page(&shell, StatusCode::OK, &NewProjectPage { shell: &shell, form: Form::default().keyed(state.entropy.as_ref()) })
}

/// What both forms of a project say of it.
pub(super) fn details(form: &Form, fields: &mut Fields) -> Option<ProjectDetails> {
    let client_name = fields.take("/client_name", ClientName::parse(form.value("client_name")));
    let description = fields.take_optional("/description", form.optional("description").map(Description::parse));
    let objectives = fields.take_optional("/objectives", form.optional("objectives").map(Description::parse));
    let priority = fields.take_optional("/priority", form.optional("priority").map(Priority::parse));
    Some(ProjectDetails { client_name: client_name?, description: description?, objectives: objectives?, priority: priority? })
}

async fn create<S: Store>(state: State<S>, who: TenantSession<S>, request: HttpRequest, mut body: FormBody) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let created = async {
        let mut fields = Fields::default();
        let slug = fields.take_optional("/project_id", form.optional("project_id").map(Slug::parse));
        let (Some(slug), Some(details)) = (slug, details(&form, &mut fields)) else { return Err(fields.into_problem()) };
        keyed
            .answer_once(&sent, &state, who.context(&state), async |store, cx| {
                let project = create_project(store, cx, who.id(), NewProject { slug, details }).await?;
                Ok(see_other(format!("/tenant/projects/{}?done=created", project.id)))
            })
            .await
    };
    match created.await {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let (shell, status) = (tenant_shell(&state, &who, HERE, &Form::default()), problem.code.status());
            page(&shell, status, &NewProjectPage { shell: &shell, form: form.refused(problem) })
        }
    }
}
