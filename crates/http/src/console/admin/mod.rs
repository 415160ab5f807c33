//! The operators' pages.

mod account;
mod api_keys;
mod batches;
mod chart;
mod code;
mod code_check;
mod codes;
mod dashboard;
mod events;
mod issue_codes;
mod lookup;
mod messages;
mod new_tenant;
mod operators;
mod plans;
mod project;
mod projects;
mod reveal;
mod tenant;
mod tenant_delete;
mod tenant_sessions;
mod tenant_tabs;
mod tenants;

use tenantry_domain::{AuditEvent, Scope, ports::Store};

use super::{cookie::Door, events::EventRow, webhooks};
use crate::{endpoints::events::whole, extract::Operator, operation::Operation, problem::Problem};

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    [
        dashboard::pages::<S>(),
        tenants::pages::<S>(),
        new_tenant::pages::<S>(),
        tenant::pages::<S>(),
        tenant_sessions::pages::<S>(),
        tenant_tabs::pages::<S>(),
        tenant_delete::pages::<S>(),
        issue_codes::pages::<S>(),
        plans::pages::<S>(),
        codes::pages::<S>(),
        code::pages::<S>(),
        code_check::pages::<S>(),
        batches::pages::<S>(),
        projects::pages::<S>(),
        project::pages::<S>(),
        events::pages::<S>(),
        messages::pages::<S>(),
        operators::pages::<S>(),
        api_keys::pages::<S>(),
        webhooks::admin_pages::<S>(),
        account::pages::<S>(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What happened, as it stands on the page of what has this identifier, which needn't be named there again.
fn told<S: Store>(who: &Operator<S>, page: &str, events: Vec<AuditEvent>) -> Vec<EventRow> {
    let me = operators::me(who).map(|operator| operator.to_string());
    let mut rows: Vec<_> = events.into_iter().map(|event| EventRow::new(whole(event), Door::Admin, me.as_deref())).collect();
    for row in &mut rows {
        row.target.take_if(|target| target.id == page);
        row.details.retain(|(_, value)| value != page);
    }
    rows
}

/// Refuses who lacks a scope that a page needs beside the one that its route asks for.
fn need<S: Store>(who: &Operator<S>, scope: Scope) -> Result<(), Problem> {
    if who.scopes().has(scope) { Ok(()) } else { Err(Problem::lacks(scope)) }
}
