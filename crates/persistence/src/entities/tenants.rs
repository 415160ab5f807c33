use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DbErr, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    FromQueryResult, PrimaryKeyTrait,
};
use tenantry_domain::{Branding, DomainName, Email, HexColor, Holdings, HttpsUrl, Id, Slug, Tenant, TenantName};
use uuid::Uuid;

use crate::{
    row::{Columns, Corruption, HotRow, InOrder, Row, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) contact_email: String,
    pub(crate) logo_url: Option<String>,
    pub(crate) primary_color: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) suspended_at: Option<DbTime>,
    /// Name and slug in lower case.
    pub(crate) search_text: String,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many rows a tenant owns.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct HoldingsRow {
    pub(crate) projects: i64,
    pub(crate) codes: i64,
    pub(crate) sessions: i64,
    pub(crate) live_redemptions: i64,
    pub(crate) returned_redemptions: i64,
}

impl From<&Tenant> for ActiveModel {
    fn from(tenant: &Tenant) -> Self {
        let branding = &tenant.branding;
        Self {
            id: Set(tenant.id.uuid()),
            slug: Set(tenant.slug.as_str().to_owned()),
            name: Set(tenant.name.as_str().to_owned()),
            contact_email: Set(tenant.contact_email.as_str().to_owned()),
            logo_url: Set(branding.logo_url.as_ref().map(|url| url.as_str().to_owned())),
            primary_color: Set(branding.primary_color.as_ref().map(|color| color.as_str().to_owned())),
            domain: Set(branding.domain.as_ref().map(|domain| domain.as_str().to_owned())),
            suspended_at: Set(tenant.suspended_at.map(Into::into)),
            search_text: Set(format!("{}\n{}", tenant.name.as_str().to_lowercase(), tenant.slug.as_str().to_lowercase())),
            created_at: Set(tenant.created_at.into()),
            updated_at: Set(tenant.updated_at.into()),
        }
    }
}

impl Model {
    /// From all columns but what a search looks through.
    pub(crate) fn in_order<C, I>(columns: &mut InOrder<'_, C, I>) -> Result<Self, DbErr>
    where
        C: Columns,
        I: Iterator<Item = usize>,
    {
        Ok(Self {
            id: columns.next()?,
            slug: columns.next()?,
            name: columns.next()?,
            contact_email: columns.next()?,
            logo_url: columns.next()?,
            primary_color: columns.next()?,
            domain: columns.next()?,
            suspended_at: columns.next()?,
            search_text: String::new(),
            created_at: columns.next()?,
            updated_at: columns.next()?,
        })
    }
}

impl Row for Model {
    type Value = Tenant;
    const WHAT: &'static str = "tenant";

    fn into_value(self) -> Result<Tenant, Corruption> {
        Ok(Tenant {
            id: Id::from_uuid(self.id),
            slug: Slug::from_stored(self.slug),
            name: TenantName::from_stored(self.name),
            contact_email: Email::from_stored(self.contact_email),
            branding: Branding {
                logo_url: self.logo_url.map(HttpsUrl::from_stored),
                primary_color: self.primary_color.map(HexColor::from_stored),
                domain: self.domain.map(DomainName::from_stored),
            },
            suspended_at: moment(self.suspended_at),
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

/// The columns of [`Model::in_order`].
pub(crate) const READ: [Column; 10] = [
    Column::Id,
    Column::Slug,
    Column::Name,
    Column::ContactEmail,
    Column::LogoUrl,
    Column::PrimaryColor,
    Column::Domain,
    Column::SuspendedAt,
    Column::CreatedAt,
    Column::UpdatedAt,
];

impl HotRow for Model {
    fn read(row: &impl Columns) -> Result<Self, DbErr> {
        Self::in_order(&mut InOrder::of(row))
    }
}

impl Row for HoldingsRow {
    type Value = Holdings;
    const WHAT: &'static str = "count of what a tenant owns";

    fn into_value(self) -> Result<Holdings, Corruption> {
        Ok(Holdings {
            projects: self.projects.try_into()?,
            codes: self.codes.try_into()?,
            sessions: self.sessions.try_into()?,
            live_redemptions: self.live_redemptions.try_into()?,
            returned_redemptions: self.returned_redemptions.try_into()?,
        })
    }
}
