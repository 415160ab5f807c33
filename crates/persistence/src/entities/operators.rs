use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{Email, Id, Operator, OperatorName, Role};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "operators")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) email: String,
    /// What the address is unique by.
    pub(crate) email_folded: String,
    pub(crate) role: String,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Operator> for ActiveModel {
    fn from(operator: &Operator) -> Self {
        Self {
            id: Set(operator.id.uuid()),
            name: Set(operator.name.as_str().to_owned()),
            email: Set(operator.email.as_str().to_owned()),
            email_folded: Set(operator.email.folded()),
            role: Set(operator.role.as_str().to_owned()),
            created_at: Set(operator.created_at.into()),
            updated_at: Set(operator.updated_at.into()),
        }
    }
}

impl Row for Model {
    type Value = Operator;
    const WHAT: &'static str = "operator";

    fn into_value(self) -> Result<Operator, Corruption> {
        Ok(Operator {
            id: Id::from_uuid(self.id),
            name: OperatorName::from_stored(self.name),
            email: Email::from_stored(self.email),
            role: Role::parse(&self.role).map_err(|_| "the role is unknown")?,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}
