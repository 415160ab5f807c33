use sea_orm::{ActiveModelBehavior, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter, PrimaryKeyTrait};
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
