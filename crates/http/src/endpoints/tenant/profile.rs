//! What a tenant says of itself.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    DomainName, Email, HexColor, HttpsUrl, ProfileChange, Slug, Tenant, TenantId, TenantName, Timestamp, change_own_profile,
    ports::Store,
};
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    change::present,
    conditional::{IfMatch, IfNoneMatch, etag},
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::TenantSession,
    operation::{Operation, get, patch},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/tenant/profile", web::to(read::<S>))
            .tenant()
            .says("Read the profile", "What the tenant is called, where its one-time passwords go, and how it looks.")
            .answers::<ProfileJson>(StatusCode::OK)
            .versioned(),
        patch("/api/tenant/profile", web::to(change::<S>))
            .tenant()
            .says(
                "Change the profile",
                "What is absent stays as it is; what is null is cleared. Another contact address ends all other sessions, and the one-time \
                passwords that are on their way to the old one. Slug, plan, quota and state are the operator's.",
            )
            .body::<ChangeProfileJson>()
            .answers::<ProfileJson>(StatusCode::OK)
            .refuses(&[ErrorCode::SubscriptionInactive, ErrorCode::TenantSuspended, ErrorCode::NotFound])
            .conditional(),
    ]
}

/// What a tenant says of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Profile)]
struct ProfileJson {
    #[schema(value_type = schema::TenantId)]
    id: TenantId,
    /// What it signs in with; it stays.
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
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

impl From<Tenant> for ProfileJson {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            slug: tenant.slug,
            name: tenant.name,
            contact_email: tenant.contact_email,
            logo_url: tenant.branding.logo_url,
            primary_color: tenant.branding.primary_color,
            domain: tenant.branding.domain,
            created_at: tenant.created_at,
            updated_at: tenant.updated_at,
        }
    }
}

/// A change of a tenant: what is absent stays, what is null is cleared.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeProfile)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeProfileJson {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    pub name: Option<String>,
    /// Where its one-time passwords go.
    #[schema(format = Email, example = "it@acme.example")]
    pub contact_email: Option<String>,
    /// Where its logo is: an https address.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "https://acme.example/logo.svg")]
    pub logo_url: Option<Option<String>>,
    /// Its main colour.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "#1a2b3c")]
    pub primary_color: Option<Option<String>>,
    /// The domain that it is known by.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "acme.example")]
    pub domain: Option<Option<String>>,
}

impl ChangeProfileJson {
    pub fn parse(&self) -> Result<ProfileChange, Problem> {
        let mut fields = Fields::default();
        let name = fields.parse_optional("/name", self.name.as_ref(), TenantName::parse);
        let contact_email = fields.parse_optional("/contact_email", self.contact_email.as_ref(), Email::parse);
        let logo_url = fields.parse_change("/logo_url", self.logo_url.as_ref(), HttpsUrl::parse);
        let primary_color = fields.parse_change("/primary_color", self.primary_color.as_ref(), HexColor::parse);
        let domain = fields.parse_change("/domain", self.domain.as_ref(), DomainName::parse);
        let complete = || {
            let (name, contact_email) = (name?, contact_email?);
            let (logo_url, primary_color, domain) = (logo_url?, primary_color?, domain?);
            Some(ProfileChange { name, contact_email, logo_url, primary_color, domain })
        };
        complete().ok_or_else(|| fields.into_problem())
    }
}

/// The tenant's own profile.
async fn read<S: Store>(who: TenantSession<S>, seen: IfNoneMatch) -> Answer {
    Ok(seen.answer(who.tenant.version(), ProfileJson::from(who.tenant)))
}

/// Changes the fields that are sent.
async fn change<S: Store>(state: State<S>, who: TenantSession<S>, if_match: IfMatch, body: JsonBody) -> Answer {
    let expected = if_match.expected()?;
    let change = body.read::<ChangeProfileJson>().await?.parse()?;
    let (cx, session) = (who.context(&state), who.session.id);
    let tenant =
        state.again(async || change_own_profile(&state.store, &cx, who.id(), session, change.clone(), &expected).await).await?;
    Ok(HttpResponse::Ok().insert_header(etag(tenant.version())).json(ProfileJson::from(tenant)))
}
