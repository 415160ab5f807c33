//! The audit trail.

use actix_web::web;
use askama::Template;
use tenantry_domain::{
    ActorFilter, InvalidValue, Scope, Slug, TenantId,
    ports::{Store, TenantReads as _},
};

use super::read;
use crate::{
    console::{
        events::{EventRow, FILTERS, file_address, filter, find, outcomes, resources},
        form::{Choice, Form},
        list::choices,
        view::{Pager, Shell, admin_shell, page},
    },
    endpoints::{
        Answer, State,
        events::{file, whole},
    },
    extract::Operator,
    operation::{Operation, get},
    problem::Problem,
};

const HERE: &str = "/admin/events";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/events", web::to(list::<S>)).scope(Scope::AuditRead),
        get("/admin/events/csv", web::to(export::<S>)).scope(Scope::AuditRead),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/events.html")]
struct EventsPage<'a> {
    shell: &'a Shell,
    form: Form,
    events: Vec<EventRow>,
    file: String,
    pager: Pager,
}

impl EventsPage<'_> {
    fn actors(&self) -> Vec<Choice> {
        let known = [
            ("tenant", "Tenants"),
            ("operator", "Operators"),
            ("api_key", "API keys"),
            ("anonymous", "Not signed in"),
            ("system", "The server"),
        ];
        choices("Anybody", known.map(|(kind, label)| Choice::new(kind, label)), self.form.value("actor"))
    }

    fn outcomes(&self) -> Vec<Choice> {
        outcomes(self.form.value("outcome"))
    }

    fn resources(&self) -> Vec<Choice> {
        resources(self.form.value("action"))
    }

    fn is_filtered(&self) -> bool {
        FILTERS.iter().any(|&name| name != "zone" && self.form.optional(name).is_some())
    }
}

/// All events, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let tenant = tenant(&state, &asked).await;
    let (status, form, events) = find(&state, tenant, asked, ActorFilter::parse).await?;
    let shell = admin_shell(&state, &who, HERE, &form);
    let (pager, file) = (Pager::new(HERE, &form, FILTERS, &events, |event| event.id), file_address(HERE, &form));
    let events = read(&state, &who, events.items).await?;
    page(&shell, status, &EventsPage { shell: &shell, form, events, file, pager })
}

/// All of them that the filters keep, as a file.
async fn export<S: Store>(state: State<S>, _who: Operator<S>, asked: Form) -> Answer {
    let tenant = tenant(&state, &asked).await?;
    file(&state.store, tenant, filter(&asked, ActorFilter::parse)?, whole).await
}

/// The tenant that is asked for: by its identifier, also once it is deleted, or by its account.
async fn tenant<S: Store>(state: &State<S>, asked: &Form) -> Result<Option<TenantId>, Problem> {
    let Some(text) = asked.optional("tenant") else { return Ok(None) };
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    let slug = Slug::parse(text).map_err(|invalid| Problem::field("?tenant", invalid))?;
    let unknown = || Problem::field("?tenant", InvalidValue::new("unknown_tenant", "no tenant has this account"));
    let tenant = state.store.reader().tenant_by_slug(&slug).await?.ok_or_else(unknown)?;
    Ok(Some(tenant.id))
}
