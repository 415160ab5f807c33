//! The one-time link, for who opens it in a browser. Its address is the API's: what a browser asks for is told apart by what it accepts, and
//! what it sends by being a form.

use actix_web::{
    HttpRequest,
    guard::{self, Guard, GuardContext},
    http::{
        StatusCode,
        header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT},
    },
    web::{self, Path, ServiceConfig},
};
use askama::Template;
use tenantry_auth::{NewOwner, NewSession, bootstrap_operator, find_bootstrap_link};
use tenantry_domain::{BootstrapPurpose, Email, Operator, OperatorName, ports::Store};

use super::{
    cookie::Door,
    form::Form,
    form_body::FormBody,
    sign_in::set_cookie,
    view::{Moment, Shell, page, see_other},
};
use crate::{
    endpoints::{Answer, State},
    extract::Stranger,
    problem::{Fields, Problem},
};

/// Registers the link's page, in front of the API's operation of the same path.
pub(crate) fn configure<S: Store>(config: &mut ServiceConfig) {
    let reads = guard::All(guard::Any(guard::Get()).or(guard::Head())).and(has(ACCEPT, "text/html"));
    let sends = guard::All(guard::Post()).and(has(CONTENT_TYPE, "application/x-www-form-urlencoded"));
    config
        .service(web::scope("/bootstrap").guard(reads).service(web::resource("/{token}").to(show::<S>)))
        .service(web::scope("/bootstrap").guard(sends).service(web::resource("/{token}").to(make_owner::<S>)));
}

fn has(name: HeaderName, part: &'static str) -> impl Guard {
    guard::fn_guard(move |request: &GuardContext<'_>| {
        request.head().headers().get(&name).is_some_and(|value| value.to_str().is_ok_and(|text| text.contains(part)))
    })
}

#[derive(Template)]
#[template(path = "console/bootstrap.html")]
struct BootstrapPage<'a> {
    shell: &'a Shell,
    form: Form,
    first: bool,
    until: Option<Moment>,
}

/// Says what the link is for, and leaves it open.
async fn show<S: Store>(state: State<S>, _who: Stranger<S>, token: Path<String>) -> Answer {
    let link = find_bootstrap_link(&state.store, state.clock.now(), &state.keys, &token).await?;
    let shell = Shell::plain(&state, Door::Admin);
    let first = link.purpose == BootstrapPurpose::FirstOperator;
    page(
        &shell,
        StatusCode::OK,
        &BootstrapPage { shell: &shell, form: Form::default(), first, until: Some(Moment(link.expires_at)) },
    )
}

/// Makes the owner, and signs it in.
async fn make_owner<S: Store>(
    state: State<S>,
    who: Stranger<S>,
    request: HttpRequest,
    token: Path<String>,
    body: FormBody,
) -> Answer {
    let form = body.read().await?;
    match signed_in(&state, &who, &request, &token, &form).await {
        Ok(made) => {
            let mut response = see_other(Door::Admin.home());
            set_cookie(&mut response, &state.session_cookie(Door::Admin, made.token.reveal()))?;
            Ok(response)
        }
        // The link itself is of no use: there is no form to show again.
        Err(problem) if problem.code.status() == StatusCode::NOT_FOUND => Err(problem),
        Err(problem) => {
            let (shell, status) = (Shell::plain(&state, Door::Admin), problem.code.status());
            page(&shell, status, &BootstrapPage { shell: &shell, form: form.refused(problem), first: true, until: None })
        }
    }
}

async fn signed_in<S: Store>(
    state: &State<S>,
    who: &Stranger<S>,
    request: &HttpRequest,
    token: &str,
    form: &Form,
) -> Result<NewSession<Operator>, Problem> {
    let mut fields = Fields::default();
    let name = fields.take("/name", OperatorName::parse(form.value("name")));
    let email = fields.take("/email", Email::parse(form.value("email")));
    let (Some(name), Some(email)) = (name, email) else { return Err(fields.into_problem()) };
    let cx = who.context(state);
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let owner = NewOwner { name, email };
    Ok(bootstrap_operator(&state.store, &cx, &state.keys, &state.policy, token, owner, agent).await?)
}
