//! Plans: what is sold.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    Plan, PlanChange, PlanId, PlanName, Quota, Scope, archive_plan, change_plan, create_plan, delete_plan,
    ports::{PlanFilter, PlanReads as _, Store},
    restore_plan,
};

use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        view::{Moment, Pager, Shell, admin_shell, asked_page, page, see_other},
    },
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, get, post},
    paging::search_text,
    problem::{Fields, Problem},
};

const HERE: &str = "/admin/plans";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/plans", web::to(list::<S>)).scope(Scope::PlansRead),
        post("/admin/plans/new", web::to(create::<S>)).scope(Scope::PlansWrite),
        get("/admin/plans/new", web::to(new::<S>)).scope(Scope::PlansWrite),
        get("/admin/plans/{id}", web::to(show::<S>)).scope(Scope::PlansRead),
        post("/admin/plans/{id}", web::to(save::<S>)).scope(Scope::PlansWrite),
        post("/admin/plans/{id}/archive", web::to(archive::<S>)).scope(Scope::PlansWrite),
        post("/admin/plans/{id}/restore", web::to(restore::<S>)).scope(Scope::PlansWrite),
        post("/admin/plans/{id}/delete", web::to(delete::<S>)).scope(Scope::PlansWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/plans.html")]
struct PlansPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    plans: Vec<Row>,
    pager: Pager,
}

struct Row {
    id: PlanId,
    name: String,
    quota: u32,
    archived: bool,
    created_at: Moment,
}

impl From<Plan> for Row {
    fn from(plan: Plan) -> Self {
        Self {
            id: plan.id,
            name: plan.name.to_string(),
            quota: plan.monthly_run_quota.get(),
            archived: plan.archived_at.is_some(),
            created_at: Moment(plan.created_at),
        }
    }
}

impl PlansPage<'_> {
    fn availability() -> Vec<Choice> {
        vec![Choice::new("", "All"), Choice::new("false", "For sale"), Choice::new("true", "Archived")]
    }
}

#[derive(Template)]
#[template(path = "console/admin/plan_new.html")]
struct NewPlanPage<'a> {
    shell: &'a Shell,
    form: Form,
}

#[derive(Template)]
#[template(path = "console/admin/plan.html")]
struct PlanPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    may_make_tenants: bool,
    id: PlanId,
    name: String,
    archived_at: Option<Moment>,
    created_at: Moment,
    updated_at: Moment,
}

/// All plans, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let archived = match asked.value("archived") {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    let filter = PlanFilter { search: search_text(asked.optional("search"))?, archived };
    let plans = state.store.reader().plans_page(&filter, asked_page(&asked)?).await?;
    let shell = admin_shell(&state, &who, HERE, &asked);
    let pager = Pager::new(HERE, &asked, &["search", "archived"], &plans, |plan| plan.id);
    let may_write = who.scopes().has(Scope::PlansWrite);
    let plans = plans.items.into_iter().map(Row::from).collect();
    page(&shell, StatusCode::OK, &PlansPage { shell: &shell, form: asked, may_write, plans, pager })
}

async fn new<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let shell = admin_shell(&state, &who, HERE, &asked);
    page(&shell, StatusCode::OK, &NewPlanPage { shell: &shell, form: Form::default() })
}

/// Name and quota, as both forms have them.
fn terms(form: &Form) -> Result<(PlanName, Quota), Problem> {
    let mut fields = Fields::default();
    let name = fields.take("/name", PlanName::parse(form.value("name")));
    let quota = fields.take("/monthly_run_quota", form.whole("monthly_run_quota").and_then(Quota::new));
    name.zip(quota).ok_or_else(|| fields.into_problem())
}

async fn create<S: Store>(state: State<S>, who: Operator<S>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let created = async {
        let (name, quota) = terms(&form)?;
        Ok::<_, Problem>(create_plan(&state.store, &who.context(&state), name, quota).await?)
    };
    match created.await {
        Ok(plan) => Ok(see_other(format!("{HERE}/{}?done=created", plan.id))),
        Err(problem) => {
            let (shell, status) = (admin_shell(&state, &who, HERE, &Form::default()), problem.code.status());
            page(&shell, status, &NewPlanPage { shell: &shell, form: form.refused(problem) })
        }
    }
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>, asked: Form) -> Answer {
    let plan = find(&state, *id).await?;
    answer(&state, &who, &asked, StatusCode::OK, &plan, Form::default())
}

async fn save<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let saved = async {
        let (name, monthly_run_quota) = terms(&form)?;
        let change = PlanChange { name: Some(name), monthly_run_quota: Some(monthly_run_quota) };
        state.again(async || change_plan(&state.store, &who.context(&state), *id, change.clone(), &form.expected()).await).await
    };
    match saved.await {
        Ok(_) => Ok(see_other(format!("{HERE}/{id}?done=saved"))),
        Err(problem) => refused(&state, &who, *id, form, problem).await,
    }
}

async fn archive<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>) -> Answer {
    state.again(async || archive_plan(&state.store, &who.context(&state), *id).await).await?;
    Ok(see_other(format!("{HERE}/{id}?done=archived")))
}

async fn restore<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>) -> Answer {
    state.again(async || restore_plan(&state.store, &who.context(&state), *id).await).await?;
    Ok(see_other(format!("{HERE}/{id}?done=restored")))
}

async fn delete<S: Store>(state: State<S>, who: Operator<S>, id: Path<PlanId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    match state.again(async || delete_plan(&state.store, &who.context(&state), *id, &form.expected()).await).await {
        Ok(()) => Ok(see_other(format!("{HERE}?done=deleted"))),
        Err(failure) => refused(&state, &who, *id, form, failure).await,
    }
}

/// The plan's page again, with what was sent and why it was refused.
async fn refused<S: Store>(state: &State<S>, who: &Operator<S>, id: PlanId, form: Form, problem: Problem) -> Answer {
    let (plan, status) = (find(state, id).await?, problem.code.status());
    answer(state, who, &Form::default(), status, &plan, form.refused(problem))
}

async fn find<S: Store>(state: &State<S>, id: PlanId) -> Result<Plan, Problem> {
    state.store.reader().plan(id).await?.ok_or_else(Problem::not_found)
}

fn answer<S: Store>(state: &State<S>, who: &Operator<S>, asked: &Form, status: StatusCode, plan: &Plan, form: Form) -> Answer {
    let form = form.or("name", &plan.name).or("monthly_run_quota", plan.monthly_run_quota.get()).or("version", plan.version());
    let shell = admin_shell(state, who, HERE, asked);
    let shown = PlanPage {
        shell: &shell,
        form,
        may_write: who.scopes().has(Scope::PlansWrite),
        may_make_tenants: who.scopes().has(Scope::TenantsWrite),
        id: plan.id,
        name: plan.name.to_string(),
        archived_at: plan.archived_at.map(Moment),
        created_at: Moment(plan.created_at),
        updated_at: Moment(plan.updated_at),
    };
    page(&shell, status, &shown)
}
