use sea_orm::{
    ActiveModelBehavior, ActiveValue::Set, DeriveEntityModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter,
    FromQueryResult, PrimaryKeyTrait,
};
use tenantry_domain::{Cause, FailureNote, Id, KeyId, MessageRecord, MessageState, OutboxMessage, SealedPayload, TraceId};
use uuid::Uuid;

use crate::{
    row::{Corruption, Row, count, moment},
    timestamp::DbTime,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) topic: String,
    pub(crate) key_id: String,
    /// Wiped once the message is of no use any more.
    pub(crate) payload: Option<Vec<u8>>,
    /// When the message is due; a claim moves it to the end of its lease.
    pub(crate) available_at: DbTime,
    pub(crate) not_after: Option<DbTime>,
    pub(crate) attempts: i64,
    pub(crate) forgiven: i64,
    pub(crate) settled_at: Option<DbTime>,
    pub(crate) outcome: Option<String>,
    pub(crate) last_error: Option<String>,
    /// Where it goes; `None`: by mail.
    pub(crate) webhook_id: Option<Uuid>,
    /// The last call of the webhook.
    pub(crate) called_at: Option<DbTime>,
    pub(crate) call_duration_ms: Option<i64>,
    pub(crate) response_code: Option<i64>,
    pub(crate) request_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) created_at: DbTime,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&OutboxMessage> for ActiveModel {
    fn from(message: &OutboxMessage) -> Self {
        Self {
            id: Set(message.id.uuid()),
            topic: Set(message.topic.clone()),
            key_id: Set(message.payload.key_id.as_str().to_owned()),
            payload: Set(Some(message.payload.bytes.clone())),
            available_at: Set(message.available_at.into()),
            not_after: Set(message.not_after.map(Into::into)),
            attempts: Set(message.attempts.into()),
            forgiven: Set(message.forgiven.into()),
            settled_at: Set(None),
            outcome: Set(None),
            last_error: Set(None),
            webhook_id: Set(None),
            called_at: Set(None),
            call_duration_ms: Set(None),
            response_code: Set(None),
            request_id: Set(message.cause.request_id.clone()),
            trace_id: Set(message.cause.trace_id.map(|trace| trace.to_string())),
            created_at: Set(message.created_at.into()),
        }
    }
}

impl Row for Model {
    type Value = OutboxMessage;
    const WHAT: &'static str = "message";

    fn into_value(self) -> Result<OutboxMessage, Corruption> {
        let bytes = self.payload.ok_or("the payload is wiped")?;
        Ok(OutboxMessage {
            id: Id::from_uuid(self.id),
            topic: self.topic,
            payload: SealedPayload { key_id: KeyId::from_stored(self.key_id), bytes },
            available_at: self.available_at.into(),
            not_after: moment(self.not_after),
            attempts: count(self.attempts)?,
            forgiven: count(self.forgiven)?,
            cause: cause(self.request_id, self.trace_id)?,
            created_at: self.created_at.into(),
        })
    }
}

/// What caused a message, as its row has it.
pub(crate) fn cause(request_id: Option<String>, trace_id: Option<String>) -> Result<Cause, Corruption> {
    Ok(Cause { request_id, trace_id: trace_id.map(|trace| TraceId::parse(&trace)).transpose()? })
}

/// A message without what it says.
#[derive(FromQueryResult)]
pub(crate) struct RecordRow {
    id: Uuid,
    topic: String,
    holds_payload: bool,
    available_at: DbTime,
    not_after: Option<DbTime>,
    attempts: i64,
    forgiven: i64,
    settled_at: Option<DbTime>,
    outcome: Option<String>,
    last_error: Option<String>,
    request_id: Option<String>,
    trace_id: Option<String>,
    created_at: DbTime,
}

impl Row for RecordRow {
    type Value = MessageRecord;
    const WHAT: &'static str = Model::WHAT;

    fn into_value(self) -> Result<MessageRecord, Corruption> {
        Ok(MessageRecord {
            id: Id::from_uuid(self.id),
            topic: self.topic,
            state: self.outcome.map_or(Ok(MessageState::Waiting), |outcome| MessageState::parse(&outcome))?,
            tries: count(self.attempts - self.forgiven)?,
            last_error: self.last_error.map(FailureNote::from_stored),
            available_at: self.available_at.into(),
            not_after: moment(self.not_after),
            holds_payload: self.holds_payload,
            settled_at: moment(self.settled_at),
            cause: cause(self.request_id, self.trace_id)?,
            created_at: self.created_at.into(),
        })
    }
}
