use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{Code, CodeDigest, Id, KeyId, Label};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, count, digest, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "activation_codes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) code_digest: Vec<u8>,
    pub(crate) key_id: String,
    pub(crate) hint: String,
    pub(crate) label: Option<String>,
    pub(crate) max_uses: i64,
    pub(crate) use_count: i64,
    pub(crate) expires_at: Option<DbTime>,
    pub(crate) used_at: Option<DbTime>,
    pub(crate) revoked_at: Option<DbTime>,
    pub(crate) batch_id: Uuid,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Code> for ActiveModel {
    fn from(code: &Code) -> Self {
        Self {
            id: Set(code.id.uuid()),
            tenant_id: Set(code.tenant_id.uuid()),
            code_digest: Set(code.digest.as_bytes().to_vec()),
            key_id: Set(code.key_id.as_str().to_owned()),
            hint: Set(code.hint.clone()),
            label: Set(code.label.as_ref().map(|label| label.as_str().to_owned())),
            max_uses: Set(code.max_uses.into()),
            use_count: Set(code.use_count.into()),
            expires_at: Set(code.expires_at.map(Into::into)),
            used_at: Set(code.used_at.map(Into::into)),
            revoked_at: Set(code.revoked_at.map(Into::into)),
            batch_id: Set(code.batch_id.uuid()),
            created_at: Set(code.created_at.into()),
            updated_at: Set(code.updated_at.into()),
        }
    }
}

impl Row for Model {
    type Value = Code;
    const WHAT: &'static str = "code";

    fn into_value(self) -> Result<Code, Corruption> {
        Ok(Code {
            id: Id::from_uuid(self.id),
            tenant_id: Id::from_uuid(self.tenant_id),
            digest: CodeDigest::from_bytes(digest(&self.code_digest)?),
            key_id: KeyId::from_stored(self.key_id),
            hint: self.hint,
            label: self.label.map(Label::from_stored),
            max_uses: count(self.max_uses)?,
            use_count: count(self.use_count)?,
            expires_at: moment(self.expires_at),
            used_at: moment(self.used_at),
            revoked_at: moment(self.revoked_at),
            batch_id: Id::from_uuid(self.batch_id),
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}
