use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{Id, Plan, PlanName, Quota};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, count, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plans")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) monthly_run_quota: i64,
    pub(crate) archived_at: Option<DbTime>,
    /// The name in lower case: databases fold only ASCII alike.
    pub(crate) search_text: String,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a search for plans looks through.
pub(crate) fn search_text(name: &PlanName) -> String {
    name.as_str().to_lowercase()
}

impl From<&Plan> for ActiveModel {
    fn from(plan: &Plan) -> Self {
        Self {
            id: Set(plan.id.uuid()),
            name: Set(plan.name.as_str().to_owned()),
            monthly_run_quota: Set(plan.monthly_run_quota.get().into()),
            archived_at: Set(plan.archived_at.map(Into::into)),
            search_text: Set(search_text(&plan.name)),
            created_at: Set(plan.created_at.into()),
            updated_at: Set(plan.updated_at.into()),
        }
    }
}

impl Row for Model {
    type Value = Plan;
    const WHAT: &'static str = "plan";

    fn into_value(self) -> Result<Plan, Corruption> {
        Ok(Plan {
            id: Id::from_uuid(self.id),
            name: PlanName::from_stored(self.name),
            monthly_run_quota: Quota::from_stored(count(self.monthly_run_quota)?),
            archived_at: moment(self.archived_at),
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}
