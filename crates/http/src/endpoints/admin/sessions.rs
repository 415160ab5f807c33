//! Who calls, and an operator's own sessions.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::Serialize;
use tenantry_auth::Caller;
use tenantry_domain::{
    ApiKeyId, OperatorSession, OperatorSessionId, Timestamp,
    ports::{OperatorSessionReads as _, Store},
};
use utoipa::ToSchema;

use super::operators::OperatorJson;
use crate::{
    endpoints::{Answer, State, tenant::sessions::SessionsEndedJson},
    errors::ErrorCode,
    extract::Operator,
    operation::{Operation, delete, get, post},
    paging::{List, PageQuery, page_request},
    problem::Problem,
    schema,
    state::AppState,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    // An API key has no session.
    let session = |operation: Operation| operation.any_operator().refuses(&[ErrorCode::Forbidden]);
    vec![
        get("/api/admin/auth/session", web::to(current::<S>))
            .any_operator()
            .says("Read who calls", "The operator and its session, or the API key, and what it may do.")
            .answers::<CallerJson>(StatusCode::OK),
        session(post("/api/admin/auth/refresh", web::to(refresh::<S>)))
            .says("Refresh an operator's session", "Lengthens this session as its use does, never past its absolute limit.")
            .answers::<CallerJson>(StatusCode::OK),
        session(post("/api/admin/auth/logout", web::to(sign_out::<S>)))
            .says("Sign an operator out", "Ends this session: its token is worth nothing from the next request on.")
            .answers_nothing(),
        session(get("/api/admin/auth/sessions", web::to(list::<S>)))
            .says("List an operator's sessions", "The calling operator's live sessions, newest first.")
            .query::<PageQuery>()
            .answers::<List<SessionJson>>(StatusCode::OK),
        session(post("/api/admin/auth/sessions/revoke-all", web::to(revoke_all::<S>)))
            .says("Sign an operator out everywhere", "Ends all of the calling operator's sessions, this one too.")
            .answers::<SessionsEndedJson>(StatusCode::OK),
        session(delete("/api/admin/auth/sessions/{id}", web::to(revoke::<S>)))
            .says("End an operator's session", "One of the calling operator's live sessions, this one or another.")
            .id::<schema::OperatorSessionId>()
            .answers_nothing(),
    ]
}

/// Who calls, and what it may do.
#[derive(Serialize, ToSchema)]
#[schema(as = Caller)]
struct CallerJson {
    /// What it may do: its role's scopes, or those that the key was given.
    #[schema(value_type = Vec<schema::Scope>)]
    scopes: Vec<&'static str>,
    /// The operator who is signed in; null for an API key.
    operator: Option<OperatorJson>,
    /// The session by which it is; null for an API key.
    session: Option<CurrentJson>,
    /// The API key; null for an operator who is signed in.
    api_key: Option<CallingKeyJson>,
}

/// The session that a request came by.
#[derive(Serialize, ToSchema)]
#[schema(as = CurrentOperatorSession)]
struct CurrentJson {
    #[schema(value_type = schema::OperatorSessionId)]
    id: OperatorSessionId,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    /// Valid until then, exclusive, if it isn't used before; use moves it.
    #[schema(value_type = schema::Moment)]
    expires_at: Timestamp,
    /// Valid until then at the most, however it is used.
    #[schema(value_type = schema::Moment)]
    absolute_expires_at: Timestamp,
    /// How long it lives unused, in seconds.
    #[schema(example = 1800)]
    idle_timeout: i64,
}

/// The API key that a request came by.
#[derive(Serialize, ToSchema)]
#[schema(as = CallingApiKey)]
struct CallingKeyJson {
    /// Null for a key that the server was configured with.
    #[schema(value_type = Option<schema::ApiKeyId>)]
    id: Option<ApiKeyId>,
    /// What it is for.
    #[schema(example = "Deployment")]
    name: String,
    /// Valid until then, exclusive; null: until it is revoked.
    #[schema(value_type = Option<schema::Moment>)]
    expires_at: Option<Timestamp>,
}

/// An operator's session in a list: never its token.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorSession)]
struct SessionJson {
    #[schema(value_type = schema::OperatorSessionId)]
    id: OperatorSessionId,
    /// When it was signed in.
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    /// When it was last used; written at most once a minute.
    #[schema(value_type = schema::Moment)]
    last_activity: Timestamp,
    #[schema(value_type = schema::Moment)]
    expires_at: Timestamp,
    /// From where it was signed in.
    client_ip: Option<String>,
    /// By which program.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

fn caller_json<S: Store>(state: &AppState<S>, caller: &Caller) -> HttpResponse {
    let scopes = caller.scopes().iter().map(tenantry_domain::Scope::as_str).collect();
    let (mut operator, mut session, mut api_key) = (None, None, None);
    match caller {
        Caller::Operator(signed_in) => {
            operator = Some(signed_in.account.clone().into());
            session = Some(CurrentJson {
                id: signed_in.session.id,
                created_at: signed_in.session.created_at,
                expires_at: signed_in.session.expires_at,
                absolute_expires_at: signed_in.session.created_at + state.policy.session_absolute,
                idle_timeout: state.policy.session_idle.whole_seconds(),
            });
        }
        Caller::ApiKey(key) => {
            api_key = Some(CallingKeyJson { id: Some(key.id), name: key.name.to_string(), expires_at: key.expires_at });
        }
        Caller::ConfiguredKey { name } => {
            api_key = Some(CallingKeyJson { id: None, name: name.clone(), expires_at: None });
        }
    }
    HttpResponse::Ok().json(CallerJson { scopes, operator, session, api_key })
}

/// Who calls.
pub(crate) async fn current<S: Store>(state: State<S>, who: Operator<S>) -> Answer {
    Ok(caller_json(&state, who.caller()))
}

/// Lengthens the session, within its limits.
pub(crate) async fn refresh<S: Store>(state: State<S>, who: Operator<S>) -> Answer {
    let mut signed_in = who.signed_in()?.clone();
    let cx = who.context(&state);
    signed_in.session = state
        .again(async || tenantry_auth::refresh_session(&state.store, &cx, &state.policy, signed_in.session.clone()).await)
        .await?;
    Ok(caller_json(&state, &Caller::Operator(signed_in)))
}

/// Ends the session.
pub(crate) async fn sign_out<S: Store>(state: State<S>, who: Operator<S>) -> Answer {
    let session = &who.signed_in()?.session;
    state.again(async || tenantry_auth::sign_out(&state.store, &who.context(&state), session).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The operator's live sessions.
pub(crate) async fn list<S: Store>(state: State<S>, who: Operator<S>, query: Query<PageQuery>) -> Answer {
    let signed_in = who.signed_in()?;
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().live_operator_sessions_page(signed_in.account.id, state.clock.now(), page).await?;
    let show = |session: OperatorSession| SessionJson {
        id: session.id,
        created_at: session.created_at,
        last_activity: session.last_activity,
        expires_at: session.expires_at,
        client_ip: session.client_ip.map(|address| address.to_string()),
        user_agent: session.user_agent,
        current: session.id == signed_in.session.id,
    };
    Ok(HttpResponse::Ok().json(List::new(page, |session| session.id, show)))
}

/// Ends one of the operator's sessions.
pub(crate) async fn revoke<S: Store>(state: State<S>, who: Operator<S>, id: Path<OperatorSessionId>) -> Answer {
    let operator = who.signed_in()?.account.id;
    if state.again(async || tenantry_auth::revoke_session(&state.store, &who.context(&state), operator, *id).await).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::not_found())
    }
}

/// Ends all of the operator's sessions, this one too.
pub(crate) async fn revoke_all<S: Store>(state: State<S>, who: Operator<S>) -> Answer {
    let operator = who.signed_in()?.account.id;
    let ended =
        state.again(async || tenantry_auth::sign_out_everywhere(&state.store, &who.context(&state), operator).await).await?;
    Ok(HttpResponse::Ok().json(SessionsEndedJson { sessions_ended: ended }))
}
