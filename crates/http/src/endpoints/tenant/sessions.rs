//! A tenant's sessions.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::Serialize;
use tenantry_domain::{
    Session, SessionId, Timestamp,
    ports::{SessionReads as _, Store},
};
use utoipa::ToSchema;

use super::auth::TenantJson;
use crate::{
    endpoints::{Answer, State},
    extract::TenantSession,
    operation::{Operation, delete, get, post},
    paging::{List, PageQuery, page_request},
    problem::Problem,
    schema,
    state::AppState,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/tenant/auth/session", web::to(current::<S>))
            .tenant()
            .says("Read this session", "The session that the request came by, and whose it is.")
            .answers::<CurrentJson<'_>>(StatusCode::OK),
        post("/api/tenant/auth/refresh", web::to(refresh::<S>))
            .tenant()
            .says("Refresh this session", "Lengthens it as its use does, never past its absolute limit.")
            .answers::<CurrentJson<'_>>(StatusCode::OK),
        post("/api/tenant/auth/logout", web::to(sign_out::<S>))
            .tenant()
            .says("Sign out", "Ends this session: its token is worth nothing from the next request on.")
            .answers_nothing(),
        get("/api/tenant/auth/sessions", web::to(list::<S>))
            .tenant()
            .says("List sessions", "The tenant's live sessions, newest first.")
            .query::<PageQuery>()
            .answers::<List<SessionJson>>(StatusCode::OK),
        post("/api/tenant/auth/sessions/revoke-all", web::to(revoke_all::<S>))
            .tenant()
            .says("Sign out everywhere", "Ends all of the tenant's sessions, this one too.")
            .answers::<SessionsEndedJson>(StatusCode::OK),
        delete("/api/tenant/auth/sessions/{id}", web::to(revoke::<S>))
            .tenant()
            .says("End a session", "One of the tenant's live sessions, this one or another.")
            .id::<schema::SessionId>()
            .answers_nothing(),
    ]
}

/// A session, and whose it is.
#[derive(Serialize, ToSchema)]
#[schema(as = CurrentSession)]
struct CurrentJson<'a> {
    #[schema(value_type = schema::SessionId)]
    id: SessionId,
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
    #[schema(inline)]
    tenant: TenantJson<'a>,
}

/// A session in a list: never its token.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionJson {
    #[schema(value_type = schema::SessionId)]
    id: SessionId,
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

impl SessionJson {
    /// A session; `current`: the one that asks.
    pub fn of(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            last_activity: session.last_activity,
            expires_at: session.expires_at,
            client_ip: session.client_ip.map(|address| address.to_string()),
            user_agent: session.user_agent,
            current: Some(session.id) == current,
        }
    }
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionsEnded)]
pub(crate) struct SessionsEndedJson {
    pub sessions_ended: u64,
}

fn current_json<S: Store>(state: &AppState<S>, who: &TenantSession<S>, session: &Session) -> HttpResponse {
    HttpResponse::Ok().json(CurrentJson {
        id: session.id,
        created_at: session.created_at,
        expires_at: session.expires_at,
        absolute_expires_at: session.created_at + state.policy.session_absolute,
        idle_timeout: state.policy.session_idle.whole_seconds(),
        tenant: TenantJson { id: who.id(), slug: &who.tenant.slug, name: who.tenant.name.as_str() },
    })
}

/// The session that the request came by.
pub(crate) async fn current<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    Ok(current_json(&state, &who, &who.session))
}

/// Lengthens the session, within its limits.
pub(crate) async fn refresh<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    let cx = who.context(&state);
    let session =
        state.again(async || tenantry_auth::refresh_session(&state.store, &cx, &state.policy, who.session.clone()).await).await?;
    Ok(current_json(&state, &who, &session))
}

/// Ends the session.
pub(crate) async fn sign_out<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    state.again(async || tenantry_auth::sign_out(&state.store, &who.context(&state), &who.session).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The tenant's live sessions.
pub(crate) async fn list<S: Store>(state: State<S>, who: TenantSession<S>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().live_sessions_page(who.id(), state.clock.now(), page).await?;
    let show = |session| SessionJson::of(session, Some(who.session.id));
    Ok(HttpResponse::Ok().json(List::new(page, |session| session.id, show)))
}

/// Ends one of the tenant's sessions.
pub(crate) async fn revoke<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<SessionId>) -> Answer {
    if state.again(async || tenantry_auth::revoke_session(&state.store, &who.context(&state), who.id(), *id).await).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::not_found())
    }
}

/// Ends all of the tenant's sessions, this one too.
pub(crate) async fn revoke_all<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    let ended =
        state.again(async || tenantry_auth::sign_out_everywhere(&state.store, &who.context(&state), who.id()).await).await?;
    Ok(HttpResponse::Ok().json(SessionsEndedJson { sessions_ended: ended }))
}
