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

use std::collections::BTreeSet;

use tenantry_domain::{
    Actor, ApiKeyId, AuditEvent, OperatorId, Scope,
    ports::{ActorNames, AuditReads as _, Store},
};

use super::{cookie::Door, events::EventRow, webhooks};
use crate::{endpoints::events::whole, extract::Operator, operation::Operation, problem::Problem, state::AppState};

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

/// What happened, as an operator reads it.
async fn read<S: Store>(state: &AppState<S>, who: &Operator<S>, events: Vec<AuditEvent>) -> Result<Vec<EventRow>, Problem> {
    let names = names(state, who, &events).await?;
    let me = operators::me(who).map(|operator| operator.to_string());
    Ok(events.into_iter().map(|event| EventRow::new(whole(event), Door::Admin, me.as_deref(), &names)).collect())
}

/// What those are called who act in these events, or are acted on: one read for all of them, of what the operator may see.
async fn names<S: Store>(state: &AppState<S>, who: &Operator<S>, events: &[AuditEvent]) -> Result<ActorNames, Problem> {
    let (mut operators, mut api_keys) = (BTreeSet::new(), BTreeSet::new());
    for event in events {
        match &event.actor {
            Actor::Operator { operator, .. } => drop(operators.insert(*operator)),
            Actor::ApiKey(key) => api_keys.extend(key.parse::<ApiKeyId>()),
            Actor::Tenant { .. } | Actor::Anonymous | Actor::System => {}
        }
        if let Some(target) = &event.target {
            operators.extend(target.parse::<OperatorId>());
            api_keys.extend(target.parse::<ApiKeyId>());
        }
    }
    let operators: Vec<_> = operators.into_iter().filter(|_| who.scopes().has(Scope::OperatorsRead)).collect();
    let api_keys: Vec<_> = api_keys.into_iter().filter(|_| who.scopes().has(Scope::ApiKeysRead)).collect();
    Ok(state.store.reader().actor_names(&operators, &api_keys).await?)
}

/// The same, as it stands on the page of what has this identifier, which needn't be named there again.
async fn told<S: Store>(
    state: &AppState<S>,
    who: &Operator<S>,
    page: &str,
    events: Vec<AuditEvent>,
) -> Result<Vec<EventRow>, Problem> {
    let mut rows = read(state, who, events).await?;
    for row in &mut rows {
        row.target.take_if(|target| target.id == page);
        row.details.retain(|(_, value)| value != page);
    }
    Ok(rows)
}

/// Refuses who lacks a scope that a page needs beside the one that its route asks for.
fn need<S: Store>(who: &Operator<S>, scope: Scope) -> Result<(), Problem> {
    if who.scopes().has(scope) { Ok(()) } else { Err(Problem::lacks(scope)) }
}
