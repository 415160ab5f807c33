use std::collections::BTreeMap;

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait,
    EnumIter, Iterable, PrimaryKeyTrait, Value,
};
use tenantry_domain::{Actor, AuditEvent, Id, TraceId};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) actor_kind: String,
    pub(crate) actor_name: Option<String>,
    pub(crate) action: String,
    pub(crate) target: Option<String>,
    pub(crate) code_id: Option<Uuid>,
    pub(crate) batch_id: Option<Uuid>,
    pub(crate) client_ip: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    /// A JSON object of strings.
    pub(crate) details: String,
    pub(crate) created_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&AuditEvent> for ActiveModel {
    fn from(event: &AuditEvent) -> Self {
        let details = event.details.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        Self {
            id: Set(event.id.uuid()),
            tenant_id: Set(event.tenant_id.map(Id::uuid)),
            actor_kind: Set(event.actor.kind().to_owned()),
            actor_name: Set(event.actor.name()),
            action: Set(event.action.clone()),
            target: Set(event.target.clone()),
            code_id: Set(event.code_id.map(Id::uuid)),
            batch_id: Set(event.batch_id.map(Id::uuid)),
            client_ip: Set(event.client_ip.map(|address| address.to_string())),
            request_id: Set(event.request_id.clone()),
            trace_id: Set(event.trace_id.map(|trace| trace.to_string())),
            details: Set(serde_json::Value::Object(details.collect()).to_string()),
            created_at: Set(event.at.into()),
        }
    }
}

/// The event's values, in the order of the columns.
pub(crate) fn values(event: &AuditEvent) -> impl Iterator<Item = Value> {
    let row = ActiveModel::from(event);
    Column::iter().filter_map(move |column| row.get(column).into_value())
}

impl Row for Model {
    type Value = AuditEvent;
    const WHAT: &'static str = "audit event";

    fn into_value(self) -> Result<AuditEvent, Corruption> {
        let tenant_id = self.tenant_id.map(Id::from_uuid);
        let actor = Actor::from_stored(&self.actor_kind, self.actor_name.as_deref(), tenant_id);
        let details = serde_json::from_str::<BTreeMap<_, _>>(&self.details);
        Ok(AuditEvent {
            id: Id::from_uuid(self.id),
            at: self.created_at.into(),
            tenant_id,
            actor: actor.ok_or("the actor is unknown")?,
            action: self.action,
            target: self.target,
            code_id: self.code_id.map(Id::from_uuid),
            batch_id: self.batch_id.map(Id::from_uuid),
            client_ip: self.client_ip.map(|address| address.parse()).transpose()?,
            request_id: self.request_id,
            trace_id: self.trace_id.map(|trace| TraceId::parse(&trace)).transpose()?,
            details: details.map_err(|_| "the details are no JSON object of strings")?,
        })
    }
}
