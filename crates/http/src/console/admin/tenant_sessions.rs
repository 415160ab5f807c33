//! Where one tenant is signed in, and how an operator ends that without locking it out.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_auth::{revoke_session, sign_out_everywhere};
use tenantry_domain::{
    Scope, Tenant, TenantId,
    ports::{SessionReads as _, Store},
};

use super::{tenant::find, tenant_tabs::TenantHead};
use crate::{
    console::{
        form::Form,
        form_body::FormBody,
        sessions::SessionRow,
        view::{Pager, Shell, admin_shell, asked_page, page, see_other},
    },
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/tenants";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/tenants/{id}/sessions", web::to(list::<S>)).scope(Scope::TenantsRead),
        post("/admin/tenants/{id}/sessions/end", web::to(end::<S>)).scope(Scope::TenantsWrite),
        post("/admin/tenants/{id}/sessions/end-all", web::to(end_all::<S>)).scope(Scope::TenantsWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/tenant_sessions.html")]
struct SessionsPage<'a> {
    shell: &'a Shell,
    head: TenantHead,
    sessions: Vec<SessionRow>,
    pager: Pager,
}

/// The tenant's live sessions, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, asked: Form) -> Answer {
    let tenant = find(&state, *id).await?;
    let sessions = state.store.reader().live_sessions_page(*id, state.clock.now(), asked_page(&asked)?).await?;
    let shell = admin_shell(&state, &who, HERE, &asked);
    let head = TenantHead::of(&who, &tenant, "/sessions");
    let pager = Pager::new(&address(*id), &asked, &[], &sessions, |session| session.id);
    let sessions = sessions.items.iter().map(|session| SessionRow::of_tenant(session, None)).collect();
    page(&shell, StatusCode::OK, &SessionsPage { shell: &shell, head, sessions, pager })
}

async fn end<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, body: FormBody) -> Answer {
    let session = body.read().await?.value("session").parse().map_err(|_| Problem::not_found())?;
    let ended = state.again(async || revoke_session::<S, Tenant>(&state.store, &who.context(&state), *id, session).await).await?;
    Ok(see_other(format!("{}?done={}", address(*id), if ended { "ended" } else { "nothing" })))
}

async fn end_all<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    let tenant = find(&state, *id).await?;
    state.again(async || sign_out_everywhere::<S, Tenant>(&state.store, &who.context(&state), tenant.id).await).await?;
    Ok(see_other(format!("{}?done=ended", address(*id))))
}

fn address(id: TenantId) -> String {
    format!("{HERE}/{id}/sessions")
}
