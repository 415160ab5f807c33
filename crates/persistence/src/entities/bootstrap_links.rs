use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{BootstrapLink, BootstrapPurpose, TokenDigest};

use crate::{
    row::{Corruption, Row, digest},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bootstrap_links")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) token_digest: Vec<u8>,
    pub(crate) purpose: String,
    pub(crate) expires_at: DbTime,
    pub(crate) created_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&BootstrapLink> for ActiveModel {
    fn from(link: &BootstrapLink) -> Self {
        Self {
            token_digest: Set(link.token_digest.as_bytes().to_vec()),
            purpose: Set(link.purpose.as_str().to_owned()),
            expires_at: Set(link.expires_at.into()),
            created_at: Set(link.created_at.into()),
        }
    }
}

impl Row for Model {
    type Value = BootstrapLink;
    const WHAT: &'static str = "bootstrap link";

    fn into_value(self) -> Result<BootstrapLink, Corruption> {
        Ok(BootstrapLink {
            token_digest: TokenDigest::from_bytes(digest(&self.token_digest)?),
            purpose: BootstrapPurpose::from_stored(&self.purpose).ok_or("the purpose is unknown")?,
            expires_at: self.expires_at.into(),
            created_at: self.created_at.into(),
        })
    }
}
