use time::Duration;

use super::store::MemoryTransaction;
use crate::{Delivery, MessageId, OutboxMessage, StoreError, Timestamp, ports::OutboxWrites};

impl OutboxWrites for MemoryTransaction {
    async fn enqueue_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        self.tables_mut().outbox.put(message.id, message.clone());
        Ok(())
    }

    async fn claim_messages(&mut self, now: Timestamp, lease: Duration, limit: u16) -> Result<Vec<OutboxMessage>, StoreError> {
        let outbox = &mut self.tables_mut().outbox;
        let due: Vec<MessageId> =
            outbox.rows().filter(|row| row.available_at <= now).map(|row| row.id).take(usize::from(limit)).collect();
        let claim = |row: &mut OutboxMessage| {
            row.attempts += 1;
            row.available_at = now + lease;
        };
        Ok(due.iter().filter_map(|id| outbox.change_if(id, |_| true, claim).cloned()).collect())
    }

    async fn settle_message(
        &mut self,
        id: MessageId,
        attempts: u32,
        delivery: Delivery,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        let outbox = &mut self.tables_mut().outbox;
        let claimed = |row: &OutboxMessage| row.attempts == attempts;
        Ok(match delivery {
            Delivery::Retry { at } => outbox.change_if(&id, claimed, |row| row.available_at = at).is_some(),
            // Nothing reads what has been settled, so the row goes with its payload.
            Delivery::Sent | Delivery::Dropped => outbox.delete_if(&id, claimed),
        })
    }
}
