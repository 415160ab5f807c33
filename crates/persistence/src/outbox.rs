use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, LockBehavior, LockType},
};
use tenantry_domain::{
    Delivery, MessageId, MessageRecord, MessageState, OutboxMessage, Page, PageRequest, StoreError, Timestamp,
    ports::{MessageFilter, OutboxReads, OutboxWrites},
};
use time::Duration;

use crate::{
    Handle,
    connection::{Connection, OpenTransaction},
    entities::outbox::{ActiveModel, Column, Entity, Model, RecordRow},
    row::Row,
    timestamp::DbTime,
};

impl<C: Connection> OutboxReads for Handle<C> {
    async fn message(&mut self, id: MessageId) -> Result<Option<MessageRecord>, StoreError> {
        self.find::<RecordRow>(records().filter(Column::Id.eq(id.uuid())).build(self.backend())).await
    }

    async fn messages_page(
        &mut self,
        filter: &MessageFilter,
        page: PageRequest<OutboxMessage>,
    ) -> Result<Page<MessageRecord>, StoreError> {
        let query = records()
            .apply_if(filter.state, |query, state| match state {
                MessageState::Waiting => query.filter(Column::SettledAt.is_null()),
                // A literal: an index holds nothing but the dead, and a bound value doesn't say that they are asked for.
                MessageState::Dead => query.filter(Expr::cust("outcome = 'dead'")),
                MessageState::Sent | MessageState::Dropped => query.filter(Column::Outcome.eq(state.as_str())),
            })
            .apply_if(filter.topic.as_ref(), |query, topic| query.filter(Column::Topic.eq(topic)));
        self.page::<_, RecordRow, _>(query, Column::Id, page).await
    }
}

impl OutboxWrites for Handle<OpenTransaction> {
    async fn enqueue_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(message));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn claim_messages(&mut self, now: Timestamp, lease: Duration, limit: u16) -> Result<Vec<OutboxMessage>, StoreError> {
        // Two statements: an update answers its rows in no order. In between, the rows are locked.
        let due = Entity::find()
            .filter(Column::SettledAt.is_null())
            .filter(Column::WebhookId.is_null())
            .filter(Column::AvailableAt.lte(DbTime::from(now)))
            .order_by_asc(Column::AvailableAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(limit))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let mut messages = self.list::<Model>(due.build(self.backend())).await?;
        if messages.is_empty() {
            return Ok(messages);
        }
        let leased_until = now + lease;
        let claim = Entity::update_many()
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::AvailableAt, Expr::value(DbTime::from(leased_until)))
            .filter(Column::Id.is_in(messages.iter().map(|message| message.id.uuid())));
        self.write(Model::WHAT, claim.build(self.backend())).await?;
        for message in &mut messages {
            message.attempts = message.attempts.saturating_add(1);
            message.available_at = leased_until;
        }
        Ok(messages)
    }

    async fn settle_message(
        &mut self,
        id: MessageId,
        attempts: u32,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::Attempts.eq(i64::from(attempts)))
            .filter(Column::SettledAt.is_null());
        let (outcome, why) = match delivery {
            Delivery::Sent => (MessageState::Sent, None),
            Delivery::Dropped => (MessageState::Dropped, None),
            Delivery::Dead { why } => (MessageState::Dead, Some(why.as_str())),
            Delivery::Retry { at, why } => {
                let retry = claimed
                    .col_expr(Column::AvailableAt, Expr::value(DbTime::from(*at)))
                    .col_expr(Column::LastError, Expr::value(why.as_str()));
                return self.wrote(Model::WHAT, retry.build(self.backend())).await;
            }
        };
        let mut settled = claimed
            .col_expr(Column::SettledAt, Expr::value(DbTime::from(now)))
            .col_expr(Column::Outcome, Expr::value(outcome.as_str()))
            .col_expr(Column::LastError, Expr::value(why));
        if outcome != MessageState::Dead {
            settled = settled.col_expr(Column::Payload, Expr::value(None::<Vec<u8>>));
        }
        self.wrote(Model::WHAT, settled.build(self.backend())).await
    }

    async fn retry_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let moment = DbTime::from(now);
        let of_use = Condition::any().add(Column::NotAfter.is_null()).add(Column::NotAfter.gt(moment));
        let retry = Entity::update_many()
            .col_expr(Column::SettledAt, Expr::value(None::<DbTime>))
            .col_expr(Column::Outcome, Expr::value(None::<String>))
            .col_expr(Column::AvailableAt, Expr::value(moment))
            .col_expr(Column::Forgiven, Expr::col(Column::Attempts))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::Outcome.eq(MessageState::Dead.as_str()))
            .filter(Column::Payload.is_not_null())
            .filter(of_use);
        self.wrote(Model::WHAT, retry.build(self.backend())).await
    }

    async fn discard_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let discard = Entity::update_many()
            .col_expr(Column::Outcome, Expr::value(MessageState::Dropped.as_str()))
            .col_expr(Column::SettledAt, Expr::value(DbTime::from(now)))
            .col_expr(Column::Payload, Expr::value(None::<Vec<u8>>))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::Outcome.eq(MessageState::Dead.as_str()));
        self.wrote(Model::WHAT, discard.build(self.backend())).await
    }

    async fn wipe_expired_messages(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        const WIPE: &str = "
            UPDATE outbox SET payload = NULL WHERE outcome = 'dead' AND payload IS NOT NULL AND not_after <= $1";

        let wipe = self.sql(WIPE, [DbTime::from(now).into()]);
        self.write(Model::WHAT, wipe).await
    }
}

/// Messages without what they say.
fn records() -> Select<Entity> {
    let shown = [
        Column::Id,
        Column::Topic,
        Column::AvailableAt,
        Column::NotAfter,
        Column::Attempts,
        Column::Forgiven,
        Column::SettledAt,
        Column::Outcome,
        Column::LastError,
        Column::RequestId,
        Column::TraceId,
        Column::CreatedAt,
    ];
    Entity::find().select_only().columns(shown).expr_as(Column::Payload.is_not_null(), "holds_payload")
}
