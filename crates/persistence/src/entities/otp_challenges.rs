use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{Id, KeyId, OtpAccount, OtpChallenge, OtpMac, OtpPurpose, OtpStrength};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, count, digest, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "otp_challenges")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Option<Uuid>,
    /// At most one of the two is set: a challenge has one account, or none.
    pub(crate) operator_id: Option<Uuid>,
    pub(crate) code_mac: Vec<u8>,
    pub(crate) key_id: String,
    pub(crate) purpose: String,
    pub(crate) strength: String,
    pub(crate) attempts: i64,
    pub(crate) expires_at: DbTime,
    pub(crate) consumed_at: Option<DbTime>,
    pub(crate) created_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&OtpChallenge> for ActiveModel {
    fn from(challenge: &OtpChallenge) -> Self {
        Self {
            id: Set(challenge.id.uuid()),
            tenant_id: Set(challenge.account.and_then(OtpAccount::tenant).map(Id::uuid)),
            operator_id: Set(challenge.account.and_then(OtpAccount::operator).map(Id::uuid)),
            code_mac: Set(challenge.code_mac.as_bytes().to_vec()),
            key_id: Set(challenge.key_id.as_str().to_owned()),
            purpose: Set(challenge.purpose.as_str().to_owned()),
            strength: Set(challenge.strength.as_str().to_owned()),
            attempts: Set(challenge.attempts.into()),
            expires_at: Set(challenge.expires_at.into()),
            consumed_at: Set(challenge.consumed_at.map(Into::into)),
            created_at: Set(challenge.created_at.into()),
        }
    }
}

impl Row for Model {
    type Value = OtpChallenge;
    const WHAT: &'static str = "challenge";

    fn into_value(self) -> Result<OtpChallenge, Corruption> {
        Ok(OtpChallenge {
            id: Id::from_uuid(self.id),
            account: match (self.tenant_id, self.operator_id) {
                (None, None) => None,
                (Some(tenant), None) => Some(OtpAccount::Tenant(Id::from_uuid(tenant))),
                (None, Some(operator)) => Some(OtpAccount::Operator(Id::from_uuid(operator))),
                (Some(_), Some(_)) => return Err("it is a tenant's and an operator's".into()),
            },
            code_mac: OtpMac::from_bytes(digest(&self.code_mac)?),
            key_id: KeyId::from_stored(self.key_id),
            purpose: OtpPurpose::from_stored(&self.purpose).ok_or("the purpose is unknown")?,
            strength: OtpStrength::from_stored(&self.strength).ok_or("the strength is unknown")?,
            attempts: count(self.attempts)?,
            expires_at: self.expires_at.into(),
            consumed_at: moment(self.consumed_at),
            created_at: self.created_at.into(),
        })
    }
}
