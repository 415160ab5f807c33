//! Why a code is refused: what an activation with it would answer now, without one.

use actix_web::{http::StatusCode, web};
use askama::Template;
use tenantry_domain::{CheckCode, CheckedCode, Scope, check_code, ports::Store};

use super::{
    code::{Shown, timeline},
    lookup::named_tenant,
    told,
};
use crate::{
    console::{
        events::EventRow,
        form::Form,
        form_body::FormBody,
        view::{Shell, Tag, admin_shell, page},
    },
    endpoints::{Answer, State, admin::code_check::in_words},
    extract::Operator,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/codes";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/codes/check", web::to(ask::<S>)).scope(Scope::CodesRead),
        post("/admin/codes/check", web::to(check::<S>)).scope(Scope::CodesRead),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/code_check.html")]
struct CheckPage<'a> {
    shell: &'a Shell,
    tab: &'static str,
    form: Form,
    verdict: Option<Verdict>,
}

/// What an activation would answer.
struct Verdict {
    usable: bool,
    tag: Tag,
    /// The word by which the API and the audit trail say it.
    reason: Option<&'static str>,
    says: String,
    code: Option<Shown>,
    events: Vec<EventRow>,
}

async fn ask<S: Store>(state: State<S>, who: Operator<S>) -> Answer {
    answer(&state, &who, StatusCode::OK, Form::default(), None)
}

async fn check<S: Store>(state: State<S>, who: Operator<S>, body: FormBody) -> Answer {
    let form = body.read().await?;
    match verdict(&state, &who, &form).await {
        Ok(verdict) => answer(&state, &who, StatusCode::OK, form, Some(verdict)),
        Err(problem) => answer(&state, &who, problem.code.status(), form.refused(problem), None),
    }
}

async fn verdict<S: Store>(state: &State<S>, who: &Operator<S>, form: &Form) -> Result<Verdict, Problem> {
    let project = form.optional("project_id").map(str::parse).transpose();
    let project = project.map_err(|invalid| Problem::field("/project_id", invalid))?;
    let asked = CheckCode { text: form.value("code"), tenant: named_tenant(state, form, "tenant_id").await?, project };
    let checked = check_code(&state.store, state.clock.now(), state.keys.as_ref(), asked).await?;
    let says = in_words(&checked);
    let CheckedCode { verdict, code } = checked;
    let (code, events) = match code {
        Some(code) => {
            let events = told(state, who, &code.id.to_string(), timeline(state, &code, None).await?.items).await?;
            (Some(Shown::of(state, who, code).await?), events)
        }
        None => (None, Vec::new()),
    };
    Ok(Verdict {
        usable: verdict.is_ok(),
        tag: if verdict.is_ok() { Tag::new("can be used", "good") } else { Tag::new("refused", "bad") },
        reason: verdict.err().map(|refusal| refusal.reason()),
        says,
        code,
        events,
    })
}

fn answer<S: Store>(state: &State<S>, who: &Operator<S>, status: StatusCode, form: Form, verdict: Option<Verdict>) -> Answer {
    let form = form.or("code", "").or("tenant_id", "").or("project_id", "");
    let shell = admin_shell(state, who, HERE, &Form::default());
    page(&shell, status, &CheckPage { shell: &shell, tab: "check", form, verdict })
}
