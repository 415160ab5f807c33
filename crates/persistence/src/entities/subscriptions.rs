use sea_orm::FromQueryResult;
use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    PrimaryKeyTrait,
};
use tenantry_domain::{Entitlement, Id, Quota, Subscription, SubscriptionState, Version};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, count, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) plan_id: Uuid,
    pub(crate) state: String,
    pub(crate) current_period_start: DbTime,
    pub(crate) current_period_end: DbTime,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a tenant's row, its subscription and its plan say together.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct EntitlementRow {
    pub(crate) state: String,
    pub(crate) monthly_run_quota: i64,
    pub(crate) suspended_at: Option<DbTime>,
    /// The subscription's.
    pub(crate) updated_at: DbTime,
    pub(crate) has_listeners: bool,
}

/// The same, and when a bucket is full again, if it is stored.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct LimitedRow {
    #[sea_orm(nested)]
    entitlement: EntitlementRow,
    full_again: Option<i64>,
}

impl From<&Subscription> for ActiveModel {
    fn from(subscription: &Subscription) -> Self {
        Self {
            id: Set(subscription.id.uuid()),
            tenant_id: Set(subscription.tenant_id.uuid()),
            plan_id: Set(subscription.plan_id.uuid()),
            state: Set(subscription.state.as_str().to_owned()),
            current_period_start: Set(subscription.current_period_start.into()),
            current_period_end: Set(subscription.current_period_end.into()),
            created_at: Set(subscription.created_at.into()),
            updated_at: Set(subscription.updated_at.into()),
        }
    }
}

impl Row for Model {
    type Value = Subscription;
    const WHAT: &'static str = "subscription";

    fn into_value(self) -> Result<Subscription, Corruption> {
        Ok(Subscription {
            id: Id::from_uuid(self.id),
            tenant_id: Id::from_uuid(self.tenant_id),
            plan_id: Id::from_uuid(self.plan_id),
            state: SubscriptionState::parse(&self.state)?,
            current_period_start: self.current_period_start.into(),
            current_period_end: self.current_period_end.into(),
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

impl Row for EntitlementRow {
    type Value = Entitlement;
    const WHAT: &'static str = "entitlement";

    fn into_value(self) -> Result<Entitlement, Corruption> {
        Ok(Entitlement {
            state: SubscriptionState::parse(&self.state)?,
            quota: Quota::from_stored(count(self.monthly_run_quota)?),
            suspended_at: moment(self.suspended_at),
            version: Version::of(self.updated_at.into()),
            has_listeners: self.has_listeners,
        })
    }
}

impl Row for LimitedRow {
    type Value = (Entitlement, Option<i64>);
    const WHAT: &'static str = EntitlementRow::WHAT;

    fn into_value(self) -> Result<Self::Value, Corruption> {
        Ok((self.entitlement.into_value()?, self.full_again))
    }
}
