use time::Duration;

use tenantry_domain::{
    Delivery, MessageId, MessageRecord, OutboxMessage, Page, PageRequest, StoreError, StoredMessage, Timestamp,
    ports::{MessageFilter, OutboxReads, OutboxWrites},
};

use crate::{
    store::{Mode, RedbTransaction, View},
    tables::OUTBOX,
};

impl<M: Mode> OutboxReads for View<M> {
    async fn message(&mut self, id: MessageId) -> Result<Option<MessageRecord>, StoreError> {
        Ok(self.rows()?.get(OUTBOX, &id)?.map(|row| row.record()))
    }

    async fn messages_page(
        &mut self,
        filter: &MessageFilter,
        page: PageRequest<OutboxMessage>,
    ) -> Result<Page<MessageRecord>, StoreError> {
        Ok(self.rows()?.page(OUTBOX, page, |row| row.is_listed(filter))?.map(|row| row.record()))
    }
}

impl OutboxWrites for RedbTransaction {
    async fn enqueue_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        self.rows_mut().put(OUTBOX, &message.id, &StoredMessage::mail(message.clone()))?;
        Ok(())
    }

    async fn claim_messages(&mut self, now: Timestamp, lease: Duration, limit: u16) -> Result<Vec<OutboxMessage>, StoreError> {
        let rows = self.rows_mut();
        let due = |row: &StoredMessage| row.is_due(now) && row.webhook_id().is_none();
        let mut due = rows.list(OUTBOX, due)?;
        due.truncate(usize::from(limit));
        for row in &mut due {
            row.claim(now + lease);
            rows.put(OUTBOX, &row.message().id, row)?;
        }
        Ok(due.iter().map(|row| row.message().clone()).collect())
    }

    async fn settle_message(
        &mut self,
        id: MessageId,
        attempts: u32,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = |row: &StoredMessage| row.is_claimed_as(attempts);
        Ok(self.rows_mut().change_if(OUTBOX, &id, claimed, |row| row.settle(delivery, now))?.is_some())
    }

    async fn retry_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let retryable = |row: &StoredMessage| row.record().is_retryable(now);
        Ok(self.rows_mut().change_if(OUTBOX, &id, retryable, |row| row.put_back(now))?.is_some())
    }

    async fn discard_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.rows_mut().change_if(OUTBOX, &id, StoredMessage::is_dead, |row| row.discard(now))?.is_some())
    }

    async fn wipe_expired_messages(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let expired = |row: &StoredMessage| row.is_past_use(now);
        self.rows_mut().change_all(OUTBOX, expired, StoredMessage::wipe)
    }
}
