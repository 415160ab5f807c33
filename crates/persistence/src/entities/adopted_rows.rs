use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::AdoptedRow;
use uuid::Uuid;

use crate::{
    row::{Corruption, Row},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "adopted_rows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) old_key: String,
    pub(crate) id: Uuid,
    pub(crate) adopted_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&AdoptedRow> for ActiveModel {
    fn from(row: &AdoptedRow) -> Self {
        Self {
            source: Set(row.source.clone()),
            kind: Set(row.kind.as_str().to_owned()),
            old_key: Set(row.old_key.clone()),
            id: Set(row.id),
            adopted_at: Set(row.adopted_at.into()),
        }
    }
}

impl Row for Model {
    /// The key in the older portal, and the identifier here.
    type Value = (String, Uuid);
    const WHAT: &'static str = "adopted row";

    fn into_value(self) -> Result<Self::Value, Corruption> {
        Ok((self.old_key, self.id))
    }
}
