//! Webhooks, and the messages to them, which stand in the outbox.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select, Value,
    sea_query::{Expr, LockBehavior, LockType},
};
use tenantry_domain::{
    Delivery, Event, FailureNote, Id, MessageId, MessageState, OutboxMessage, Page, PageRequest, StoreError, Timestamp, Webhook,
    WebhookCall, WebhookDelivery, WebhookId, WebhookMessage, WebhookOwner,
    ports::{WebhookReads, WebhookWrites},
};
use time::Duration;
use uuid::Uuid;

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::{
        outbox,
        webhooks::{ActiveModel, Column, DeliveryRow, Entity, MessageRow, Model},
    },
    handle::returning,
    row::{Corruption, Row},
    timestamp::DbTime,
};

impl<C: Connection> WebhookReads for Handle<C> {
    async fn webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.find::<Model>(of_owner(owner).filter(Column::Id.eq(id.uuid())).build(self.backend())).await
    }

    async fn webhooks_page(&mut self, owner: WebhookOwner, page: PageRequest<Webhook>) -> Result<Page<Webhook>, StoreError> {
        self.page::<_, Model, _>(of_owner(owner), Column::Id, page).await
    }

    async fn webhook_of_anyone(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.find::<Model>(Entity::find_by_id(id.uuid()).build(self.backend())).await
    }

    async fn webhook_delivery(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let delivery = deliveries(owner, webhook).filter(outbox::Column::Id.eq(id.uuid()));
        self.find::<DeliveryRow>(delivery.build(self.backend())).await
    }

    async fn webhook_deliveries_page(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        page: PageRequest<OutboxMessage>,
    ) -> Result<Page<WebhookDelivery>, StoreError> {
        self.page::<_, DeliveryRow, _>(deliveries(owner, webhook), outbox::Column::Id, page).await
    }

    async fn webhooks_with_due_messages(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
        // From one webhook to the next by the index: a scan of what waits would cost as much as there is.
        const DUE: &str = "
            WITH RECURSIVE waiting (webhook_id) AS (
                SELECT (SELECT o.webhook_id FROM outbox o WHERE o.settled_at IS NULL AND o.webhook_id IS NOT NULL
                    ORDER BY o.webhook_id LIMIT 1)
                UNION ALL
                SELECT (SELECT o.webhook_id FROM outbox o WHERE o.settled_at IS NULL AND o.webhook_id > w.webhook_id
                    ORDER BY o.webhook_id LIMIT 1)
                FROM waiting w WHERE w.webhook_id IS NOT NULL
            )
            SELECT w.webhook_id FROM waiting w WHERE w.webhook_id IS NOT NULL AND EXISTS (
                SELECT 1 FROM outbox o WHERE o.webhook_id = w.webhook_id AND o.settled_at IS NULL AND o.available_at <= $1
            )";

        self.list::<DueRow>(self.sql(DUE, [DbTime::from(now).into()])).await
    }
}

impl WebhookWrites for Handle<OpenTransaction> {
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        let others = self.count_all::<_, Model>(of_owner(webhook.owner)).await?;
        if others >= Webhook::MOST as u64 {
            return Ok(false);
        }
        let insert = Entity::insert(ActiveModel::from(webhook));
        self.wrote(Model::WHAT, insert.build(self.backend())).await
    }

    async fn lock_webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let query = of_owner(owner).filter(Column::Id.eq(id.uuid())).lock(LockType::Update);
        self.find::<Model>(query.build(self.backend())).await
    }

    async fn change_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        let mut update = Entity::update_many().filter(Column::Id.eq(webhook.id.uuid())).filter(owned_by(webhook.owner));
        let row = ActiveModel::from(webhook);
        for column in [
            Column::Url,
            Column::Description,
            Column::Events,
            Column::Secret,
            Column::KeyId,
            Column::FormerSecret,
            Column::FormerKeyId,
            Column::FormerUntil,
            Column::FailingSince,
            Column::DisabledAt,
            Column::DisabledReason,
            Column::UpdatedAt,
        ] {
            if let Some(value) = row.get(column).into_value() {
                update = update.col_expr(column, Expr::value(value));
            }
        }
        self.wrote(Model::WHAT, update.build(self.backend())).await
    }

    async fn delete_webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<bool, StoreError> {
        let delete = Entity::delete_many().filter(Column::Id.eq(id.uuid())).filter(owned_by(owner));
        if !self.wrote(Model::WHAT, delete.build(self.backend())).await? {
            return Ok(false);
        }
        let messages = outbox::Entity::delete_many().filter(outbox::Column::WebhookId.eq(id.uuid()));
        self.write(outbox::Model::WHAT, messages.build(self.backend())).await?;
        Ok(true)
    }

    async fn enqueue_event(&mut self, event: &Event) -> Result<u64, StoreError> {
        // $1 topic, $2 body, $3 now, $4 tenant, $5 type, $6 request, $7 trace, from $8 on the identifiers.
        const FIRST_ID: usize = 8;
        let places = (0..event.message_ids.len()).map(|place| format!("({place}, ${})", FIRST_ID + place));
        let places = places.collect::<Vec<_>>().join(", ");
        let enqueue = format!(
            "WITH ids (place, id) AS (VALUES {places}),
            listening AS (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM webhooks
                WHERE disabled_at IS NULL AND events LIKE $5 AND (tenant_id IS NULL OR tenant_id = $4)
            )
            INSERT INTO outbox (id, topic, key_id, payload, available_at, created_at, webhook_id, request_id, trace_id)
            SELECT ids.id, $1, '', $2, $3, $3, listening.id, $6, $7 FROM listening JOIN ids ON ids.place = listening.place"
        );
        let mut values: Vec<Value> = vec![
            event.event_type.topic().into(),
            event.body.clone().into(),
            DbTime::from(event.at).into(),
            event.tenant.uuid().into(),
            format!("% {} %", event.event_type.as_str()).into(),
            event.cause.request_id.clone().into(),
            event.cause.trace_id.map(|trace| trace.to_string()).into(),
        ];
        values.extend(event.message_ids.iter().map(|id| Value::from(id.uuid())));
        self.write(MessageRow::WHAT, self.sql(&enqueue, values)).await
    }

    async fn enqueue_webhook_message(&mut self, message: &WebhookMessage, topic: &str, now: Timestamp) -> Result<(), StoreError> {
        const ENQUEUE: &str = "
            INSERT INTO outbox (id, topic, key_id, payload, available_at, created_at, webhook_id, request_id, trace_id)
            VALUES ($1, $2, '', $3, $4, $4, $5, $6, $7)";

        let values = [
            message.id.uuid().into(),
            topic.into(),
            message.body.clone().into(),
            DbTime::from(now).into(),
            message.webhook_id.uuid().into(),
            message.cause.request_id.clone().into(),
            message.cause.trace_id.map(|trace| trace.to_string()).into(),
        ];
        self.write(MessageRow::WHAT, self.sql(ENQUEUE, values)).await.map(|_| ())
    }

    async fn claim_webhook_messages(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        lease: Duration,
        limit: u16,
    ) -> Result<Vec<WebhookMessage>, StoreError> {
        use outbox::Column as Of;
        // Two statements, as for mails.
        let due = outbox::Entity::find()
            .filter(Of::WebhookId.eq(webhook.uuid()))
            .filter(Of::SettledAt.is_null())
            .filter(Of::AvailableAt.lte(DbTime::from(now)))
            .order_by_asc(Of::AvailableAt)
            .order_by_asc(Of::Id)
            .limit(u64::from(limit))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let mut messages = self.list::<MessageRow>(due.build(self.backend())).await?;
        if messages.is_empty() {
            return Ok(messages);
        }
        let claim = outbox::Entity::update_many()
            .col_expr(Of::Attempts, Expr::col(Of::Attempts).add(1))
            .col_expr(Of::AvailableAt, Expr::value(DbTime::from(now + lease)))
            .filter(Of::Id.is_in(messages.iter().map(|message| message.id.uuid())));
        self.write(MessageRow::WHAT, claim.build(self.backend())).await?;
        for message in &mut messages {
            message.attempts = message.attempts.saturating_add(1);
            message.tries = message.tries.saturating_add(1);
        }
        Ok(messages)
    }

    async fn settle_webhook_message(
        &mut self,
        message: &WebhookMessage,
        call: Option<&WebhookCall>,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use outbox::Column as Of;
        let mut settle = outbox::Entity::update_many()
            .filter(Of::Id.eq(message.id.uuid()))
            .filter(Of::Attempts.eq(i64::from(message.attempts)))
            .filter(Of::SettledAt.is_null());
        if let Some(call) = call {
            settle = settle
                .col_expr(Of::CalledAt, Expr::value(DbTime::from(call.at)))
                .col_expr(Of::CallDurationMs, Expr::value(i64::from(call.duration_ms)))
                .col_expr(Of::ResponseCode, Expr::value(call.response_code.map(i64::from)));
        }
        let (outcome, why) = match delivery {
            Delivery::Sent => (MessageState::Sent, None),
            Delivery::Dropped => (MessageState::Dropped, None),
            Delivery::Dead { why } => (MessageState::Dead, Some(why)),
            Delivery::Retry { at, why } => {
                settle = settle.col_expr(Of::AvailableAt, Expr::value(DbTime::from(*at)));
                (MessageState::Waiting, Some(why))
            }
        };
        settle = settle.col_expr(Of::LastError, Expr::value(why.map(FailureNote::as_str)));
        if outcome != MessageState::Waiting {
            settle = settle
                .col_expr(Of::SettledAt, Expr::value(DbTime::from(now)))
                .col_expr(Of::Outcome, Expr::value(outcome.as_str()));
        }
        if outcome == MessageState::Dropped {
            settle = settle.col_expr(Of::Payload, Expr::value(None::<Vec<u8>>));
        }
        self.wrote(MessageRow::WHAT, settle.build(self.backend())).await
    }

    async fn redeliver_webhook_message(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use outbox::Column as Of;
        let redeliver = outbox::Entity::update_many()
            .col_expr(Of::SettledAt, Expr::value(None::<DbTime>))
            .col_expr(Of::Outcome, Expr::value(None::<String>))
            .col_expr(Of::AvailableAt, Expr::value(DbTime::from(now)))
            .col_expr(Of::Forgiven, Expr::col(Of::Attempts))
            .filter(Of::Id.eq(id.uuid()))
            .filter(owned_messages(owner, webhook))
            .filter(Of::SettledAt.is_not_null())
            .filter(Of::Payload.is_not_null());
        self.wrote(MessageRow::WHAT, redeliver.build(self.backend())).await
    }

    async fn note_webhook_taken(&mut self, id: WebhookId) -> Result<(), StoreError> {
        let note = Entity::update_many()
            .col_expr(Column::FailingSince, Expr::value(None::<DbTime>))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::FailingSince.is_not_null());
        self.write(Model::WHAT, note.build(self.backend())).await.map(|_| ())
    }

    async fn note_webhook_failed(&mut self, id: WebhookId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let since = Expr::col(Column::FailingSince).if_null(Expr::value(DbTime::from(now)));
        let note = Entity::update_many().col_expr(Column::FailingSince, since).filter(Column::Id.eq(id.uuid()));
        let note = returning(note, [Column::FailingSince]);
        let since = self.value::<DbTime>(Model::WHAT, note.build(self.backend())).await?;
        Ok(since.map(Into::into))
    }
}

fn owned_by(owner: WebhookOwner) -> Expr {
    match owner {
        WebhookOwner::Operators => Column::TenantId.is_null(),
        WebhookOwner::Tenant(tenant) => Column::TenantId.eq(tenant.uuid()),
    }
}

fn of_owner(owner: WebhookOwner) -> Select<Entity> {
    Entity::find().filter(owned_by(owner))
}

/// That a message is to a webhook, and that the webhook is the owner's.
fn owned_messages(owner: WebhookOwner, webhook: WebhookId) -> Expr {
    let owned = of_owner(owner).filter(Column::Id.eq(webhook.uuid())).select_only().column(Column::Id).into_query();
    outbox::Column::WebhookId.in_subquery(owned)
}

fn deliveries(owner: WebhookOwner, webhook: WebhookId) -> Select<outbox::Entity> {
    use outbox::Column as Of;
    let shown = [
        Of::Id,
        Of::Topic,
        Of::Attempts,
        Of::Forgiven,
        Of::CalledAt,
        Of::CallDurationMs,
        Of::ResponseCode,
        Of::AvailableAt,
        Of::SettledAt,
        Of::Outcome,
        Of::LastError,
        Of::CreatedAt,
    ];
    outbox::Entity::find().select_only().columns(shown).filter(owned_messages(owner, webhook))
}

/// A webhook that has a message that is due.
#[derive(FromQueryResult)]
struct DueRow {
    webhook_id: Uuid,
}

impl Row for DueRow {
    type Value = WebhookId;
    const WHAT: &'static str = MessageRow::WHAT;

    fn into_value(self) -> Result<WebhookId, Corruption> {
        Ok(Id::from_uuid(self.webhook_id))
    }
}
