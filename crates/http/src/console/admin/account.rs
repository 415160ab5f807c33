//! An operator's own account: who it is, and its sessions.

use actix_web::{http::StatusCode, web};
use askama::Template;
use tenantry_domain::{
    Operator as OperatorRecord, OperatorId,
    ports::{OperatorSessionReads as _, Store},
};

use crate::{
    console::{
        cookie::Door,
        form::Form,
        form_body::FormBody,
        sessions::{SessionRow, end, end_all},
        view::{Pager, Shell, admin_shell, asked_page, page},
    },
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, get, post},
};

const HERE: &str = "/admin/account";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/account", web::to(show::<S>)).any_operator(),
        post("/admin/account/end", web::to(end_one::<S>)).any_operator(),
        post("/admin/account/end-all", web::to(end_every::<S>)).any_operator(),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/account.html")]
struct AccountPage<'a> {
    shell: &'a Shell,
    id: OperatorId,
    name: String,
    email: String,
    role: &'static str,
    may: String,
    sessions: Vec<SessionRow>,
    pager: Pager,
}

/// Who is signed in, and its live sessions, newest first.
async fn show<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let signed_in = who.signed_in()?;
    let (account, current) = (&signed_in.account, signed_in.session.id);
    let mut reader = state.store.reader();
    let sessions = reader.live_operator_sessions_page(account.id, state.clock.now(), asked_page(&asked)?).await?;
    let shell = admin_shell(&state, &who, HERE, &asked);
    let shown = AccountPage {
        shell: &shell,
        id: account.id,
        name: account.name.to_string(),
        email: account.email.as_str().to_owned(),
        role: account.role.as_str(),
        may: who.scopes().to_string().replace(' ', ", "),
        pager: Pager::new(HERE, &asked, &[], &sessions, |session| session.id),
        sessions: sessions.items.iter().map(|session| SessionRow::of_operator(session, current)).collect(),
    };
    page(&shell, StatusCode::OK, &shown)
}

async fn end_one<S: Store>(state: State<S>, who: Operator<S>, body: FormBody) -> Answer {
    let account = who.signed_in()?.account.id;
    end::<S, OperatorRecord>(&state, &who.context(&state), account, &body.read().await?, HERE).await
}

async fn end_every<S: Store>(state: State<S>, who: Operator<S>) -> Answer {
    let account = who.signed_in()?.account.id;
    end_all::<S, OperatorRecord>(&state, &who.context(&state), account, Door::Admin).await
}
