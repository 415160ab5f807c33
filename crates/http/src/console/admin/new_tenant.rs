//! The form that makes a tenant, and its first codes.

use actix_web::{HttpRequest, http::StatusCode, web};
use askama::Template;
use tenantry_domain::{NewTenant, Scope, create_tenant, ports::Store};

use super::{
    lookup::plans_for_sale,
    reveal::{Codes, Next, RevealPage, Texts},
};
use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        view::{Shell, admin_shell, page},
    },
    endpoints::{Answer, State, admin::tenants::NewTenantJson},
    errors::ErrorCode,
    extract::Operator,
    once::Keyed,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/tenants";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/tenants/new", web::to(new::<S>)).scope(Scope::TenantsWrite),
        post("/admin/tenants/new", web::to(create::<S>)).scope(Scope::TenantsWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/tenant_new.html")]
struct NewTenantPage<'a> {
    shell: &'a Shell,
    form: Form,
    plans: Vec<Choice>,
    may_make_plans: bool,
}

async fn new<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    answer(&state, &who, StatusCode::OK, asked.anew()).await
}

async fn answer<S: Store>(state: &State<S>, who: &Operator<S>, status: StatusCode, form: Form) -> Answer {
    let plans = plans_for_sale(state).await?;
    let form = match plans.as_slice() {
        [only] => form.or("plan_id", &only.value),
        _ => form,
    };
    let form = form.or("slug", "").or("name", "").or("contact_email", "").or("plan_id", "");
    let shell = admin_shell(state, who, HERE, &Form::default());
    let may_make_plans = who.scopes().has(Scope::PlansWrite);
    page(&shell, status, &NewTenantPage { shell: &shell, form: form.keyed(state.entropy.as_ref()), plans, may_make_plans })
}

fn wanted(form: &Form) -> Result<NewTenant, Problem> {
    let text = |name| form.optional(name).map(str::to_owned);
    let sent = NewTenantJson {
        slug: form.value("slug").to_owned(),
        name: form.value("name").to_owned(),
        contact_email: form.value("contact_email").to_owned(),
        plan_id: form.value("plan_id").to_owned(),
        logo_url: text("logo_url"),
        primary_color: text("primary_color"),
        domain: text("domain"),
    };
    sent.parse()
}

/// Makes the tenant, and shows its first codes this once.
async fn create<S: Store>(state: State<S>, who: Operator<S>, request: HttpRequest, mut body: FormBody) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let created = async {
        let new = wanted(&form)?;
        keyed
            .answer_once(&sent, &state, who.context(&state), async |store, cx| {
                let created = create_tenant(store, cx, state.keys.as_ref(), new).await?;
                let (tenant, codes) = (created.tenant, created.issued.ok().map(Codes::of));
                let address = format!("{HERE}/{}", tenant.id);
                let again = Next::new("Issue its codes", format!("{address}/codes/new"));
                let shell = admin_shell(&state, &who, HERE, &Form::default());
                let shown = RevealPage {
                    shell: &shell,
                    title: format!("{} is made", tenant.name),
                    trail: Next::new("Tenants", HERE),
                    failed: codes.is_none().then_some(again),
                    texts: codes.map(Texts::from),
                    sign_in: Some((state.console.public_origin.clone().unwrap_or_default(), tenant.slug.to_string())),
                    next: Next::new("To the tenant", address),
                };
                page(&shell, StatusCode::OK, &shown)
            })
            .await
    };
    match created.await {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let status = problem.code.status();
            let problem = if problem.code == ErrorCode::Conflict { problem.beside("/slug") } else { problem };
            answer(&state, &who, status, form.refused(problem)).await
        }
    }
}
