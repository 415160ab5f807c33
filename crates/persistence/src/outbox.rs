use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, LockBehavior, LockType},
};
use tenantry_domain::{Delivery, MessageId, OutboxMessage, StoreError, Timestamp, ports::OutboxWrites};
use time::Duration;

use crate::{
    Handle,
    entities::outbox::{ActiveModel, Column, Entity, Model},
    row::Row,
    timestamp::DbTime,
};

impl OutboxWrites for Handle<DatabaseTransaction> {
    async fn enqueue_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        let insert = Entity::insert(ActiveModel::from(message));
        self.write(Model::WHAT, insert.build(self.backend())).await.map(|_| ())
    }

    async fn claim_messages(&mut self, now: Timestamp, lease: Duration, limit: u16) -> Result<Vec<OutboxMessage>, StoreError> {
        // Two statements: an update answers its rows in no order. In between, the rows are locked.
        let due = Entity::find()
            .filter(Column::SettledAt.is_null())
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
        delivery: Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::Attempts.eq(i64::from(attempts)))
            .filter(Column::SettledAt.is_null());
        let outcome = match delivery {
            Delivery::Sent => "sent",
            Delivery::Dropped => "dropped",
            Delivery::Retry { at } => {
                let retry = claimed.col_expr(Column::AvailableAt, Expr::value(DbTime::from(at)));
                return self.wrote(Model::WHAT, retry.build(self.backend())).await;
            }
        };
        let settled = claimed
            .col_expr(Column::SettledAt, Expr::value(DbTime::from(now)))
            .col_expr(Column::Outcome, Expr::value(outcome))
            .col_expr(Column::Payload, Expr::value(None::<Vec<u8>>));
        self.wrote(Model::WHAT, settled.build(self.backend())).await
    }
}
