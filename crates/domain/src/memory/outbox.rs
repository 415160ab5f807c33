use time::Duration;

use super::store::{MemoryTransaction, Mode, View};
use crate::{
    Delivery, MessageId, MessageRecord, OutboxMessage, Page, PageRequest, StoreError, StoredMessage, Timestamp,
    ports::{MessageFilter, OutboxReads, OutboxWrites},
};

impl<M: Mode> OutboxReads for View<M> {
    async fn message(&mut self, id: MessageId) -> Result<Option<MessageRecord>, StoreError> {
        Ok(self.tables().outbox.get(&id).map(StoredMessage::record))
    }

    async fn messages_page(
        &mut self,
        filter: &MessageFilter,
        page: PageRequest<OutboxMessage>,
    ) -> Result<Page<MessageRecord>, StoreError> {
        Ok(self.tables().outbox.page(page, |row| row.is_listed(filter)).map(|row| row.record()))
    }
}

impl OutboxWrites for MemoryTransaction {
    async fn enqueue_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        self.tables_mut().outbox.put(message.id, StoredMessage::mail(message.clone()));
        Ok(())
    }

    async fn claim_messages(&mut self, now: Timestamp, lease: Duration, limit: u16) -> Result<Vec<OutboxMessage>, StoreError> {
        let outbox = &mut self.tables_mut().outbox;
        let due = |row: &&StoredMessage| row.is_due(now) && row.webhook_id().is_none();
        let due: Vec<MessageId> = outbox.rows().filter(due).map(|row| row.message().id).take(usize::from(limit)).collect();
        let claim = |row: &mut StoredMessage| row.claim(now + lease);
        Ok(due.iter().filter_map(|id| outbox.change_if(id, |_| true, claim).map(|row| row.message().clone())).collect())
    }

    async fn settle_message(
        &mut self,
        id: MessageId,
        attempts: u32,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = |row: &StoredMessage| row.is_claimed_as(attempts);
        Ok(self.tables_mut().outbox.change_if(&id, claimed, |row| row.settle(delivery, now)).is_some())
    }

    async fn retry_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let retryable = |row: &StoredMessage| row.record().is_retryable(now);
        Ok(self.tables_mut().outbox.change_if(&id, retryable, |row| row.put_back(now)).is_some())
    }

    async fn discard_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.tables_mut().outbox.change_if(&id, StoredMessage::is_dead, |row| row.discard(now)).is_some())
    }

    async fn wipe_expired_messages(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let expired = |row: &StoredMessage| row.is_past_use(now);
        Ok(self.tables_mut().outbox.change_all(expired, StoredMessage::wipe))
    }
}
