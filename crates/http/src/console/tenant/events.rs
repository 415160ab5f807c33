//! A tenant's history: what was done by it, in its name and to it.

use actix_web::web;
use askama::Template;
use tenantry_domain::ports::{ActorNames, Store};

use crate::{
    console::{
        cookie::Door,
        events::{EventRow, FILTERS, file_address, filter, find, outcomes},
        form::{Choice, Form},
        list::choices,
        view::{Pager, Shell, page, tenant_shell},
    },
    endpoints::{
        Answer, State,
        events::{file, for_its_tenant},
        tenant::events::actor,
    },
    extract::TenantSession,
    operation::{Operation, get},
};

const HERE: &str = "/tenant/events";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![get("/tenant/events", web::to(list::<S>)).tenant(), get("/tenant/events/csv", web::to(export::<S>)).tenant()]
}

#[derive(Template)]
#[template(path = "console/tenant/events.html")]
struct EventsPage<'a> {
    shell: &'a Shell,
    form: Form,
    events: Vec<EventRow>,
    file: String,
    pager: Pager,
}

impl EventsPage<'_> {
    fn things(&self) -> Vec<Choice> {
        let known = [
            ("project.", "Projects"),
            ("activation.", "Refused and returned activations"),
            ("code.", "Single codes"),
            ("codes.", "Codes that were issued"),
            ("sign_in.", "Sign-ins"),
            ("session.", "Sessions"),
            ("subscription.", "Subscription"),
            ("webhook.", "Webhooks"),
            ("tenant.", "Profile"),
        ];
        choices("Everything", known.map(|(of, label)| Choice::new(of, label)), self.form.value("action"))
    }

    fn actors(&self) -> Vec<Choice> {
        let known = [("tenant", "You"), ("operator", "An operator"), ("api_key", "An API key"), ("anonymous", "Not signed in")];
        choices("Anybody", known.map(|(kind, label)| Choice::new(kind, label)), self.form.value("actor"))
    }

    fn outcomes(&self) -> Vec<Choice> {
        outcomes(self.form.value("outcome"))
    }

    fn is_filtered(&self) -> bool {
        FILTERS.iter().any(|&name| name != "zone" && self.form.optional(name).is_some())
    }
}

/// The tenant's events, newest first.
async fn list<S: Store>(state: State<S>, who: TenantSession<S>, asked: Form) -> Answer {
    let (status, form, events) = find(&state, Ok(Some(who.id())), asked, actor).await?;
    let shell = tenant_shell(&state, &who, HERE, &form);
    let (pager, file) = (Pager::new(HERE, &form, FILTERS, &events, |event| event.id), file_address(HERE, &form));
    let (me, nobody) = (who.id().to_string(), ActorNames::default());
    let events =
        events.items.into_iter().map(|event| EventRow::new(for_its_tenant(event), Door::Tenant, Some(&me), &nobody)).collect();
    page(&shell, status, &EventsPage { shell: &shell, form, events, file, pager })
}

/// All of them that the filters keep, as a file.
async fn export<S: Store>(state: State<S>, who: TenantSession<S>, asked: Form) -> Answer {
    file(&state.store, Some(who.id()), filter(&asked, actor)?, for_its_tenant).await
}
