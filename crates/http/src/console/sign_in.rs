//! Signing in and out, at both doors: an account, then the code from its mailbox.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::Cookie,
    http::{StatusCode, header::USER_AGENT},
    web::{self, Query},
};
use askama::Template;
use serde::Deserialize;
use tenantry_auth::{Account, NewSession, VerifyOtpError, sign_out};
use tenantry_domain::{Email, Operator as OperatorRecord, Slug, Tenant, ports::Store};

use super::{
    cookie::Door,
    form::Form,
    form_body::FormBody,
    view::{Shell, page, see_other},
};
use crate::{
    endpoints::{Answer, State},
    extract::{Operator, Stranger, TenantSession},
    observer::{self, Occasion, told_as_a_page},
    operation::{Operation, get, post},
    problem::Problem,
};

/// An account that signs in at a door.
pub(super) trait AtDoor: Account {
    const DOOR: Door;
    /// The field that names it.
    const FIELD: &'static str;

    fn parse(text: &str) -> Result<Self::Name, Problem>;
}

impl AtDoor for Tenant {
    const DOOR: Door = Door::Tenant;
    const FIELD: &'static str = "tenant_slug";

    fn parse(text: &str) -> Result<Slug, Problem> {
        Slug::parse(text).map_err(|invalid| Problem::field("/tenant_slug", invalid))
    }
}

impl AtDoor for OperatorRecord {
    const DOOR: Door = Door::Admin;
    const FIELD: &'static str = "email";

    fn parse(text: &str) -> Result<Email, Problem> {
        Email::parse(text).map_err(|invalid| Problem::field("/email", invalid))
    }
}

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/tenant/sign-in", web::to(ask_account::<S, Tenant>)).public(),
        post("/tenant/sign-in", web::to(send_code::<S, Tenant>)).public().counted(Occasion::OtpRequest(observer::Door::Tenant)),
        post("/tenant/sign-in/code", web::to(enter::<S, Tenant>))
            .public()
            .counted(Occasion::OtpVerification(observer::Door::Tenant)),
        post("/tenant/sign-out", web::to(leave_tenant::<S>)).tenant(),
        get("/admin/sign-in", web::to(ask_account::<S, OperatorRecord>)).public(),
        post("/admin/sign-in", web::to(send_code::<S, OperatorRecord>))
            .public()
            .counted(Occasion::OtpRequest(observer::Door::Operator)),
        post("/admin/sign-in/code", web::to(enter::<S, OperatorRecord>))
            .public()
            .counted(Occasion::OtpVerification(observer::Door::Operator)),
        post("/admin/sign-out", web::to(leave_admin::<S>)).any_operator(),
    ]
}

/// Where one signs in, to go on to `wanted`.
pub(super) fn sign_in_address(door: Door, wanted: &str) -> String {
    let home = door.home();
    if wanted == home || Door::of(wanted.split('?').next().unwrap_or_default()) != Some(door) {
        return format!("{home}/sign-in");
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", wanted).finish();
    format!("{home}/sign-in?{query}")
}

/// Where to go on, if it is a page behind the same door.
fn next(door: Door, wanted: &str) -> &str {
    let path = wanted.split('?').next().unwrap_or_default();
    let plain = wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !wanted.contains("//");
    if plain && Door::of(path) == Some(door) && !path.contains("/sign-") { wanted } else { door.home() }
}

#[derive(Deserialize)]
struct SignInQuery {
    next: Option<String>,
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage<'a> {
    shell: &'a Shell,
    form: Form,
}

#[derive(Template)]
#[template(path = "console/enter_code.html")]
struct EnterCodePage<'a> {
    shell: &'a Shell,
    form: Form,
    account: String,
    /// For how many seconds the code is valid, where it was just sent.
    valid: Option<i64>,
}

async fn ask_account<S: Store, A: AtDoor>(state: State<S>, query: Query<SignInQuery>) -> Answer {
    let shell = Shell::plain(&state, A::DOOR).after(query.done.as_deref());
    let form = Form::default().with("next", query.next.as_deref().unwrap_or_default());
    page(&shell, StatusCode::OK, &SignInPage { shell: &shell, form })
}

async fn send_code<S: Store, A: AtDoor>(state: State<S>, who: Stranger<S>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let shell = Shell::plain(&state, A::DOOR);
    let requested = async {
        let account = A::parse(form.value(A::FIELD))?;
        let cx = who.context(&state);
        Ok::<_, Problem>(tenantry_auth::request_otp::<S, A>(&state.store, &cx, &state.keys, &state.policy, &account).await?)
    };
    let requested = match requested.await {
        Ok(requested) => requested,
        Err(problem) => {
            let (status, told, account) =
                (problem.code.status(), (problem.code, problem.failure), form.value("account").to_owned());
            let form = form.refused(problem);
            // Who asked for another code can still enter the one that was sent before.
            let answer = if form.optional("challenge_id").is_some() {
                page(&shell, status, &EnterCodePage { shell: &shell, form, account, valid: None })
            } else {
                page(&shell, status, &SignInPage { shell: &shell, form })
            };
            return answer.map(|response| told_as_a_page(response, told));
        }
    };
    (state.mail_waiting)();
    let account = form.value(A::FIELD).to_owned();
    let form =
        Form::default().with("challenge_id", requested.challenge_id).with("account", &account).with("next", form.value("next"));
    let valid = Some(requested.expires_in.whole_seconds());
    page(&shell, StatusCode::OK, &EnterCodePage { shell: &shell, form, account, valid })
}

async fn enter<S: Store, A: AtDoor>(state: State<S>, who: Stranger<S>, request: HttpRequest, body: FormBody) -> Answer {
    let form = body.read().await?;
    match verify::<S, A>(&state, &who, &request, &form).await {
        Ok(signed_in) => {
            let mut response = see_other(next(A::DOOR, form.value("next")));
            set_cookie(&mut response, &state.session_cookie(A::DOOR, signed_in.token.reveal()))?;
            Ok(response)
        }
        Err(problem) => {
            let (shell, status, told) = (Shell::plain(&state, A::DOOR), problem.code.status(), (problem.code, problem.failure));
            let account = form.value("account").to_owned();
            let form = form.refused(problem.beside("/otp_code"));
            let answer = page(&shell, status, &EnterCodePage { shell: &shell, form, account, valid: None });
            answer.map(|response| told_as_a_page(response, told))
        }
    }
}

async fn verify<S: Store, A: AtDoor>(
    state: &State<S>,
    who: &Stranger<S>,
    request: &HttpRequest,
    form: &Form,
) -> Result<NewSession<A>, Problem> {
    let cx = who.context(state);
    let challenge = form.value("challenge_id").parse().map_err(|_| VerifyOtpError::InvalidOtp)?;
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let (store, keys, policy) = (&state.store, &state.keys, &state.policy);
    Ok(tenantry_auth::verify_otp::<S, A>(store, &cx, keys, policy, challenge, form.value("otp_code"), agent).await?)
}

async fn leave_tenant<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    state.again(async || sign_out(&state.store, &who.context(&state), &who.session).await).await?;
    left(&state, Door::Tenant)
}

async fn leave_admin<S: Store>(state: State<S>, who: Operator<S>) -> Answer {
    let signed_in = who.signed_in()?;
    state.again(async || sign_out(&state.store, &who.context(&state), &signed_in.session).await).await?;
    left(&state, Door::Admin)
}

/// Goes to where one signs in, without the session that has ended.
pub(super) fn left<S: Store>(state: &State<S>, door: Door) -> Answer {
    let mut response = see_other(format!("{}/sign-in?done=signed-out", door.home()));
    set_cookie(&mut response, &state.no_cookie(door))?;
    Ok(response)
}

/// Sends a cookie with an answer.
pub(super) fn set_cookie(response: &mut HttpResponse, cookie: &Cookie<'_>) -> Result<(), Problem> {
    response.add_cookie(cookie).map_err(|_| Problem::internal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_sign_in_it_goes_on_here_and_nowhere_else() {
        for good in ["/tenant", "/tenant/projects/prj_1", "/tenant/codes?status=active&cursor=x"] {
            assert_eq!(next(Door::Tenant, good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example/tenant",
            "/tenant//evil.example",
            "/admin",
            "/tenantry",
            "/tenant\\x",
            "/tenant/sign-out",
        ] {
            assert_eq!(next(Door::Tenant, bad), "/tenant", "{bad}");
        }
    }

    #[test]
    fn who_is_sent_to_sign_in_comes_back_to_the_page() {
        assert_eq!(sign_in_address(Door::Admin, "/admin"), "/admin/sign-in");
        assert_eq!(
            sign_in_address(Door::Admin, "/admin/codes?status=active"),
            "/admin/sign-in?next=%2Fadmin%2Fcodes%3Fstatus%3Dactive"
        );
        assert_eq!(sign_in_address(Door::Tenant, "/somewhere"), "/tenant/sign-in");
    }
}
