//! What several pages look up: tenants by what people call them, and plans to choose from.

use std::collections::HashMap;

use tenantry_domain::{
    InvalidValue, Page, PageLimit, PageRequest, Plan, PlanId, Scope, SearchText, Slug, TenantId,
    ports::{PlanFilter, PlanReads as _, Store, TenantReads as _},
};

use crate::{
    console::form::{Choice, Form},
    extract::Operator,
    problem::Problem,
    state::AppState,
};

/// The tenant that a field names, by its account or its identifier; `None` where it is empty.
pub(super) async fn named_tenant<S: Store>(state: &AppState<S>, form: &Form, field: &str) -> Result<Option<TenantId>, Problem> {
    let Some(text) = form.optional(field) else { return Ok(None) };
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    let unknown = || {
        let invalid = InvalidValue::new("unknown_tenant", "there is no such tenant");
        Problem::field(format!("/{field}"), invalid)
    };
    let slug = Slug::parse(text).map_err(|_| unknown())?;
    Ok(Some(state.store.reader().tenant_by_slug(&slug).await?.ok_or_else(unknown)?.id))
}

/// Whose something is, as a list shows it.
#[derive(Clone)]
pub(super) struct Owner {
    pub id: TenantId,
    /// Its account, else its identifier.
    pub name: String,
}

/// The owners of what a list has, by their accounts for those who may see tenants: one read for all of them.
pub(super) async fn owners<S: Store>(
    state: &AppState<S>,
    who: &Operator<S>,
    tenants: impl Iterator<Item = TenantId>,
) -> Result<HashMap<TenantId, Owner>, Problem> {
    let mut owners: HashMap<_, _> = tenants.map(|id| (id, Owner { id, name: id.to_string() })).collect();
    if who.scopes().has(Scope::TenantsRead) {
        let ids: Vec<_> = owners.keys().copied().collect();
        for tenant in state.store.reader().tenants_by_ids(&ids).await? {
            owners.insert(tenant.id, Owner { id: tenant.id, name: tenant.slug.to_string() });
        }
    }
    Ok(owners)
}

/// The owner of one thing.
pub(super) async fn owner<S: Store>(state: &AppState<S>, who: &Operator<S>, tenant: TenantId) -> Result<Owner, Problem> {
    let found = owners(state, who, std::iter::once(tenant)).await?.into_values().next();
    Ok(found.unwrap_or_else(|| Owner { id: tenant, name: tenant.to_string() }))
}

/// Plans to choose from.
#[derive(Default)]
pub(super) struct Plans {
    pub choices: Vec<Choice>,
    /// Whether there are more than these: then a field beside them takes a plan's name.
    pub more: bool,
}

/// The field that takes a plan's name.
const PLAN_NAME: &str = "plan_name";

/// As many plans as a list of choices has, the newest.
async fn plans<S: Store>(state: &AppState<S>, filter: PlanFilter, after: Option<PlanId>) -> Result<Page<Plan>, Problem> {
    let limit = PageLimit::new(PageLimit::MAX).unwrap_or_default();
    Ok(state.store.reader().plans_page(&filter, PageRequest { limit, after, count: false }).await?)
}

/// The plans that a tenant can be put on.
const FOR_SALE: PlanFilter = PlanFilter { search: None, archived: Some(false) };

/// All plans, for a filter.
pub(super) async fn all_plans<S: Store>(state: &AppState<S>) -> Result<Plans, Problem> {
    let named = |plan: Plan| Choice::new(plan.id.to_string(), plan.name.as_str());
    let Page { items, has_more: more, .. } = plans(state, PlanFilter::default(), None).await?;
    Ok(Plans { choices: items.into_iter().map(named).collect(), more })
}

/// The plans that a tenant can be put on, with the one that is chosen already.
pub(super) async fn plans_for_sale<S: Store>(state: &AppState<S>, chosen: &str) -> Result<Plans, Problem> {
    let Page { items, has_more: more, .. } = plans(state, FOR_SALE, None).await?;
    let mut choices: Vec<_> = items.iter().map(for_sale).collect();
    if let Some(id) = chosen.parse().ok().filter(|id| more && items.iter().all(|plan| plan.id != *id)) {
        let older = state.store.reader().plan(id).await?.filter(|plan| plan.archived_at.is_none());
        choices.extend(older.as_ref().map(for_sale));
    }
    Ok(Plans { choices, more })
}

/// The same, with the one that a tenant is on, which may be an older one or have been archived; and that one.
pub(super) async fn plans_to_move_to<S: Store>(state: &AppState<S>, on: PlanId) -> Result<(Plans, Option<Plan>), Problem> {
    let Page { mut items, has_more: more, .. } = plans(state, FOR_SALE, None).await?;
    let mut choices: Vec<_> = items.iter().map(for_sale).collect();
    let current = match items.iter().position(|plan| plan.id == on) {
        Some(place) => Some(items.swap_remove(place)),
        None => state.store.reader().plan(on).await?.inspect(|plan| choices.push(for_sale(plan))),
    };
    Ok((Plans { choices, more }, current))
}

fn for_sale(plan: &Plan) -> Choice {
    let archived = if plan.archived_at.is_some() { " (archived)" } else { "" };
    Choice::new(plan.id.to_string(), format!("{}{archived}: {} activations a month", plan.name, plan.monthly_run_quota.get()))
}

/// The plan that a tenant is to be put on: the one whose name is typed, else the chosen one.
pub(super) async fn chosen_plan<S: Store>(state: &AppState<S>, form: &Form) -> Result<String, Problem> {
    plan_of(state, form, FOR_SALE).await
}

/// The plan that a filter names, archived or not.
pub(super) async fn asked_plan<S: Store>(state: &AppState<S>, form: &Form) -> Result<Option<String>, Problem> {
    Ok(Some(plan_of(state, form, PlanFilter::default()).await?).filter(|plan| !plan.is_empty()))
}

async fn plan_of<S: Store>(state: &AppState<S>, form: &Form, filter: PlanFilter) -> Result<String, Problem> {
    let refused = |detail: String| Problem::field(format!("/{PLAN_NAME}"), InvalidValue::new("unknown_plan", detail));
    let Some(name) = form.optional(PLAN_NAME) else { return Ok(form.value("plan_id").to_owned()) };
    let text = SearchText::parse(name).map_err(|invalid| Problem::field(format!("/{PLAN_NAME}"), invalid))?;
    let filter = PlanFilter { search: Some(text.to_string()), ..filter };
    let (mut like, mut after) = (Vec::new(), None);
    loop {
        let page = plans(state, filter.clone(), after).await?;
        if let Some(plan) = page.items.iter().find(|plan| plan.name.as_str().to_lowercase() == name.to_lowercase()) {
            return Ok(plan.id.to_string());
        }
        after = page.items.last().map(|plan| plan.id);
        like.extend(page.items);
        if !page.has_more {
            break;
        }
    }
    match like.as_slice() {
        [] => Err(refused("there is no such plan".to_owned())),
        [only] => Ok(only.id.to_string()),
        several => {
            let names: Vec<_> = several.iter().take(3).map(|plan| format!("`{}`", plan.name)).collect();
            Err(refused(format!(
                "{} plans are called like that, such as {}; type the whole name of one",
                several.len(),
                names.join(", ")
            )))
        }
    }
}
