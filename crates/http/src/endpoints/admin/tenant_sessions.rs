//! Where a tenant is signed in, as operators see it, and how they end that without locking it out.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use tenantry_auth::{revoke_session, sign_out_everywhere};
use tenantry_domain::{
    Scope, SessionId, Tenant, TenantId,
    ports::{SessionReads as _, Store, TenantReads as _},
};

use crate::{
    endpoints::{Answer, State, tenant::sessions::SessionJson},
    extract::Operator,
    operation::{Operation, delete, get},
    paging::{List, PageQuery, page_request},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/tenants/{id}/sessions", web::to(list::<S>))
            .scope(Scope::TenantsRead)
            .says(
                "List a tenant's sessions",
                "Its live sessions, newest first. `current` is false: none of them is the one that asks.",
            )
            .id::<schema::TenantId>()
            .query::<PageQuery>()
            .answers::<List<SessionJson>>(StatusCode::OK),
        delete("/api/admin/tenants/{id}/sessions", web::to(end_all::<S>))
            .scope(Scope::TenantsWrite)
            .says(
                "Sign a tenant out everywhere",
                "Ends all of its sessions. It can sign in again at once; to lock it out, suspend it.",
            )
            .id::<schema::TenantId>()
            .answers_nothing(),
        delete("/api/admin/tenants/{id}/sessions/{session}", web::to(end::<S>))
            .scope(Scope::TenantsWrite)
            .says("End a tenant's session", "One of its live sessions.")
            .id::<schema::TenantId>()
            .path_parameter::<schema::SessionId>("session")
            .answers_nothing(),
    ]
}

/// The tenant's live sessions.
async fn list<S: Store>(state: State<S>, _who: Operator<S>, id: Path<TenantId>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let mut reader = state.store.reader();
    reader.tenant(*id).await?.ok_or_else(Problem::not_found)?;
    let page = reader.live_sessions_page(*id, state.clock.now(), page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |session| session.id, |session| SessionJson::of(session, None))))
}

/// Ends all of the tenant's sessions.
async fn end_all<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    state.store.reader().tenant(*id).await?.ok_or_else(Problem::not_found)?;
    state.again(async || sign_out_everywhere::<S, Tenant>(&state.store, &who.context(&state), *id).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends one of the tenant's sessions.
async fn end<S: Store>(state: State<S>, who: Operator<S>, ids: Path<(TenantId, SessionId)>) -> Answer {
    let (tenant, session) = *ids;
    if state.again(async || revoke_session::<S, Tenant>(&state.store, &who.context(&state), tenant, session).await).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::not_found())
    }
}
