//! Tenants: whom an operator sells to.

use crate::{DomainName, Email, HexColor, HttpsUrl, Id, Slug, TenantName, Timestamp, Version, id::Kind};

/// A tenant: a customer, who is on a plan, has codes, and makes projects.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Tenant {
    /// Its identifier.
    pub id: TenantId,
    /// What it signs in with, unique.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub slug: Slug,
    /// What it is called.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub name: TenantName,
    /// Where its one-time passwords go.
    #[cfg_attr(feature = "rows", serde(deserialize_with = "crate::rows::text"))]
    pub contact_email: Email,
    /// How it looks.
    pub branding: Branding,
    /// Since when it can't sign in.
    pub suspended_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed, its subscription included.
    pub updated_at: Timestamp,
}

impl Tenant {
    /// Its version: another after every change, of its subscription too, as the two are shown together.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version::of(self.updated_at)
    }

    /// What may be changed of it.
    #[must_use]
    pub fn profile(&self) -> TenantProfile {
        let Self { name, contact_email, branding, .. } = self;
        TenantProfile { name: name.clone(), contact_email: contact_email.clone(), branding: branding.clone() }
    }
}

/// A tenant's identifier.
pub type TenantId = Id<Tenant>;

impl Kind for Tenant {
    const PREFIX: &'static str = "ten";
}

/// How a tenant looks in its console and mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct Branding {
    /// Where its logo is.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub logo_url: Option<HttpsUrl>,
    /// Its main colour.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub primary_color: Option<HexColor>,
    /// The domain that it is known by.
    #[cfg_attr(feature = "rows", serde(default, deserialize_with = "crate::rows::some_text"))]
    pub domain: Option<DomainName>,
}

/// What may be changed of a tenant, by its operator and by itself: name, contact, branding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantProfile {
    /// What it is called.
    pub name: TenantName,
    /// Where its one-time passwords go.
    pub contact_email: Email,
    /// How it looks.
    pub branding: Branding,
}

/// A change of a tenant's profile: `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// What it is called.
    pub name: Option<TenantName>,
    /// Where its one-time passwords go.
    pub contact_email: Option<Email>,
    /// Where its logo is.
    pub logo_url: Option<Option<HttpsUrl>>,
    /// Its main colour.
    pub primary_color: Option<Option<HexColor>>,
    /// The domain that it is known by.
    pub domain: Option<Option<DomainName>>,
}

impl ProfileChange {
    /// The profile once the change is made.
    #[must_use]
    pub fn apply(self, to: TenantProfile) -> TenantProfile {
        TenantProfile {
            name: self.name.unwrap_or(to.name),
            contact_email: self.contact_email.unwrap_or(to.contact_email),
            branding: Branding {
                logo_url: self.logo_url.unwrap_or(to.branding.logo_url),
                primary_color: self.primary_color.unwrap_or(to.branding.primary_color),
                domain: self.domain.unwrap_or(to.branding.domain),
            },
        }
    }
}

impl TenantProfile {
    /// The names of the fields that differ in `other`: what may be said of a change of personal data.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let (own, others) = (&self.branding, &other.branding);
        let fields = [
            ("name", self.name != other.name),
            ("contact_email", self.contact_email != other.contact_email),
            ("logo_url", own.logo_url != others.logo_url),
            ("primary_color", own.primary_color != others.primary_color),
            ("domain", own.domain != others.domain),
        ];
        fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// How much a tenant owns, of what is deleted with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Projects, however they stand.
    pub projects: u64,
    /// Codes, however they stand.
    pub codes: u64,
    /// Sessions, also those that have ended.
    pub sessions: u64,
    /// Uses of its codes that count.
    pub live_redemptions: u64,
    /// Uses of its codes that were given back.
    pub returned_redemptions: u64,
}
