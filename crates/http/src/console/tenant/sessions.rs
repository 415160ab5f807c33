//! A tenant's sessions.

use actix_web::{http::StatusCode, web};
use askama::Template;
use tenantry_domain::{
    Tenant,
    ports::{SessionReads as _, Store},
};

use crate::{
    console::{
        cookie::Door,
        form::Form,
        form_body::FormBody,
        sessions::{SessionRow, end, end_all},
        view::{Pager, Shell, asked_page, page, tenant_shell},
    },
    endpoints::{Answer, State},
    extract::TenantSession,
    operation::{Operation, get, post},
};

const HERE: &str = "/tenant/sessions";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/tenant/sessions", web::to(list::<S>)).tenant(),
        post("/tenant/sessions/end", web::to(end_one::<S>)).tenant(),
        post("/tenant/sessions/end-all", web::to(end_every::<S>)).tenant(),
    ]
}

#[derive(Template)]
#[template(path = "console/tenant/sessions.html")]
struct SessionsPage<'a> {
    shell: &'a Shell,
    sessions: Vec<SessionRow>,
    pager: Pager,
}

/// The tenant's live sessions, newest first.
async fn list<S: Store>(state: State<S>, who: TenantSession<S>, asked: Form) -> Answer {
    let sessions = state.store.reader().live_sessions_page(who.id(), state.clock.now(), asked_page(&asked)?).await?;
    let shell = tenant_shell(&state, &who, HERE, &asked);
    let pager = Pager::new(HERE, &asked, &[], &sessions, |session| session.id);
    let sessions = sessions.items.iter().map(|session| SessionRow::of_tenant(session, Some(who.session.id))).collect();
    page(&shell, StatusCode::OK, &SessionsPage { shell: &shell, sessions, pager })
}

async fn end_one<S: Store>(state: State<S>, who: TenantSession<S>, body: FormBody) -> Answer {
    end::<S, Tenant>(&state, &who.context(&state), who.id(), &body.read().await?, HERE).await
}

async fn end_every<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    end_all::<S, Tenant>(&state, &who.context(&state), who.id(), Door::Tenant).await
}
