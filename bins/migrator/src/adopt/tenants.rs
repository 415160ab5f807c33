//! Plans, tenants and subscriptions, each from its row.

use tenantry_domain::{
    Branding, DomainName, Email, Entropy, HexColor, HttpsUrl, Id, InvalidValue, Plan, PlanId, PlanName, Quota, Slug,
    Subscription, SubscriptionState, Tenant, TenantId, TenantName, Timestamp,
};

use super::cells::{Cells, Reason, of};

/// A row that can be taken, and what is changed of it.
pub type Taken<T> = Result<(T, Vec<Reason>), Reason>;

pub fn plan(cells: Cells<'_>, entropy: &dyn Entropy) -> Taken<Plan> {
    let (created_at, updated_at) = cells.made()?;
    let quota = cells.number("quota")?.ok_or("quota: is missing")?;
    let archived = match cells.past("archived_at")? {
        None if cells.truth("active")? == Some(false) => Some(updated_at),
        archived => archived,
    };
    let plan = Plan {
        id: Id::generate(created_at, entropy),
        name: PlanName::parse(cells.needed("name")?).map_err(of("name"))?,
        monthly_run_quota: Quota::new(quota).map_err(of("quota"))?,
        archived_at: archived,
        created_at,
        updated_at,
    };
    Ok((plan, Vec::new()))
}

pub fn tenant(cells: Cells<'_>, entropy: &dyn Entropy) -> Taken<Tenant> {
    let (created_at, updated_at) = cells.made()?;
    if cells.moment("deleted_at")?.is_some() {
        return Err("it was deleted in the older portal".to_owned());
    }
    let slug = Slug::parse(cells.needed("slug")?).map_err(of("slug"))?;
    let mut changes = Vec::new();
    let name = cells.text("name").unwrap_or_else(|| {
        changes.push("name: is missing; its slug is taken".to_owned());
        slug.as_str()
    });
    let suspended = match cells.word("status").as_deref() {
        None | Some("active" | "enabled" | "approved" | "trial" | "trialing") => cells.truth("active")? == Some(false),
        Some("suspended" | "inactive" | "disabled" | "blocked" | "locked" | "pending" | "archived") => true,
        Some("deleted") => return Err("it was deleted in the older portal".to_owned()),
        Some(_) => return Err("status: is a word that isn't known".to_owned()),
    };
    let suspended_at = cells.past("suspended_at")?.or(suspended.then_some(updated_at));
    let tenant = Tenant {
        id: Id::generate(created_at, entropy),
        name: TenantName::parse(name).map_err(of("name"))?,
        contact_email: Email::parse(cells.needed("email")?).map_err(of("email"))?,
        branding: Branding {
            logo_url: branding(cells, "logo_url", HttpsUrl::parse, &mut changes),
            primary_color: branding(cells, "primary_color", HexColor::parse, &mut changes),
            domain: branding(cells, "domain", DomainName::parse, &mut changes),
        },
        slug,
        suspended_at,
        created_at,
        updated_at,
    };
    Ok((tenant, changes))
}

/// How a tenant looks is no reason to leave it behind.
fn branding<T>(
    cells: Cells<'_>,
    field: &str,
    parse: impl Fn(&str) -> Result<T, InvalidValue>,
    changes: &mut Vec<Reason>,
) -> Option<T> {
    parse(cells.text(field)?).map_err(|invalid| changes.push(format!("{}; it is left out", of(field)(invalid)))).ok()
}

/// A tenant's subscription; without a row of its own it has the tenant's plan and state `active`.
pub fn subscription(
    cells: Cells<'_>,
    tenant: TenantId,
    plan: PlanId,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Taken<Subscription> {
    let (created_at, updated_at) = cells.made()?;
    let state = match cells.word("state").as_deref() {
        None => SubscriptionState::Active,
        Some("trial") => SubscriptionState::Trialing,
        Some("cancelled" | "expired" | "inactive" | "ended") => SubscriptionState::Canceled,
        Some("paused" | "disabled") => SubscriptionState::Suspended,
        Some(word) => SubscriptionState::parse(word).map_err(of("state"))?,
    };
    let mut changes = Vec::new();
    let period = (cells.moment("period_start")?, cells.moment("period_end")?);
    let (current_period_start, current_period_end) = match period {
        (Some(start), Some(end)) if start < end => (start, end),
        (Some(start), None) => (start, start.month().end()),
        (None, None) => (now.month().start(), now.month().end()),
        (_, Some(_)) => {
            changes.push("period: has no start before its end; the present month is taken".to_owned());
            (now.month().start(), now.month().end())
        }
    };
    let id = Id::generate(created_at, entropy);
    let (tenant_id, plan_id) = (tenant, plan);
    let subscription =
        Subscription { id, tenant_id, plan_id, state, current_period_start, current_period_end, created_at, updated_at };
    Ok((subscription, changes))
}
