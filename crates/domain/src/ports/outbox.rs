use std::future::Future;

use time::Duration;

use super::StoreError;
use crate::{Delivery, MessageId, OutboxMessage, Timestamp};

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
        delivery: Delivery,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
