//! What several pages look up: tenants by what people call them, and plans to choose from.

use std::collections::HashMap;

use tenantry_domain::{
    InvalidValue, PageLimit, PageRequest, Plan, PlanId, Scope, Slug, TenantId,
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

/// As many plans as a list of choices has.
async fn plans<S: Store>(state: &AppState<S>, archived: Option<bool>) -> Result<Vec<Plan>, Problem> {
    let limit = PageLimit::new(PageLimit::MAX).unwrap_or_default();
    let page = PageRequest { limit, after: None, count: false };
    Ok(state.store.reader().plans_page(&PlanFilter { search: None, archived }, page).await?.items)
}

/// All plans, for a filter.
pub(super) async fn all_plans<S: Store>(state: &AppState<S>) -> Result<Vec<Choice>, Problem> {
    let named = |plan: Plan| Choice::new(plan.id.to_string(), plan.name.as_str());
    Ok(plans(state, None).await?.into_iter().map(named).collect())
}

/// The plans that a tenant can be put on.
pub(super) async fn plans_for_sale<S: Store>(state: &AppState<S>) -> Result<Vec<Choice>, Problem> {
    Ok(plans(state, Some(false)).await?.iter().map(for_sale).collect())
}

/// The same, with the one that a tenant is on, which may have been archived; and that one.
pub(super) async fn plans_to_move_to<S: Store>(state: &AppState<S>, on: PlanId) -> Result<(Vec<Choice>, Option<Plan>), Problem> {
    let plans = plans(state, Some(false)).await?;
    let mut choices: Vec<_> = plans.iter().map(for_sale).collect();
    let current = match plans.into_iter().find(|plan| plan.id == on) {
        Some(plan) => Some(plan),
        None => state.store.reader().plan(on).await?,
    };
    if let Some(plan) = current.as_ref().filter(|plan| plan.archived_at.is_some()) {
        choices.push(Choice::new(plan.id.to_string(), format!("{} (archived)", plan.name)));
    }
    Ok((choices, current))
}

fn for_sale(plan: &Plan) -> Choice {
    Choice::new(plan.id.to_string(), format!("{}: {} activations a month", plan.name, plan.monthly_run_quota.get()))
}
