//! A tenant's sessions.

use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use serde::Serialize;
use serde_json::json;
use tenantry_domain::{
    Session, SessionId, Timestamp,
    ports::{SessionReads as _, Store},
};

use super::auth::TenantJson;
use crate::{
    endpoints::{Answer, State},
    extract::TenantSession,
    paging::{List, PageQuery, page_request},
    problem::Problem,
    state::AppState,
};

#[derive(Serialize)]
struct CurrentJson<'a> {
    id: SessionId,
    created_at: Timestamp,
    expires_at: Timestamp,
    absolute_expires_at: Timestamp,
    idle_timeout: i64,
    tenant: TenantJson<'a>,
}

/// A session in a list: never its token.
#[derive(Serialize)]
struct SessionJson {
    id: SessionId,
    created_at: Timestamp,
    last_activity: Timestamp,
    expires_at: Timestamp,
    client_ip: Option<String>,
    user_agent: Option<String>,
    current: bool,
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
    let session = tenantry_auth::refresh_session(&state.store, &cx, &state.policy, who.session.clone()).await?;
    Ok(current_json(&state, &who, &session))
}

/// Ends the session.
pub(crate) async fn sign_out<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    tenantry_auth::sign_out(&state.store, &who.context(&state), &who.session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The tenant's live sessions.
pub(crate) async fn list<S: Store>(state: State<S>, who: TenantSession<S>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref())?;
    let page = state.store.reader().live_sessions_page(who.id(), state.clock.now(), page).await?;
    let show = |session: Session| SessionJson {
        id: session.id,
        created_at: session.created_at,
        last_activity: session.last_activity,
        expires_at: session.expires_at,
        client_ip: session.client_ip.map(|address| address.to_string()),
        user_agent: session.user_agent,
        current: session.id == who.session.id,
    };
    Ok(HttpResponse::Ok().json(List::new(page, |session| session.id, show)))
}

/// Ends one of the tenant's sessions.
pub(crate) async fn revoke<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<SessionId>) -> Answer {
    if tenantry_auth::revoke_session(&state.store, &who.context(&state), who.id(), *id).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::not_found())
    }
}

/// Ends all of the tenant's sessions, this one too.
pub(crate) async fn revoke_all<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    let ended = tenantry_auth::sign_out_everywhere(&state.store, &who.context(&state), who.id()).await?;
    Ok(HttpResponse::Ok().json(json!({ "sessions_ended": ended })))
}
