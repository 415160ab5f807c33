use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{KeyFingerprint, KeyId, SigningKey};

use crate::{
    row::{Corruption, Row, digest},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key_id: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) known_since: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&SigningKey> for ActiveModel {
    fn from(key: &SigningKey) -> Self {
        Self {
            key_id: Set(key.id.to_string()),
            fingerprint: Set(key.fingerprint.as_bytes().to_vec()),
            known_since: Set(key.known_since.into()),
        }
    }
}

impl Row for Model {
    type Value = SigningKey;
    const WHAT: &'static str = "signing key";

    fn into_value(self) -> Result<SigningKey, Corruption> {
        Ok(SigningKey {
            id: KeyId::from_stored(self.key_id),
            fingerprint: KeyFingerprint::from_bytes(digest(&self.fingerprint)?),
            known_since: self.known_since.into(),
        })
    }
}
