use std::future::Future;

use time::Duration;

use super::StoreError;
use crate::{Delivery, MessageId, MessageRecord, MessageState, OutboxMessage, Page, PageRequest, Timestamp};

/// Which messages a list has: those for which all that is given holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Those that stand so.
    pub state: Option<MessageState>,
    /// Those of this topic, to the letter.
    pub topic: Option<String>,
}

/// Reads of the outbox: for operators, who never see what a message says, nor to whom.
pub trait OutboxReads {
    /// A message.
    fn message(&mut self, id: MessageId) -> impl Future<Output = Result<Option<MessageRecord>, StoreError>> + Send;

    /// Messages, newest first.
    fn messages_page(
        &mut self,
        filter: &MessageFilter,
        page: PageRequest<OutboxMessage>,
    ) -> impl Future<Output = Result<Page<MessageRecord>, StoreError>> + Send;
}

/// Writes of the outbox.
pub trait OutboxWrites {
    /// Stores a message that is to be sent once this transaction is committed.
    fn enqueue_message(&mut self, message: &OutboxMessage) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Claims up to `limit` messages that are due at `now`, oldest first: counts the attempt and hides them from other claims for
    /// `lease`, after which a message that its claimant left unsettled is due again. Two claims never share a message.
    fn claim_messages(
        &mut self,
        now: Timestamp,
        lease: Duration,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<OutboxMessage>, StoreError>> + Send;

    /// Writes how a claimed message ended. `attempts` is what the claim answered: `false`, and nothing is written, when another claim
    /// came after it.
    fn settle_message(
        &mut self,
        id: MessageId,
        attempts: u32,
        delivery: &Delivery,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts a message back that is [retryable](MessageRecord::is_retryable) at `now`: it is due at once, and its tries start anew.
    /// `false` when it isn't, or when another call was first. A claimant from before settles nothing of it.
    fn retry_message(&mut self, id: MessageId, now: Timestamp) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Drops a message that is [dead](MessageState::Dead), and wipes its payload; `false` when it isn't, or when another call was first.
    fn discard_message(&mut self, id: MessageId, now: Timestamp) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Wipes the payloads of dead messages that are of no use any more at `now`, and answers of how many. They stay dead.
    fn wipe_expired_messages(&mut self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
