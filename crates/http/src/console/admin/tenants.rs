//! All tenants.

use actix_web::web;
use askama::Template;
use tenantry_domain::{
    Scope, SubscriptionState, Tenant, TenantId,
    ports::{Store, TenantFilter, TenantReads as _},
};

use super::lookup::{Plans, all_plans, asked_plan};
use crate::{
    console::{
        form::{Choice, Form},
        list::{choices, found},
        view::{Moment, Pager, Shell, Tag, admin_shell, asked_page, page},
    },
    endpoints::{Answer, State, admin::tenants::TenantsQuery},
    extract::Operator,
    operation::{Operation, get},
    problem::Problem,
};

const HERE: &str = "/admin/tenants";
const FILTERS: [&str; 5] = ["search", "plan_id", "plan_name", "state", "suspended"];

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![get("/admin/tenants", web::to(list::<S>)).scope(Scope::TenantsRead)]
}

#[derive(Template)]
#[template(path = "console/admin/tenants.html")]
struct TenantsPage<'a> {
    shell: &'a Shell,
    form: Form,
    plans: Vec<Choice>,
    more_plans: bool,
    may_write: bool,
    tenants: Vec<Row>,
    pager: Pager,
}

struct Row {
    id: TenantId,
    name: String,
    slug: String,
    contact: String,
    tag: Tag,
    created_at: Moment,
}

impl From<Tenant> for Row {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name.to_string(),
            slug: tenant.slug.to_string(),
            contact: tenant.contact_email.as_str().to_owned(),
            tag: access(&tenant),
            created_at: Moment(tenant.created_at),
        }
    }
}

/// Whether a tenant can sign in.
pub(super) fn access(tenant: &Tenant) -> Tag {
    if tenant.suspended_at.is_some() { Tag::new("suspended", "bad") } else { Tag::new("can sign in", "good") }
}

/// The words for how a subscription can stand.
pub(super) fn states() -> Vec<Choice> {
    SubscriptionState::ALL.into_iter().map(|state| Choice::word(state.as_str())).collect()
}

impl TenantsPage<'_> {
    fn states(&self) -> Vec<Choice> {
        choices("All", states(), self.form.value("state"))
    }

    fn access() -> Vec<Choice> {
        vec![Choice::new("", "All"), Choice::new("false", "Can sign in"), Choice::new("true", "Suspended")]
    }

    fn is_filtered(&self) -> bool {
        FILTERS.iter().any(|name| self.form.optional(name).is_some())
    }
}

/// The tenants that are asked for.
async fn wanted<S: Store>(state: &State<S>, asked: &Form) -> Result<TenantFilter, Problem> {
    let suspended = match asked.value("suspended") {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    let text = |name| asked.optional(name).map(str::to_owned);
    let (search, plan_id, subscription) = (text("search"), asked_plan(state, asked).await?, text("state"));
    TenantsQuery { search, plan_id, state: subscription, suspended, ..TenantsQuery::default() }.filter()
}

/// The tenants that are asked for, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let request = asked_page(&asked)?;
    let tenants = async { Ok::<_, Problem>(state.store.reader().tenants_page(&wanted(&state, &asked).await?, request).await?) };
    let tenants = tenants.await;
    let (status, form, tenants) = found(asked, tenants)?;
    let plans = if who.scopes().has(Scope::PlansRead) { all_plans(&state).await? } else { Plans::default() };
    let (form, more_plans) = (form.or("plan_name", ""), plans.more);
    let plans = choices("All", plans.choices, form.value("plan_id"));
    let shell = admin_shell(&state, &who, HERE, &form);
    let pager = Pager::new(HERE, &form, &FILTERS, &tenants, |tenant| tenant.id);
    let may_write = who.scopes().has(Scope::TenantsWrite);
    let tenants = tenants.items.into_iter().map(Row::from).collect();
    page(&shell, status, &TenantsPage { shell: &shell, form, plans, more_plans, may_write, tenants, pager })
}
