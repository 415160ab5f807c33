//! Events of the audit trail, for those who may see all of them and for tenants, who see their own.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Bytes};
use futures_util::Stream;
use serde::Serialize;
use tenantry_domain::{
    Action, ActionFilter, Actor, ActorFilter, AuditEvent, AuditEventId, AuditFilter, InvalidValue, Outcome, PageLimit,
    PageRequest, TenantId, Timestamp,
    ports::{AuditReads as _, Store},
};
use utoipa::ToSchema;

use crate::{
    csv_answer::{Cut, Rows, cell, csv_answer, pages, wants_csv},
    endpoints::Answer,
    paging::List,
    problem::{Fields, Problem},
    schema,
};

/// An event of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventJson {
    #[schema(value_type = schema::EventId)]
    pub id: AuditEventId,
    /// When.
    #[schema(value_type = schema::Moment)]
    pub at: Timestamp,
    /// The tenant that it concerns, also once that is deleted.
    #[schema(value_type = Option<schema::TenantId>)]
    pub tenant_id: Option<TenantId>,
    pub actor: ActorJson,
    /// Did what.
    #[schema(value_type = schema::Action)]
    pub action: String,
    /// How that came out: done, or refused. Missing where this version doesn't know the action.
    #[schema(value_type = Option<schema::Outcome>)]
    pub outcome: Option<&'static str>,
    /// To what.
    #[schema(example = "prj_018bcfe568007000800000000000000a")]
    pub target: Option<String>,
    /// From which address.
    #[schema(example = "203.0.113.9")]
    pub client_ip: Option<String>,
    /// In which request, as `X-Request-Id` said.
    #[schema(example = "req_018bcfe568007000800000000000000a")]
    pub request_id: Option<String>,
    /// In which trace (W3C Trace Context): that of the request's `traceparent`, or one of its own.
    #[schema(value_type = Option<schema::TraceId>)]
    pub trace_id: Option<String>,
    /// What else there is to say: what changed, and why something was refused.
    pub details: BTreeMap<String, String>,
}

/// Who acted.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub(crate) struct ActorJson {
    #[schema(value_type = schema::ActorKind)]
    pub kind: &'static str,
    /// Which one: a tenant's, an operator's or an API key's id; the name of a key that the server was configured with.
    pub id: Option<String>,
    /// In which of its sessions.
    pub session_id: Option<String>,
}

impl From<&Actor> for ActorJson {
    fn from(actor: &Actor) -> Self {
        let (id, session_id) = match actor {
            Actor::Tenant { tenant, session } => (Some(tenant.to_string()), Some(session.to_string())),
            Actor::Operator { operator, session } => (Some(operator.to_string()), Some(session.to_string())),
            Actor::ApiKey(key) => (Some(key.clone()), None),
            Actor::Anonymous | Actor::System => (None, None),
        };
        Self { kind: actor.kind(), id, session_id }
    }
}

/// The event, whole.
pub(crate) fn whole(event: AuditEvent) -> EventJson {
    EventJson {
        id: event.id,
        at: event.at,
        tenant_id: event.tenant_id,
        actor: ActorJson::from(&event.actor),
        outcome: Action::of_word(&event.action).map(|action| action.outcome().as_str()),
        action: event.action,
        target: event.target,
        client_ip: event.client_ip.map(|address| address.to_string()),
        request_id: event.request_id,
        trace_id: event.trace_id.map(|trace| trace.to_string()),
        details: event.details,
    }
}

/// The event as the tenant that it concerns sees it: an operator is an operator, whoever it is and wherever it sits.
pub(crate) fn for_its_tenant(event: AuditEvent) -> EventJson {
    let its_own = matches!(event.actor, Actor::Tenant { .. } | Actor::Anonymous);
    let event = whole(event);
    if its_own {
        return event;
    }
    let actor = ActorJson { id: None, session_id: None, ..event.actor };
    EventJson { actor, client_ip: None, request_id: None, trace_id: None, ..event }
}

/// What a query asks for, as it came.
pub(crate) struct Asked<'a> {
    pub actor: Option<&'a str>,
    pub action: Option<&'a str>,
    pub outcome: Option<&'a str>,
    pub target: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
}

impl Asked<'_> {
    /// The filter that it makes; `which` reads the actor.
    pub fn parse(&self, which: fn(&str) -> Result<ActorFilter, InvalidValue>) -> Result<AuditFilter, Problem> {
        let mut fields = Fields::default();
        let actor = fields.take_optional("?actor", self.actor.map(which));
        let action = fields.take_optional("?action", self.action.map(ActionFilter::parse));
        let outcome = fields.take_optional("?outcome", self.outcome.map(Outcome::parse));
        let target = fields.take_optional("?target", self.target.map(identifier));
        let request_id = fields.take_optional("?request_id", self.request_id.map(identifier));
        let from = fields.take_optional("?from", self.from.map(str::parse));
        let to = fields.take_optional("?to", self.to.map(str::parse));
        match (actor, action, outcome, target, request_id, from, to) {
            (Some(actor), Some(action), Some(outcome), Some(target), Some(request_id), Some(from), Some(to)) => {
                let action = match outcome {
                    Some(outcome) => Some(action.map_or_else(|| ActionFilter::of(outcome), |action| action.and(outcome))),
                    None => action,
                };
                Ok(AuditFilter { actor, action, target, request_id, from, to })
            }
            _ => Err(fields.into_problem()),
        }
    }
}

/// Any identifier, of whatever kind.
fn identifier(text: &str) -> Result<String, InvalidValue> {
    let is_one = text.split_once('_').is_some_and(|(prefix, rest)| {
        prefix.bytes().all(|byte| byte.is_ascii_lowercase())
            && rest.len() == 32
            && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    });
    let invalid = || InvalidValue::new("invalid_identifier", "must be an identifier, such as `prj_..`");
    if is_one { Ok(text.to_owned()) } else { Err(invalid()) }
}

/// The events that a filter keeps: a page of them, or, as CSV, all.
pub(super) async fn answer<S: Store>(
    request: &HttpRequest,
    store: &S,
    tenant: Option<TenantId>,
    filter: AuditFilter,
    page: PageRequest<AuditEvent>,
    show: fn(AuditEvent) -> EventJson,
) -> Answer {
    if wants_csv(request) {
        return file(store, tenant, filter, show).await;
    }
    let page = store.reader().audit_page(tenant, &filter, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |event| event.id, show)))
}

/// All events that a filter keeps, as a file.
pub(crate) async fn file<S: Store>(
    store: &S,
    tenant: Option<TenantId>,
    filter: AuditFilter,
    show: fn(AuditEvent) -> EventJson,
) -> Answer {
    let pieces = as_csv(store.clone(), tenant, filter, show).await?;
    Ok(csv_answer(HttpResponse::Ok(), "events.csv".to_owned(), pieces))
}

const COLUMNS: &[&str] = &[
    "id",
    "at",
    "tenant_id",
    "actor_kind",
    "actor_id",
    "session_id",
    "action",
    "outcome",
    "target",
    "client_ip",
    "request_id",
    "details",
    "trace_id",
];

async fn as_csv<S: Store>(
    store: S,
    tenant: Option<TenantId>,
    filter: AuditFilter,
    show: fn(AuditEvent) -> EventJson,
) -> Result<impl Stream<Item = Result<Bytes, Cut>> + 'static, Problem> {
    let limit = PageLimit::new(PageLimit::MAX).unwrap_or_default();
    pages(COLUMNS, move |after| {
        let (mut reader, filter) = (store.reader(), filter.clone());
        async move {
            let page = reader.audit_page(tenant, &filter, PageRequest { limit, after, count: false }).await?;
            let next = page.items.last().map(|event| event.id).filter(|_| page.has_more);
            let mut rows = Rows::new();
            for event in page.items {
                rows.push(show(event).cells());
            }
            Ok((rows, next))
        }
    })
    .await
}

impl EventJson {
    fn cells(self) -> [String; 13] {
        [
            self.id.to_string(),
            self.at.to_string(),
            cell(self.tenant_id),
            self.actor.kind.to_owned(),
            cell(self.actor.id),
            cell(self.actor.session_id),
            self.action,
            cell(self.outcome),
            cell(self.target),
            cell(self.client_ip),
            cell(self.request_id),
            serde_json::to_string(&self.details).unwrap_or_default(),
            cell(self.trace_id),
        ]
    }
}
