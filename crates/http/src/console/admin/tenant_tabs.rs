//! What one tenant has: its codes, its projects, and what the audit trail says of it.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    AuditFilter, Scope, Tenant, TenantId,
    ports::{AuditReads as _, CodeReads as _, ProjectReads as _, Store},
};

use super::{
    codes::{Row as CodeRow, statuses as code_statuses},
    need,
    projects::{Row as ProjectRow, statuses as project_statuses},
    tenant::find,
    tenants::access,
    told,
};
use crate::{
    console::{
        events::EventRow,
        form::{Choice, Form},
        list::found,
        view::{Pager, Shell, Tag, admin_shell, asked_page, page},
    },
    endpoints::{
        Answer, State,
        tenant::{codes::code_filter, projects::project_filter},
    },
    extract::Operator,
    operation::{Operation, get},
    problem::Problem,
};

const HERE: &str = "/admin/tenants";
const CODE_FILTERS: [&str; 3] = ["status", "label", "hint"];
const PROJECT_FILTERS: [&str; 2] = ["search", "status"];

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/tenants/{id}/codes", web::to(codes::<S>)).scope(Scope::TenantsRead),
        get("/admin/tenants/{id}/projects", web::to(projects::<S>)).scope(Scope::TenantsRead),
        get("/admin/tenants/{id}/events", web::to(events::<S>)).scope(Scope::TenantsRead),
    ]
}

/// What stands above all pages of a tenant.
pub(super) struct TenantHead {
    pub id: TenantId,
    pub name: String,
    pub slug: String,
    pub tag: Tag,
    pub suspended: bool,
    pub may_write: bool,
    pub may_issue: bool,
    pub tabs: Vec<Tab>,
}

/// One of a tenant's pages.
pub(super) struct Tab {
    pub address: String,
    pub label: &'static str,
    pub here: bool,
}

impl TenantHead {
    /// The head of the page whose address ends with `here`, with the tabs that the operator may open.
    pub fn of<S: Store>(who: &Operator<S>, tenant: &Tenant, here: &str) -> Self {
        let may = |scope| who.scopes().has(scope);
        let tabs = [
            ("", "Overview", Scope::TenantsRead),
            ("/codes", "Codes", Scope::CodesRead),
            ("/projects", "Projects", Scope::ProjectsRead),
            ("/sessions", "Sessions", Scope::TenantsRead),
            ("/events", "Audit trail", Scope::AuditRead),
        ];
        let tab = |(end, label, _): (&str, &'static str, Scope)| Tab {
            address: format!("{HERE}/{}{end}", tenant.id),
            label,
            here: end == here,
        };
        Self {
            id: tenant.id,
            name: tenant.name.to_string(),
            slug: tenant.slug.to_string(),
            tag: access(tenant),
            suspended: tenant.suspended_at.is_some(),
            may_write: may(Scope::TenantsWrite),
            may_issue: may(Scope::CodesWrite),
            tabs: tabs.into_iter().filter(|&(.., scope)| may(scope)).map(tab).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/admin/tenant_codes.html")]
struct CodesPage<'a> {
    shell: &'a Shell,
    head: TenantHead,
    form: Form,
    codes: Vec<CodeRow>,
    pager: Pager,
}

impl CodesPage<'_> {
    fn statuses(&self) -> Vec<Choice> {
        code_statuses(self.form.value("status"))
    }

    fn is_filtered(&self) -> bool {
        CODE_FILTERS.iter().any(|name| self.form.optional(name).is_some())
    }
}

#[derive(Template)]
#[template(path = "console/admin/tenant_projects.html")]
struct ProjectsPage<'a> {
    shell: &'a Shell,
    head: TenantHead,
    form: Form,
    projects: Vec<ProjectRow>,
    pager: Pager,
}

impl ProjectsPage<'_> {
    fn statuses(&self) -> Vec<Choice> {
        project_statuses(self.form.value("status"))
    }

    fn is_filtered(&self) -> bool {
        PROJECT_FILTERS.iter().any(|name| self.form.optional(name).is_some())
    }
}

#[derive(Template)]
#[template(path = "console/admin/tenant_events.html")]
struct EventsPage<'a> {
    shell: &'a Shell,
    head: TenantHead,
    events: Vec<EventRow>,
    pager: Pager,
}

/// The tenant's codes, newest first.
async fn codes<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, asked: Form) -> Answer {
    need(&who, Scope::CodesRead)?;
    let (now, request, tenant) = (state.clock.now(), asked_page(&asked)?, find(&state, *id).await?);
    let codes = async {
        let filter = code_filter(asked.optional("status"), asked.optional("label"), asked.optional("hint"))?;
        Ok::<_, Problem>(state.store.reader().codes_page(*id, &filter, now, request).await?)
    };
    let codes = codes.await;
    let (status, form, codes) = found(asked, codes)?;
    let shell = admin_shell(&state, &who, HERE, &form);
    let head = TenantHead::of(&who, &tenant, "/codes");
    let pager = Pager::new(&format!("{HERE}/{id}/codes"), &form, &CODE_FILTERS, &codes, |code| code.id);
    let codes = codes.items.into_iter().map(|code| CodeRow::of(code, now, None)).collect();
    page(&shell, status, &CodesPage { shell: &shell, head, form, codes, pager })
}

/// The tenant's projects, newest first.
async fn projects<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, asked: Form) -> Answer {
    need(&who, Scope::ProjectsRead)?;
    let (request, tenant) = (asked_page(&asked)?, find(&state, *id).await?);
    let projects = async {
        let filter = project_filter(asked.optional("search"), asked.optional("status"))?;
        Ok::<_, Problem>(state.store.reader().projects_page(*id, &filter, request).await?)
    };
    let projects = projects.await;
    let (status, form, projects) = found(asked, projects)?;
    let shell = admin_shell(&state, &who, HERE, &form);
    let head = TenantHead::of(&who, &tenant, "/projects");
    let pager = Pager::new(&format!("{HERE}/{id}/projects"), &form, &PROJECT_FILTERS, &projects, |project| project.id);
    let projects = projects.items.iter().map(|project| ProjectRow::of(project, None)).collect();
    page(&shell, status, &ProjectsPage { shell: &shell, head, form, projects, pager })
}

/// What happened to the tenant and by it, newest first.
async fn events<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, asked: Form) -> Answer {
    need(&who, Scope::AuditRead)?;
    let (request, tenant) = (asked_page(&asked)?, find(&state, *id).await?);
    let events = state.store.reader().audit_page(Some(*id), &AuditFilter::default(), request).await?;
    let shell = admin_shell(&state, &who, HERE, &asked);
    let head = TenantHead::of(&who, &tenant, "/events");
    let pager = Pager::new(&format!("{HERE}/{id}/events"), &asked, &[], &events, |event| event.id);
    let events = told(&state, &who, &id.to_string(), events.items).await?;
    page(&shell, StatusCode::OK, &EventsPage { shell: &shell, head, events, pager })
}
