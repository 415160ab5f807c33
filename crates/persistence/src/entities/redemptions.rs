use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{Id, Redemption};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "redemptions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) activation_code_id: Option<Uuid>,
    pub(crate) project_id: Option<Uuid>,
    pub(crate) redeemed_at: DbTime,
    pub(crate) returned_at: Option<DbTime>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Redemption> for ActiveModel {
    fn from(redemption: &Redemption) -> Self {
        Self {
            id: Set(redemption.id.uuid()),
            tenant_id: Set(redemption.tenant_id.uuid()),
            activation_code_id: Set(redemption.activation_code_id.map(Id::uuid)),
            project_id: Set(redemption.project_id.map(Id::uuid)),
            redeemed_at: Set(redemption.redeemed_at.into()),
            returned_at: Set(redemption.returned_at.map(Into::into)),
        }
    }
}

impl Row for Model {
    type Value = Redemption;
    const WHAT: &'static str = "redemption";

    fn into_value(self) -> Result<Redemption, Corruption> {
        Ok(Redemption {
            id: Id::from_uuid(self.id),
            tenant_id: Id::from_uuid(self.tenant_id),
            activation_code_id: self.activation_code_id.map(Id::from_uuid),
            project_id: self.project_id.map(Id::from_uuid),
            redeemed_at: self.redeemed_at.into(),
            returned_at: moment(self.returned_at),
        })
    }
}
