//! Tenants.

use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Branding, DomainName, Email, HexColor, HttpsUrl, NewTenant, PlanId, SearchText, Slug, Subscription, Tenant, TenantId,
    TenantName, Timestamp, create_tenant, delete_tenant,
    ports::{Store, TenantReads as _},
    resume_tenant, suspend_tenant,
};

use super::codes::{IssuedCodeJson, shown};
use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    extract::Operator,
    paging::{List, page_request},
    problem::{Fields, Problem},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenantJson {
    slug: String,
    name: String,
    contact_email: String,
    plan_id: String,
    logo_url: Option<String>,
    primary_color: Option<String>,
    domain: Option<String>,
}

#[derive(Serialize)]
struct TenantJson {
    id: TenantId,
    slug: Slug,
    name: TenantName,
    contact_email: Email,
    logo_url: Option<HttpsUrl>,
    primary_color: Option<HexColor>,
    domain: Option<DomainName>,
    suspended_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct SubscriptionJson {
    plan_id: PlanId,
    state: &'static str,
    current_period_start: Timestamp,
    current_period_end: Timestamp,
}

#[derive(Serialize)]
struct TenantWithSubscriptionJson {
    #[serde(flatten)]
    tenant: TenantJson,
    subscription: Option<SubscriptionJson>,
}

#[derive(Serialize)]
struct CreatedTenantJson<'a> {
    #[serde(flatten)]
    tenant: TenantWithSubscriptionJson,
    activation_codes: Vec<IssuedCodeJson<'a>>,
    warnings: Vec<WarningJson>,
}

#[derive(Serialize)]
struct WarningJson {
    code: &'static str,
    detail: String,
}

impl From<Tenant> for TenantJson {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            slug: tenant.slug,
            name: tenant.name,
            contact_email: tenant.contact_email,
            logo_url: tenant.branding.logo_url,
            primary_color: tenant.branding.primary_color,
            domain: tenant.branding.domain,
            suspended_at: tenant.suspended_at,
            created_at: tenant.created_at,
            updated_at: tenant.updated_at,
        }
    }
}

impl From<Subscription> for SubscriptionJson {
    fn from(subscription: Subscription) -> Self {
        Self {
            plan_id: subscription.plan_id,
            state: subscription.state.as_str(),
            current_period_start: subscription.current_period_start,
            current_period_end: subscription.current_period_end,
        }
    }
}

impl NewTenantJson {
    fn parse(&self) -> Result<NewTenant, Problem> {
        let mut fields = Fields::default();
        let slug = fields.take("/slug", Slug::parse(&self.slug));
        let name = fields.take("/name", TenantName::parse(&self.name));
        let contact_email = fields.take("/contact_email", Email::parse(&self.contact_email));
        let plan_id = fields.take("/plan_id", self.plan_id.parse());
        let logo_url = fields.take_optional("/logo_url", self.logo_url.as_deref().map(HttpsUrl::parse));
        let primary_color = fields.take_optional("/primary_color", self.primary_color.as_deref().map(HexColor::parse));
        let domain = fields.take_optional("/domain", self.domain.as_deref().map(DomainName::parse));
        let complete = || {
            let branding = Branding { logo_url: logo_url?, primary_color: primary_color?, domain: domain? };
            Some(NewTenant { slug: slug?, name: name?, contact_email: contact_email?, plan_id: plan_id?, branding })
        };
        complete().ok_or_else(|| fields.into_problem())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantsQuery {
    search: Option<String>,
    limit: Option<u16>,
    cursor: Option<String>,
}

/// All tenants.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<TenantsQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref())?;
    let search = query.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    let search = search.map(SearchText::parse).transpose().map_err(|invalid| Problem::field("?search", invalid))?;
    let page = state.store.reader().tenants_page(search.as_ref().map(SearchText::as_str), page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |tenant| tenant.id, TenantJson::from)))
}

/// Makes a tenant on a plan, and shows its first codes this once.
pub(crate) async fn create<S: Store>(state: State<S>, who: Operator<S>, body: JsonBody) -> Answer {
    let new = body.read::<NewTenantJson>().await?.parse()?;
    let created = create_tenant(&state.store, &who.context(&state), state.keys.as_ref(), new).await?;
    let warnings = created.issued.as_ref().err().map(|_| WarningJson {
        code: "codes_not_issued",
        detail: format!(
            "the tenant was created, but its codes were not issued; POST /api/admin/tenants/{}/codes issues them",
            created.tenant.id
        ),
    });
    let location = format!("/api/admin/tenants/{}", created.tenant.id);
    Ok(HttpResponse::Created().insert_header(("location", location)).json(CreatedTenantJson {
        activation_codes: created.issued.as_ref().map(shown).unwrap_or_default(),
        tenant: TenantWithSubscriptionJson { tenant: created.tenant.into(), subscription: Some(created.subscription.into()) },
        warnings: warnings.into_iter().collect(),
    }))
}

/// One tenant and its subscription.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<TenantId>) -> Answer {
    let mut reader = state.store.reader();
    let tenant = reader.tenant(*id).await?.ok_or_else(Problem::not_found)?;
    let subscription = reader.subscription(*id).await?;
    let shown = TenantWithSubscriptionJson { tenant: tenant.into(), subscription: subscription.map(SubscriptionJson::from) };
    Ok(HttpResponse::Ok().json(shown))
}

/// Deletes a tenant and all that it owns.
pub(crate) async fn delete<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    delete_tenant(&state.store, &who.context(&state), *id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Suspends a tenant and ends its sessions.
pub(crate) async fn suspend<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    suspend_tenant(&state.store, &who.context(&state), *id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lets a suspended tenant sign in again.
pub(crate) async fn resume<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    resume_tenant(&state.store, &who.context(&state), *id).await?;
    Ok(HttpResponse::NoContent().finish())
}
