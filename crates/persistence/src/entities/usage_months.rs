use sea_orm::{ActiveModelBehavior, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter, PrimaryKeyTrait};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, count},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_months")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) year: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) month: i64,
    pub(crate) activations: i64,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    /// The month's activations.
    type Value = u32;
    const WHAT: &'static str = "month of usage";

    fn into_value(self) -> Result<u32, Corruption> {
        count(self.activations)
    }
}
