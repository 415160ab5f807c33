//! Tenants: whom an operator sells to.

use crate::{DomainName, Email, HexColor, HttpsUrl, Id, Slug, TenantName, Timestamp, id::Kind};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its identifier.
    pub id: TenantId,
    /// What it signs in with, unique.
    pub slug: Slug,
    /// What it is called.
    pub name: TenantName,
    /// Where its one-time passwords go.
    pub contact_email: Email,
    /// How it looks.
    pub branding: Branding,
    /// Since when it can't sign in.
    pub suspended_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A tenant's identifier.
pub type TenantId = Id<Tenant>;

impl Kind for Tenant {
    const PREFIX: &'static str = "ten";
}

/// How a tenant looks in its console and mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branding {
    /// Where its logo is.
    pub logo_url: Option<HttpsUrl>,
    /// Its main colour.
    pub primary_color: Option<HexColor>,
    /// The domain that it is known by.
    pub domain: Option<DomainName>,
}
