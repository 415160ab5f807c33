//! The form that makes a tenant, and its first codes.

use actix_web::{HttpRequest, http::StatusCode, web};
use askama::Template;
use tenantry_domain::{Context, NewTenant, Scope, create_tenant, ports::Store};

use super::{
    lookup::{Plans, chosen_plan, plans_for_sale},
    reveal::{Asked, Codes, Next, RevealPage, Texts, Told},
};
use crate::{
    console::{
        form::Form,
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
const NEW: &str = "/admin/tenants/new";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![get(NEW, web::to(new::<S>)).scope(Scope::TenantsWrite), post(NEW, web::to(create::<S>)).scope(Scope::TenantsWrite)]
}

#[derive(Template)]
#[template(path = "console/admin/tenant_new.html")]
struct NewTenantPage<'a> {
    shell: &'a Shell,
    form: Form,
    plans: Plans,
    may_make_plans: bool,
}

async fn new<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    answer(&state, &who, StatusCode::OK, asked.anew()).await
}

async fn answer<S: Store>(state: &State<S>, who: &Operator<S>, status: StatusCode, form: Form) -> Answer {
    let plans = plans_for_sale(state, form.value("plan_id")).await?;
    let form = match plans.choices.as_slice() {
        [only] => form.or("plan_id", &only.value),
        _ => form,
    };
    let form = form.or("slug", "").or("name", "").or("contact_email", "").or("plan_id", "").or("plan_name", "");
    let shell = admin_shell(state, who, HERE, &Form::default());
    let may_make_plans = who.scopes().has(Scope::PlansWrite);
    page(&shell, status, &NewTenantPage { shell: &shell, form: form.keyed(state.entropy.as_ref()), plans, may_make_plans })
}

async fn wanted<S: Store>(state: &State<S>, form: &Form) -> Result<NewTenant, Problem> {
    let text = |name| form.optional(name).map(str::to_owned);
    let sent = NewTenantJson {
        slug: form.value("slug").to_owned(),
        name: form.value("name").to_owned(),
        contact_email: form.value("contact_email").to_owned(),
        plan_id: chosen_plan(state, form).await?,
        logo_url: text("logo_url"),
        primary_color: text("primary_color"),
        domain: text("domain"),
    };
    sent.parse()
}

/// Makes the tenant, and shows its first codes this once.
async fn create<S: Store>(state: State<S>, who: Operator<S>, request: HttpRequest, body: FormBody) -> Answer {
    let form = body.read().await?;
    let (keyed, asked) = (Keyed::of_form(&request, &form)?, Asked::of(&form));
    let for_file = asked.is_for_file();
    let created = async {
        let issue = async |store: &S, cx: &Context<'_>| {
            asked.issues()?;
            // Here, as a plan that was named may have another name by the time its file is asked for.
            let created = create_tenant(store, cx, state.keys.as_ref(), wanted(&state, &form).await?).await?;
            let (tenant, codes) = (created.tenant, created.issued.ok().map(Codes::of));
            let address = format!("{HERE}/{}", tenant.id);
            match codes {
                Some(codes) if codes.are_many() => Ok(codes.as_file(&address)),
                codes => reveal(&state, &who, tenant.name.as_str(), tenant.slug.as_str(), address, codes.map(Texts::from)),
            }
        };
        let answer = keyed.answer_once(&asked.bytes(), &state, who.context(&state), issue).await?;
        match asked.told(NEW, answer).await? {
            Told::AsItIs(answer) => Ok(answer),
            Told::Many { texts, location } => reveal(&state, &who, form.value("name"), form.value("slug"), location, Some(texts)),
        }
    };
    match created.await {
        Ok(answer) => Ok(answer),
        Err(problem) if for_file => Err(problem),
        Err(problem) => {
            let status = problem.code.status();
            let problem = if problem.code == ErrorCode::Conflict { problem.beside("/slug") } else { problem };
            answer(&state, &who, status, form.refused(problem)).await
        }
    }
}

/// The page of a tenant that was made, with its codes, if these could be issued.
fn reveal<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    name: &str,
    slug: &str,
    address: String,
    texts: Option<Texts>,
) -> Answer {
    let again = Next::new("Issue its codes", format!("{address}/codes/new"));
    let shell = admin_shell(state, who, HERE, &Form::default());
    let shown = RevealPage {
        shell: &shell,
        title: format!("{name} is made"),
        trail: Next::new("Tenants", HERE),
        failed: texts.is_none().then_some(again),
        texts,
        sign_in: Some((state.console.public_origin.clone().unwrap_or_default(), slug.to_string())),
        next: Next::new("To the tenant", address),
    };
    page(&shell, StatusCode::OK, &shown)
}
