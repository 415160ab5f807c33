use time::Duration;

use super::store::{MemoryTransaction, Mode, View};
use crate::{
    Delivery, FailureNote, MessageId, MessageRecord, MessageState, OutboxMessage, Page, PageRequest, StoreError, Timestamp,
    ports::{MessageFilter, OutboxReads, OutboxWrites},
};

/// A message, and what became of it.
#[derive(Clone)]
pub struct StoredMessage {
    message: OutboxMessage,
    state: MessageState,
    last_error: Option<FailureNote>,
    wiped: bool,
    settled_at: Option<Timestamp>,
}

impl StoredMessage {
    pub const fn settled_at(&self) -> Option<Timestamp> {
        self.settled_at
    }

    fn waits(&self) -> bool {
        self.state == MessageState::Waiting
    }

    fn record(&self) -> MessageRecord {
        let OutboxMessage { id, available_at, not_after, created_at, .. } = self.message;
        MessageRecord {
            id,
            topic: self.message.topic.clone(),
            state: self.state,
            tries: self.message.tries(),
            last_error: self.last_error.clone(),
            available_at,
            not_after,
            holds_payload: !self.wiped,
            settled_at: self.settled_at,
            created_at,
        }
    }

    fn settle(&mut self, state: MessageState, last_error: Option<FailureNote>, now: Timestamp) {
        self.state = state;
        self.last_error = last_error;
        self.settled_at = Some(now);
        if state != MessageState::Dead {
            self.wipe();
        }
    }

    fn wipe(&mut self) {
        self.wiped = true;
        self.message.payload.bytes.clear();
    }
}

impl<M: Mode> OutboxReads for View<M> {
    async fn message(&mut self, id: MessageId) -> Result<Option<MessageRecord>, StoreError> {
        Ok(self.tables().outbox.get(&id).map(StoredMessage::record))
    }

    async fn messages_page(
        &mut self,
        filter: &MessageFilter,
        page: PageRequest<OutboxMessage>,
    ) -> Result<Page<MessageRecord>, StoreError> {
        let stands = |row: &StoredMessage| filter.state.is_none_or(|state| row.state == state);
        let about = |row: &StoredMessage| filter.topic.as_ref().is_none_or(|topic| row.message.topic == *topic);
        Ok(self.tables().outbox.page(page, |row| stands(row) && about(row)).map(|row| row.record()))
    }
}

impl OutboxWrites for MemoryTransaction {
    async fn enqueue_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        let (message, state) = (message.clone(), MessageState::Waiting);
        let row = StoredMessage { message, state, last_error: None, wiped: false, settled_at: None };
        self.tables_mut().outbox.put(row.message.id, row);
        Ok(())
    }

    async fn claim_messages(&mut self, now: Timestamp, lease: Duration, limit: u16) -> Result<Vec<OutboxMessage>, StoreError> {
        let outbox = &mut self.tables_mut().outbox;
        let due = |row: &&StoredMessage| row.waits() && row.message.available_at <= now;
        let due: Vec<MessageId> = outbox.rows().filter(due).map(|row| row.message.id).take(usize::from(limit)).collect();
        let claim = |row: &mut StoredMessage| {
            row.message.attempts += 1;
            row.message.available_at = now + lease;
        };
        Ok(due.iter().filter_map(|id| outbox.change_if(id, |_| true, claim).map(|row| row.message.clone())).collect())
    }

    async fn settle_message(
        &mut self,
        id: MessageId,
        attempts: u32,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = |row: &StoredMessage| row.waits() && row.message.attempts == attempts;
        let settled = self.tables_mut().outbox.change_if(&id, claimed, |row| match delivery {
            Delivery::Retry { at, why } => {
                row.message.available_at = *at;
                row.last_error = Some(why.clone());
            }
            Delivery::Sent => row.settle(MessageState::Sent, None, now),
            Delivery::Dropped => row.settle(MessageState::Dropped, None, now),
            Delivery::Dead { why } => row.settle(MessageState::Dead, Some(why.clone()), now),
        });
        Ok(settled.is_some())
    }

    async fn retry_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let retryable = |row: &StoredMessage| row.record().is_retryable(now);
        let put_back = self.tables_mut().outbox.change_if(&id, retryable, |row| {
            row.state = MessageState::Waiting;
            row.settled_at = None;
            row.message.available_at = now;
            row.message.forgiven = row.message.attempts;
        });
        Ok(put_back.is_some())
    }

    async fn discard_message(&mut self, id: MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let dead = |row: &StoredMessage| row.state == MessageState::Dead;
        let discard = |row: &mut StoredMessage| row.settle(MessageState::Dropped, row.last_error.clone(), now);
        Ok(self.tables_mut().outbox.change_if(&id, dead, discard).is_some())
    }

    async fn wipe_expired_messages(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let expired = |row: &StoredMessage| {
            row.state == MessageState::Dead && !row.wiped && row.message.not_after.is_some_and(|end| end <= now)
        };
        Ok(self.tables_mut().outbox.change_all(expired, StoredMessage::wipe))
    }
}
