//! The audit trail.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{self, Query},
};
use serde::Deserialize;
use tenantry_domain::{ActorFilter, Scope, ports::Store};
use utoipa::IntoParams;

use crate::{
    endpoints::{
        Answer, State,
        events::{Asked, EventJson, answer, whole},
    },
    extract::Operator,
    operation::{Operation, get},
    paging::{List, page_request},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/events", web::to(list::<S>))
            .scope(Scope::AuditRead)
            .says(
                "List events",
                "Who did what to what, when, from where and in which request: every sign-in, every change and every refusal that matters, \
                newest first. As CSV all events that are asked for, however many, whatever `limit` and `cursor` say.",
            )
            .query::<EventsQuery>()
            .answers::<List<EventJson>>(StatusCode::OK)
            .or_csv(),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Those that concern this tenant.
    #[param(value_type = Option<schema::TenantId>)]
    tenant: Option<String>,
    /// Those by actors of a kind, or by one of them: `operator`, `operator:opr_..`, `tenant:ten_..`,
    /// `tenant:ses_..`, `api_key:key_..`.
    #[param(example = "operator")]
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

/// All events.
pub(crate) async fn list<S: Store>(
    state: State<S>,
    _who: Operator<S>,
    query: Query<EventsQuery>,
    request: HttpRequest,
) -> Answer {
    let EventsQuery { tenant, actor, action, outcome, target, request_id, from, to, limit, cursor, count } = query.into_inner();
    let tenant = tenant.map(|tenant| tenant.parse().map_err(|invalid| Problem::field("?tenant", invalid))).transpose()?;
    let asked = Asked {
        actor: actor.as_deref(),
        action: action.as_deref(),
        outcome: outcome.as_deref(),
        target: target.as_deref(),
        request_id: request_id.as_deref(),
        from: from.as_deref(),
        to: to.as_deref(),
    };
    let filter = asked.parse(ActorFilter::parse)?;
    let page = page_request(limit, cursor.as_deref(), count)?;
    answer(&request, &state.store, tenant, filter, page, whole).await
}
