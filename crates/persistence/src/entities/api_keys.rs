use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{ApiKey, ApiKeyName, Id, Scopes, TokenDigest};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, digest, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) token_digest: Vec<u8>,
    /// Words with blanks between them.
    pub(crate) scopes: String,
    pub(crate) expires_at: Option<DbTime>,
    pub(crate) last_used_at: Option<DbTime>,
    /// When its use was last audited: the store's own note, which no value has.
    pub(crate) use_audited_at: Option<DbTime>,
    pub(crate) revoked_at: Option<DbTime>,
    /// No reference: it outlives the operator.
    pub(crate) created_by: Option<Uuid>,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&ApiKey> for ActiveModel {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: Set(key.id.uuid()),
            name: Set(key.name.as_str().to_owned()),
            token_digest: Set(key.token_digest.as_bytes().to_vec()),
            scopes: Set(key.scopes.to_string()),
            expires_at: Set(key.expires_at.map(Into::into)),
            last_used_at: Set(key.last_used_at.map(Into::into)),
            use_audited_at: Set(None),
            revoked_at: Set(key.revoked_at.map(Into::into)),
            created_by: Set(key.created_by.map(Id::uuid)),
            created_at: Set(key.created_at.into()),
            updated_at: Set(key.created_at.into()),
        }
    }
}

impl Row for Model {
    type Value = ApiKey;
    const WHAT: &'static str = "API key";

    fn into_value(self) -> Result<ApiKey, Corruption> {
        Ok(ApiKey {
            id: Id::from_uuid(self.id),
            name: ApiKeyName::from_stored(self.name),
            token_digest: TokenDigest::from_bytes(digest(&self.token_digest)?),
            scopes: Scopes::from_stored(&self.scopes),
            expires_at: moment(self.expires_at),
            last_used_at: moment(self.last_used_at),
            revoked_at: moment(self.revoked_at),
            created_by: self.created_by.map(Id::from_uuid),
            created_at: self.created_at.into(),
        })
    }
}
