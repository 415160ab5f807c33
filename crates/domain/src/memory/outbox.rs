use time::Duration;

use super::store::{MemoryTransaction, Mode, View};
use crate::{
    Cause, Delivery, FailureNote, KeyId, MessageId, MessageRecord, MessageState, OutboxMessage, Page, PageRequest, SealedPayload,
    StoreError, Timestamp, WebhookCall, WebhookDelivery, WebhookId, WebhookMessage,
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
    /// Where it goes, unless it is a mail.
    webhook_id: Option<WebhookId>,
    last_call: Option<WebhookCall>,
}

impl StoredMessage {
    fn new(message: OutboxMessage, webhook_id: Option<WebhookId>) -> Self {
        let state = MessageState::Waiting;
        Self { message, state, last_error: None, wiped: false, settled_at: None, webhook_id, last_call: None }
    }

    /// A message to a webhook, due at once. What it says isn't sealed.
    pub fn to_webhook(webhook: WebhookId, id: MessageId, topic: &str, body: &[u8], cause: &Cause, at: Timestamp) -> Self {
        let payload = SealedPayload { key_id: KeyId::from_stored(String::new()), bytes: body.to_vec() };
        let (topic, available_at, created_at) = (topic.to_owned(), at, at);
        let (not_after, attempts, forgiven, cause) = (None, 0, 0, cause.clone());
        let message = OutboxMessage { id, topic, payload, available_at, not_after, attempts, forgiven, cause, created_at };
        Self::new(message, Some(webhook))
    }

    pub const fn webhook_id(&self) -> Option<WebhookId> {
        self.webhook_id
    }

    pub const fn settled_at(&self) -> Option<Timestamp> {
        self.settled_at
    }

    fn waits(&self) -> bool {
        self.state == MessageState::Waiting
    }

    pub fn is_due(&self, now: Timestamp) -> bool {
        self.waits() && self.message.available_at <= now
    }

    /// Whether nobody has claimed it since.
    pub fn is_claimed_as(&self, attempts: u32) -> bool {
        self.waits() && self.message.attempts == attempts
    }

    pub fn is_settled_and_whole(&self) -> bool {
        !self.waits() && !self.wiped
    }

    /// By what claims go.
    pub const fn place(&self) -> (Timestamp, MessageId) {
        (self.message.available_at, self.message.id)
    }

    pub fn claim(&mut self, leased_until: Timestamp) {
        self.message.attempts += 1;
        self.message.available_at = leased_until;
    }

    pub fn put_back(&mut self, now: Timestamp) {
        self.state = MessageState::Waiting;
        self.settled_at = None;
        self.message.available_at = now;
        self.message.forgiven = self.message.attempts;
    }

    pub fn note_call(&mut self, call: Option<&WebhookCall>) {
        self.last_call = call.copied().or(self.last_call);
    }

    pub fn webhook_message(&self) -> Option<WebhookMessage> {
        Some(WebhookMessage {
            id: self.message.id,
            webhook_id: self.webhook_id?,
            body: self.message.payload.bytes.clone(),
            attempts: self.message.attempts,
            tries: self.message.tries(),
            cause: self.message.cause.clone(),
        })
    }

    pub fn delivery(&self) -> WebhookDelivery {
        let MessageRecord { id, topic, state, tries, last_error, available_at, settled_at, created_at, .. } = self.record();
        let last_call = self.last_call;
        WebhookDelivery { id, topic, state, tries, last_call, last_error, available_at, settled_at, created_at }
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
            cause: self.message.cause.clone(),
            created_at,
        }
    }

    pub fn settle(&mut self, delivery: &Delivery, now: Timestamp) {
        match delivery {
            Delivery::Retry { at, why } => {
                self.message.available_at = *at;
                self.last_error = Some(why.clone());
            }
            Delivery::Sent => self.end(MessageState::Sent, None, now),
            Delivery::Dropped => self.end(MessageState::Dropped, None, now),
            Delivery::Dead { why } => self.end(MessageState::Dead, Some(why.clone()), now),
        }
    }

    fn end(&mut self, state: MessageState, last_error: Option<FailureNote>, now: Timestamp) {
        self.state = state;
        self.last_error = last_error;
        self.settled_at = Some(now);
        let kept = match state {
            MessageState::Waiting | MessageState::Dead => true,
            MessageState::Sent => self.webhook_id.is_some(),
            MessageState::Dropped => false,
        };
        if !kept {
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
        self.tables_mut().outbox.put(message.id, StoredMessage::new(message.clone(), None));
        Ok(())
    }

    async fn claim_messages(&mut self, now: Timestamp, lease: Duration, limit: u16) -> Result<Vec<OutboxMessage>, StoreError> {
        let outbox = &mut self.tables_mut().outbox;
        let due = |row: &&StoredMessage| row.is_due(now) && row.webhook_id.is_none();
        let due: Vec<MessageId> = outbox.rows().filter(due).map(|row| row.message.id).take(usize::from(limit)).collect();
        let claim = |row: &mut StoredMessage| row.claim(now + lease);
        Ok(due.iter().filter_map(|id| outbox.change_if(id, |_| true, claim).map(|row| row.message.clone())).collect())
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
        let dead = |row: &StoredMessage| row.state == MessageState::Dead;
        let discard = |row: &mut StoredMessage| row.end(MessageState::Dropped, row.last_error.clone(), now);
        Ok(self.tables_mut().outbox.change_if(&id, dead, discard).is_some())
    }

    async fn wipe_expired_messages(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let expired = |row: &StoredMessage| {
            row.state == MessageState::Dead && !row.wiped && row.message.not_after.is_some_and(|end| end <= now)
        };
        Ok(self.tables_mut().outbox.change_all(expired, StoredMessage::wipe))
    }
}
