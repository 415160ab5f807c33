use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{Batch, BatchSource, BatchState, Id, Label};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, count, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "code_batches")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) label: Option<String>,
    pub(crate) max_uses: Option<i64>,
    pub(crate) expires_at: Option<DbTime>,
    pub(crate) ordered: i64,
    pub(crate) issued: i64,
    pub(crate) state: String,
    pub(crate) source: String,
    pub(crate) created_by: Option<String>,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Batch> for ActiveModel {
    fn from(batch: &Batch) -> Self {
        Self {
            id: Set(batch.id.uuid()),
            tenant_id: Set(batch.tenant_id.uuid()),
            label: Set(batch.label.as_ref().map(|label| label.as_str().to_owned())),
            max_uses: Set(batch.max_uses.map(Into::into)),
            expires_at: Set(batch.expires_at.map(Into::into)),
            ordered: Set(batch.ordered.into()),
            issued: Set(batch.issued.into()),
            state: Set(batch.state.as_str().to_owned()),
            source: Set(batch.source.as_str().to_owned()),
            created_by: Set(batch.created_by.clone()),
            created_at: Set(batch.created_at.into()),
            updated_at: Set(batch.updated_at.into()),
        }
    }
}

impl Row for Model {
    type Value = Batch;
    const WHAT: &'static str = "batch";

    fn into_value(self) -> Result<Batch, Corruption> {
        Ok(Batch {
            id: Id::from_uuid(self.id),
            tenant_id: Id::from_uuid(self.tenant_id),
            label: self.label.map(Label::from_stored),
            max_uses: self.max_uses.map(count).transpose()?,
            expires_at: moment(self.expires_at),
            ordered: count(self.ordered)?,
            issued: count(self.issued)?,
            state: BatchState::parse(&self.state)?,
            source: BatchSource::parse(&self.source)?,
            created_by: self.created_by,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}
