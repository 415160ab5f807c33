//! Tenants.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Branding, DomainName, Email, HexColor, Holdings, HttpsUrl, NewTenant, Scope, Slug, Subscription, SubscriptionState, Tenant,
    TenantId, TenantName, Timestamp, change_tenant, create_tenant, delete_tenant,
    ports::{Store, TenantFilter, TenantReads as _},
    resume_tenant, suspend_tenant,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    codes::{IssuedCodeJson, shown},
    subscriptions::SubscriptionJson,
};
use crate::{
    body::JsonBody,
    conditional::{IfMatch, IfNoneMatch, etag},
    endpoints::{Answer, State, tenant::profile::ChangeProfileJson},
    errors::ErrorCode,
    extract::Operator,
    once::KeyedBody,
    operation::{Operation, delete as delete_operation, get, patch, post},
    paging::{List, page_request, search_text},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/tenants", web::to(list::<S>))
            .scope(Scope::TenantsRead)
            .says("List tenants", "Newest first.")
            .query::<TenantsQuery>()
            .answers::<List<TenantJson>>(StatusCode::OK),
        post("/api/admin/tenants", web::to(create::<S>))
            .scope(Scope::TenantsWrite)
            .says(
                "Create a tenant",
                "Puts it on a plan, and issues its first codes: a tenth of the plan's quota, at least one. Their texts are shown in this \
                answer, and never again. Where they can't be issued, the tenant stands all the same, and `warnings` says so.",
            )
            .body::<NewTenantJson>()
            .answers::<CreatedTenantJson<'_>>(StatusCode::CREATED)
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
        get("/api/admin/tenants/{id}", web::to(read::<S>))
            .scope(Scope::TenantsRead)
            .says("Read a tenant", "With its subscription.")
            .id::<schema::TenantId>()
            .answers::<TenantWithSubscriptionJson>(StatusCode::OK)
            .versioned(),
        patch("/api/admin/tenants/{id}", web::to(change::<S>))
            .scope(Scope::TenantsWrite)
            .says(
                "Change a tenant",
                "What is absent stays as it is; what is null is cleared. Another contact address ends the one-time passwords that are on their \
                way to the old one. The slug stays; plan and state are the subscription's.",
            )
            .id::<schema::TenantId>()
            .body::<ChangeProfileJson>()
            .answers::<TenantWithSubscriptionJson>(StatusCode::OK)
            .conditional(),
        delete_operation("/api/admin/tenants/{id}", web::to(delete::<S>))
            .scope(Scope::TenantsWrite)
            .says("Delete a tenant", "With everything that it owns. Its audit trail stays.")
            .id::<schema::TenantId>()
            .answers_nothing()
            .conditional(),
        get("/api/admin/tenants/{id}/deletion-preview", web::to(preview_deletion::<S>))
            .scope(Scope::TenantsRead)
            .says("Preview a tenant's deletion", "How many rows go with it.")
            .id::<schema::TenantId>()
            .answers::<DeletionPreviewJson>(StatusCode::OK),
        post("/api/admin/tenants/{id}/suspend", web::to(suspend::<S>))
            .scope(Scope::TenantsWrite)
            .says("Suspend a tenant", "It can't sign in, and its sessions end at once. Doing so again changes nothing.")
            .id::<schema::TenantId>()
            .answers_nothing(),
        post("/api/admin/tenants/{id}/resume", web::to(resume::<S>))
            .scope(Scope::TenantsWrite)
            .says("Resume a tenant", "It can sign in again; its old sessions stay ended. Doing so again changes nothing.")
            .id::<schema::TenantId>()
            .answers_nothing(),
    ]
}

/// A tenant to be created.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewTenant)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenantJson {
    /// What it signs in with, unlike every other tenant.
    #[schema(value_type = schema::Slug)]
    pub slug: String,
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    pub name: String,
    /// Where its one-time passwords go.
    #[schema(format = Email, example = "it@acme.example")]
    pub contact_email: String,
    /// The plan that it is put on.
    #[schema(value_type = schema::PlanId)]
    pub plan_id: String,
    /// Where its logo is: an https address.
    #[schema(example = "https://acme.example/logo.svg")]
    pub logo_url: Option<String>,
    /// Its main colour.
    #[schema(example = "#1a2b3c")]
    pub primary_color: Option<String>,
    /// The domain that it is known by.
    #[schema(example = "acme.example")]
    pub domain: Option<String>,
}

/// A tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant)]
struct TenantJson {
    #[schema(value_type = schema::TenantId)]
    id: TenantId,
    /// What it signs in with.
    #[schema(value_type = schema::Slug)]
    slug: Slug,
    /// What it is called.
    #[schema(value_type = String, example = "Acme")]
    name: TenantName,
    /// Where its one-time passwords go.
    #[schema(value_type = String, example = "it@acme.example")]
    contact_email: Email,
    /// Where its logo is.
    #[schema(value_type = Option<String>)]
    logo_url: Option<HttpsUrl>,
    /// Its main colour.
    #[schema(value_type = Option<String>)]
    primary_color: Option<HexColor>,
    /// The domain that it is known by.
    #[schema(value_type = Option<String>)]
    domain: Option<DomainName>,
    /// Since when it can't sign in.
    #[schema(value_type = Option<schema::Moment>)]
    suspended_at: Option<Timestamp>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

/// A tenant and its subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = TenantWithSubscription)]
struct TenantWithSubscriptionJson {
    #[serde(flatten)]
    tenant: TenantJson,
    subscription: Option<SubscriptionJson>,
}

/// A tenant that was created, and its first codes.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedTenant)]
struct CreatedTenantJson<'a> {
    #[serde(flatten)]
    tenant: TenantWithSubscriptionJson,
    activation_codes: Vec<IssuedCodeJson<'a>>,
    /// What didn't go as it should, though the tenant was created.
    warnings: Vec<WarningJson>,
}

/// What a tenant's deletion takes along.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletionPreview)]
struct DeletionPreviewJson {
    /// However they stand.
    projects: u64,
    /// However they stand.
    codes: u64,
    /// Also those that have ended.
    sessions: u64,
    redemptions: RedemptionCountsJson,
}

/// How many uses of its codes a tenant has in the ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = RedemptionCounts)]
struct RedemptionCountsJson {
    /// Those that count.
    live: u64,
    /// Those that were given back.
    returned: u64,
}

/// What didn't go as it should.
#[derive(Serialize, ToSchema)]
#[schema(as = Warning)]
struct WarningJson {
    /// `codes_not_issued`.
    code: &'static str,
    /// What to do about it.
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

impl TenantWithSubscriptionJson {
    fn of(tenant: Tenant, subscription: Option<Subscription>) -> Self {
        Self { tenant: tenant.into(), subscription: subscription.map(SubscriptionJson::from) }
    }
}

impl NewTenantJson {
    pub fn parse(&self) -> Result<NewTenant, Problem> {
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

#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantsQuery {
    /// Those whose slug or name contains this, in any case.
    #[param(max_length = 200)]
    pub search: Option<String>,
    /// Those on this plan.
    #[param(value_type = Option<schema::PlanId>)]
    pub plan_id: Option<String>,
    /// Those whose subscription stands so.
    #[param(value_type = Option<schema::SubscriptionState>)]
    pub state: Option<String>,
    /// Those that are suspended, or aren't. A suspended tenant can't sign in, whatever its subscription's state.
    pub suspended: Option<bool>,
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    pub count: Option<bool>,
}

impl TenantsQuery {
    pub fn filter(&self) -> Result<TenantFilter, Problem> {
        let search = search_text(self.search.as_deref())?;
        let mut fields = Fields::default();
        let plan_id = fields.take_optional("?plan_id", self.plan_id.as_deref().map(str::parse));
        let state = fields.take_optional("?state", self.state.as_deref().map(SubscriptionState::parse));
        match (plan_id, state) {
            (Some(plan_id), Some(state)) => Ok(TenantFilter { search, plan_id, state, suspended: self.suspended }),
            _ => Err(fields.into_problem()),
        }
    }
}

/// Tenants.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<TenantsQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().tenants_page(&query.filter()?, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |tenant| tenant.id, TenantJson::from)))
}

/// Makes a tenant on a plan, and shows its first codes this once.
pub(crate) async fn create<S: Store>(state: State<S>, who: Operator<S>, mut body: KeyedBody) -> Answer {
    let new = body.read::<NewTenantJson>().await?.parse()?;
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let created = create_tenant(store, cx, state.keys.as_ref(), new).await?;
        let warnings = created.issued.as_ref().err().map(|_| WarningJson {
            code: "codes_not_issued",
            detail: format!(
                "the tenant was created, but its codes were not issued; POST /api/admin/tenants/{}/codes issues them",
                created.tenant.id
            ),
        });
        let location = format!("/api/admin/tenants/{}", created.tenant.id);
        let mut response = HttpResponse::Created();
        response.insert_header(("location", location)).insert_header(etag(created.tenant.version()));
        Ok(response.json(CreatedTenantJson {
            activation_codes: created.issued.as_ref().map(shown).unwrap_or_default(),
            tenant: TenantWithSubscriptionJson::of(created.tenant, Some(created.subscription)),
            warnings: warnings.into_iter().collect(),
        }))
    })
    .await
}

/// One tenant and its subscription.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<TenantId>, seen: IfNoneMatch) -> Answer {
    let mut reader = state.store.reader();
    let tenant = reader.tenant(*id).await?.ok_or_else(Problem::not_found)?;
    // Read behind the tenant, whose version moves with it: what is shown may be newer than its version says, and never older.
    let subscription = reader.subscription(*id).await?;
    Ok(seen.answer(tenant.version(), TenantWithSubscriptionJson::of(tenant, subscription)))
}

/// Changes the fields that are sent.
async fn change<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, if_match: IfMatch, body: JsonBody) -> Answer {
    let expected = if_match.expected()?;
    let change = body.read::<ChangeProfileJson>().await?.parse()?;
    let tenant =
        state.again(async || change_tenant(&state.store, &who.context(&state), *id, change.clone(), &expected).await).await?;
    let subscription = state.store.reader().subscription(*id).await?;
    let shown =
        HttpResponse::Ok().insert_header(etag(tenant.version())).json(TenantWithSubscriptionJson::of(tenant, subscription));
    Ok(shown)
}

/// Deletes a tenant and all that it owns.
pub(crate) async fn delete<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, if_match: IfMatch) -> Answer {
    let expected = if_match.expected()?;
    state.again(async || delete_tenant(&state.store, &who.context(&state), *id, &expected).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How much a tenant's deletion takes along.
async fn preview_deletion<S: Store>(state: State<S>, _who: Operator<S>, id: Path<TenantId>) -> Answer {
    let holdings = state.store.reader().count_holdings(*id).await?.ok_or_else(Problem::not_found)?;
    let Holdings { projects, codes, sessions, live_redemptions: live, returned_redemptions: returned } = holdings;
    let redemptions = RedemptionCountsJson { live, returned };
    Ok(HttpResponse::Ok().json(DeletionPreviewJson { projects, codes, sessions, redemptions }))
}

/// Suspends a tenant and ends its sessions.
pub(crate) async fn suspend<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    state.again(async || suspend_tenant(&state.store, &who.context(&state), *id).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lets a suspended tenant sign in again.
pub(crate) async fn resume<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    state.again(async || resume_tenant(&state.store, &who.context(&state), *id).await).await?;
    Ok(HttpResponse::NoContent().finish())
}
