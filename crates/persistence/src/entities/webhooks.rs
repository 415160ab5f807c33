use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    FromQueryResult, PrimaryKeyTrait,
};
use tenantry_domain::{
    DisabledReason, EventTypes, FailureNote, Id, KeyId, MessageState, SealedPayload, Webhook, WebhookCall, WebhookDelivery,
    WebhookDescription, WebhookMessage, WebhookOwner, WebhookUrl,
};
use uuid::Uuid;

use crate::{
    entities::outbox::cause,
    row::{Corruption, Row, count, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhooks")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) url: String,
    pub(crate) description: Option<String>,
    /// The words, a blank around each.
    pub(crate) events: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) key_id: String,
    pub(crate) former_secret: Option<Vec<u8>>,
    pub(crate) former_key_id: Option<String>,
    pub(crate) former_until: Option<DbTime>,
    pub(crate) failing_since: Option<DbTime>,
    pub(crate) disabled_at: Option<DbTime>,
    pub(crate) disabled_reason: Option<String>,
    pub(crate) created_at: DbTime,
    pub(crate) updated_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Webhook> for ActiveModel {
    fn from(webhook: &Webhook) -> Self {
        let former = webhook.former_secret.as_ref();
        Self {
            id: Set(webhook.id.uuid()),
            tenant_id: Set(webhook.owner.tenant().map(Id::uuid)),
            url: Set(webhook.url.as_str().to_owned()),
            description: Set(webhook.description.as_ref().map(|text| text.as_str().to_owned())),
            events: Set(format!(" {} ", webhook.events)),
            secret: Set(webhook.secret.bytes.clone()),
            key_id: Set(webhook.secret.key_id.as_str().to_owned()),
            former_secret: Set(former.map(|(secret, _)| secret.bytes.clone())),
            former_key_id: Set(former.map(|(secret, _)| secret.key_id.as_str().to_owned())),
            former_until: Set(former.map(|&(_, until)| until.into())),
            failing_since: Set(webhook.failing_since.map(Into::into)),
            disabled_at: Set(webhook.disabled.map(|(at, _)| at.into())),
            disabled_reason: Set(webhook.disabled.map(|(_, reason)| reason.as_str().to_owned())),
            created_at: Set(webhook.created_at.into()),
            updated_at: Set(webhook.updated_at.into()),
        }
    }
}

impl Row for Model {
    type Value = Webhook;
    const WHAT: &'static str = "webhook";

    fn into_value(self) -> Result<Webhook, Corruption> {
        let sealed = |key_id, bytes| SealedPayload { key_id: KeyId::from_stored(key_id), bytes };
        let former = match (self.former_secret, self.former_key_id, self.former_until) {
            (Some(bytes), Some(key_id), Some(until)) => Some((sealed(key_id, bytes), until.into())),
            _ => None,
        };
        let disabled = match (self.disabled_at, self.disabled_reason) {
            (Some(at), Some(reason)) => Some((at.into(), DisabledReason::parse(&reason)?)),
            _ => None,
        };
        Ok(Webhook {
            id: Id::from_uuid(self.id),
            owner: WebhookOwner::of(self.tenant_id.map(Id::from_uuid)),
            url: WebhookUrl::from_stored(self.url),
            description: self.description.map(WebhookDescription::from_stored),
            events: EventTypes::from_stored(&self.events),
            secret: sealed(self.key_id, self.secret),
            former_secret: former,
            failing_since: moment(self.failing_since),
            disabled,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

/// A message to a webhook, as its sender claims it.
#[derive(FromQueryResult)]
pub(crate) struct MessageRow {
    id: Uuid,
    webhook_id: Uuid,
    payload: Vec<u8>,
    attempts: i64,
    forgiven: i64,
    request_id: Option<String>,
    trace_id: Option<String>,
}

impl Row for MessageRow {
    type Value = WebhookMessage;
    const WHAT: &'static str = "message to a webhook";

    fn into_value(self) -> Result<WebhookMessage, Corruption> {
        Ok(WebhookMessage {
            id: Id::from_uuid(self.id),
            webhook_id: Id::from_uuid(self.webhook_id),
            body: self.payload,
            attempts: count(self.attempts)?,
            tries: count(self.attempts - self.forgiven)?,
            cause: cause(self.request_id, self.trace_id)?,
        })
    }
}

/// A message to a webhook, as its log shows it.
#[derive(FromQueryResult)]
pub(crate) struct DeliveryRow {
    id: Uuid,
    topic: String,
    attempts: i64,
    forgiven: i64,
    called_at: Option<DbTime>,
    call_duration_ms: Option<i64>,
    response_code: Option<i64>,
    available_at: DbTime,
    settled_at: Option<DbTime>,
    outcome: Option<String>,
    last_error: Option<String>,
    created_at: DbTime,
}

impl Row for DeliveryRow {
    type Value = WebhookDelivery;
    const WHAT: &'static str = MessageRow::WHAT;

    fn into_value(self) -> Result<WebhookDelivery, Corruption> {
        let response_code = self.response_code.map(u16::try_from).transpose()?;
        let last_call = match (self.called_at, self.call_duration_ms) {
            (Some(at), Some(duration)) => Some(WebhookCall { at: at.into(), duration_ms: count(duration)?, response_code }),
            _ => None,
        };
        Ok(WebhookDelivery {
            id: Id::from_uuid(self.id),
            topic: self.topic,
            state: self.outcome.map_or(Ok(MessageState::Waiting), |outcome| MessageState::parse(&outcome))?,
            tries: count(self.attempts - self.forgiven)?,
            last_call,
            last_error: self.last_error.map(FailureNote::from_stored),
            available_at: self.available_at.into(),
            settled_at: moment(self.settled_at),
            created_at: self.created_at.into(),
        })
    }
}
