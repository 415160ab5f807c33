//! One tenant: what is known of it, its subscription, and what can be done with it.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    DomainName, HexColor, HttpsUrl, Plan, ProfileChange, Scope, Subscription, Tenant, TenantId, change_tenant,
    ports::{CodeReads as _, LedgerReads as _, Store, TenantReads as _},
    resume_tenant, set_subscription, suspend_tenant,
};

use super::{
    dashboard::grouped,
    lookup::{Plans, chosen_plan, plans_to_move_to},
    tenant_tabs::TenantHead,
    tenants::states,
};
use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        view::{Moment, Shell, Tag, admin_shell, page, see_other},
    },
    endpoints::{Answer, State, admin::subscriptions::SetSubscriptionJson, tenant::profile::ChangeProfileJson},
    extract::Operator,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/tenants";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/tenants/{id}", web::to(show::<S>)).scope(Scope::TenantsRead),
        post("/admin/tenants/{id}", web::to(save::<S>)).scope(Scope::TenantsWrite),
        post("/admin/tenants/{id}/subscription", web::to(subscribe::<S>)).scope(Scope::TenantsWrite),
        post("/admin/tenants/{id}/suspend", web::to(suspend::<S>)).scope(Scope::TenantsWrite),
        post("/admin/tenants/{id}/resume", web::to(resume::<S>)).scope(Scope::TenantsWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/tenant.html")]
struct TenantPage<'a> {
    shell: &'a Shell,
    head: TenantHead,
    form: Form,
    terms: Form,
    plans: Plans,
    subscription: Option<Standing>,
    contact: String,
    logo: String,
    color: String,
    domain: String,
    suspended_at: Option<Moment>,
    created_at: Moment,
    updated_at: Moment,
}

/// How a tenant stands this month.
struct Standing {
    plan: Option<Plan>,
    state: Tag,
    used: String,
    quota: Option<String>,
    available_codes: String,
    used_codes: String,
    period: (Moment, Moment),
}

impl TenantPage<'_> {
    fn states() -> Vec<Choice> {
        states()
    }
}

/// What a page of a tenant's shows of two forms: each as it was sent, if it was refused, else as things stand.
#[derive(Default)]
struct Sent {
    profile: Form,
    terms: Form,
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, asked: Form) -> Answer {
    answer(&state, &who, *id, &asked, StatusCode::OK, Sent::default()).await
}

fn profile(form: &Form) -> Result<ProfileChange, Problem> {
    let text = |name| form.optional(name).map(str::to_owned);
    let change = ChangeProfileJson {
        name: Some(form.value("name").to_owned()),
        contact_email: Some(form.value("contact_email").to_owned()),
        logo_url: Some(text("logo_url")),
        primary_color: Some(text("primary_color")),
        domain: Some(text("domain")),
    };
    change.parse()
}

async fn save<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let saved = async {
        let change = profile(&form)?;
        state.again(async || change_tenant(&state.store, &who.context(&state), *id, change.clone(), &form.expected()).await).await
    };
    match saved.await {
        Ok(_) => Ok(done(*id, "saved")),
        Err(problem) => {
            let status = problem.code.status();
            let sent = Sent { profile: form.refused(problem), ..Sent::default() };
            answer(&state, &who, *id, &Form::default(), status, sent).await
        }
    }
}

/// Puts the tenant on a plan, and says how its payments stand.
async fn subscribe<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let set = async {
        let (plan_id, subscription) = (chosen_plan(&state, &form).await?, form.value("state").to_owned());
        let sent = SetSubscriptionJson { plan_id, state: subscription, current_period_start: None, current_period_end: None };
        let terms = sent.parse()?;
        state.again(async || set_subscription(&state.store, &who.context(&state), *id, terms, &form.expected()).await).await
    };
    match set.await {
        Ok(_) => Ok(done(*id, "saved")),
        Err(problem) => {
            let status = problem.code.status();
            let sent = Sent { terms: form.refused(problem), ..Sent::default() };
            answer(&state, &who, *id, &Form::default(), status, sent).await
        }
    }
}

async fn suspend<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    state.again(async || suspend_tenant(&state.store, &who.context(&state), *id).await).await?;
    Ok(done(*id, "suspended"))
}

async fn resume<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    state.again(async || resume_tenant(&state.store, &who.context(&state), *id).await).await?;
    Ok(done(*id, "resumed"))
}

fn done(id: TenantId, word: &str) -> actix_web::HttpResponse {
    see_other(format!("{HERE}/{id}?done={word}"))
}

/// A tenant, or that there is none.
pub(super) async fn find<S: Store>(state: &State<S>, id: TenantId) -> Result<Tenant, Problem> {
    state.store.reader().tenant(id).await?.ok_or_else(Problem::not_found)
}

async fn standing<S: Store>(state: &State<S>, on: &Subscription, plan: Option<Plan>) -> Result<Standing, Problem> {
    let (now, mut reader) = (state.clock.now(), state.store.reader());
    let used = reader.activations_in(on.tenant_id, now.month()).await?;
    let [_revoked, _expired, used_codes, available_codes] = reader.count_codes(on.tenant_id, now).await?;
    Ok(Standing {
        quota: plan.as_ref().map(|plan| grouped(plan.monthly_run_quota.get().into())),
        plan,
        state: Tag::subscription(on.state),
        used: grouped(used.into()),
        available_codes: grouped(available_codes),
        used_codes: grouped(used_codes),
        period: (Moment(on.current_period_start), Moment(on.current_period_end)),
    })
}

async fn answer<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    id: TenantId,
    asked: &Form,
    status: StatusCode,
    sent: Sent,
) -> Answer {
    let tenant = find(state, id).await?;
    // Read behind the tenant: what is shown may be newer than the version of its form says, and never older.
    let subscription = state.store.reader().subscription(id).await?;
    let (plans, terms, subscription) = match &subscription {
        Some(on) => {
            let (plans, plan) = plans_to_move_to(state, on.plan_id).await?;
            let terms = sent
                .terms
                .or("plan_id", on.plan_id)
                .or("plan_name", "")
                .or("state", on.state.as_str())
                .or("version", on.version());
            (plans, terms, Some(standing(state, on, plan).await?))
        }
        None => (Plans::default(), sent.terms, None),
    };
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let branding = &tenant.branding;
    let logo = text(branding.logo_url.as_ref().map(HttpsUrl::as_str));
    let color = text(branding.primary_color.as_ref().map(HexColor::as_str));
    let domain = text(branding.domain.as_ref().map(DomainName::as_str));
    let form =
        sent.profile.or("name", &tenant.name).or("contact_email", tenant.contact_email.as_str()).or("version", tenant.version());
    let form = form.or("logo_url", &logo).or("primary_color", &color).or("domain", &domain);
    let shell = admin_shell(state, who, HERE, asked);
    let shown = TenantPage {
        shell: &shell,
        head: TenantHead::of(who, &tenant, ""),
        form,
        terms,
        plans,
        subscription,
        contact: tenant.contact_email.as_str().to_owned(),
        logo,
        color,
        domain,
        suspended_at: tenant.suspended_at.map(Moment),
        created_at: Moment(tenant.created_at),
        updated_at: Moment(tenant.updated_at),
    };
    page(&shell, status, &shown)
}
