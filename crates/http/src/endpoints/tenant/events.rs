//! A tenant's own part of the audit trail.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{self, Query},
};
use serde::Deserialize;
use tenantry_domain::{ActorFilter, InvalidValue, ports::Store};
use utoipa::IntoParams;

use crate::{
    endpoints::{
        Answer, State,
        events::{Asked, EventJson, answer, for_its_tenant},
    },
    extract::TenantSession,
    operation::{Operation, get},
    paging::{List, page_request},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/tenant/events", web::to(list::<S>))
            .tenant()
            .says(
                "List own events",
                "What was done by the tenant, in its name and to it, newest first. Of what operators did it is said that it was an operator or \
                an API key, not which, nor from where. As CSV all events that are asked for, whatever `limit` and `cursor` say.",
            )
            .query::<OwnEventsQuery>()
            .answers::<List<EventJson>>(StatusCode::OK)
            .or_csv(),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnEventsQuery {
    /// Those by actors of a kind, or in one of the tenant's sessions: `tenant`, `operator`, `tenant:ses_..`.
    #[param(example = "tenant")]
    actor: Option<String>,
    /// An action, or a resource with its dot, which stands for all of its actions.
    #[param(example = "project.")]
    action: Option<String>,
    /// Those that came out like this.
    #[param(value_type = Option<schema::Outcome>)]
    outcome: Option<String>,
    /// What was acted on, by its id.
    #[param(example = "prj_018bcfe568007000800000000000000a")]
    target: Option<String>,
    /// In this request, as its answer's `X-Request-Id` said.
    #[param(example = "req_018bcfe568007000800000000000000a")]
    request_id: Option<String>,
    /// From this moment on, inclusive.
    #[param(value_type = Option<schema::Moment>)]
    from: Option<String>,
    /// Until this moment, exclusive.
    #[param(value_type = Option<schema::Moment>)]
    to: Option<String>,
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    count: Option<bool>,
}

/// Which operator acted is none of a tenant's business, so it can't ask for one either.
pub(crate) fn actor(text: &str) -> Result<ActorFilter, InvalidValue> {
    match ActorFilter::parse(text)? {
        ActorFilter::Operator(_) | ActorFilter::ApiKey(_) => {
            Err(InvalidValue::new("invalid_actor", "must be a kind of actor, or one of your sessions: `tenant:ses_..`"))
        }
        actor => Ok(actor),
    }
}

/// The tenant's events.
pub(crate) async fn list<S: Store>(
    state: State<S>,
    who: TenantSession<S>,
    query: Query<OwnEventsQuery>,
    request: HttpRequest,
) -> Answer {
    let OwnEventsQuery { actor: acted, action, outcome, target, request_id, from, to, limit, cursor, count } = query.into_inner();
    let asked = Asked {
        actor: acted.as_deref(),
        action: action.as_deref(),
        outcome: outcome.as_deref(),
        target: target.as_deref(),
        request_id: request_id.as_deref(),
        from: from.as_deref(),
        to: to.as_deref(),
    };
    let filter = asked.parse(actor)?;
    let page = page_request(limit, cursor.as_deref(), count)?;
    answer(&request, &state.store, Some(who.id()), filter, page, for_its_tenant).await
}
