use time::Duration;

use super::{
    store::{MemoryTransaction, Mode, View},
    tables::{Tables, demand},
};
use crate::{
    Delivery, Event, MessageId, OutboxMessage, Page, PageRequest, StoreError, StoredMessage, TenantId, Timestamp, Webhook,
    WebhookCall, WebhookDelivery, WebhookId, WebhookMessage, WebhookOwner,
    ports::{WebhookReads, WebhookWrites},
};

impl Tables {
    fn owned_webhook(&self, owner: WebhookOwner, id: WebhookId) -> Option<&Webhook> {
        self.webhooks.get(&id).filter(|webhook| webhook.owner == owner)
    }

    /// Whether a webhook that isn't disabled hears of a tenant.
    pub(super) fn has_listeners(&self, tenant: TenantId) -> bool {
        self.webhooks.rows().any(|webhook| hears_of(webhook, tenant))
    }

    /// Deletes a tenant's webhooks and the messages to them.
    pub(super) fn delete_webhooks_of(&mut self, tenant: TenantId) {
        let of_tenant = |webhook: &Webhook| webhook.owner == WebhookOwner::Tenant(tenant);
        let gone: Vec<_> = self.webhooks.rows().filter(|webhook| of_tenant(webhook)).map(|webhook| webhook.id).collect();
        self.webhooks.delete_all(of_tenant);
        self.outbox.delete_all(|row| row.webhook_id().is_some_and(|id| gone.contains(&id)));
    }
}

fn hears_of(webhook: &Webhook, tenant: TenantId) -> bool {
    webhook.disabled.is_none() && webhook.owner.tenant().is_none_or(|owner| owner == tenant)
}

impl<M: Mode> WebhookReads for View<M> {
    async fn webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self.tables().owned_webhook(owner, id).cloned())
    }

    async fn webhooks_page(&mut self, owner: WebhookOwner, page: PageRequest<Webhook>) -> Result<Page<Webhook>, StoreError> {
        Ok(self.tables().webhooks.page(page, |webhook| webhook.owner == owner))
    }

    async fn webhook_of_anyone(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self.tables().webhooks.get(&id).cloned())
    }

    async fn webhook_delivery(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let tables = self.tables();
        let owned = tables.owned_webhook(owner, webhook).is_some();
        let message = tables.outbox.get(&id).filter(|row| owned && row.webhook_id() == Some(webhook));
        Ok(message.map(StoredMessage::delivery))
    }

    async fn webhook_deliveries_page(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        page: PageRequest<OutboxMessage>,
    ) -> Result<Page<WebhookDelivery>, StoreError> {
        let tables = self.tables();
        let owned = tables.owned_webhook(owner, webhook).is_some();
        let page = tables.outbox.page(page, |row| owned && row.webhook_id() == Some(webhook));
        Ok(page.map(|row| row.delivery()))
    }

    async fn webhooks_with_due_messages(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
        let tables = self.tables();
        let mut webhooks: Vec<_> =
            tables.outbox.rows().filter(|row| row.is_due(now)).filter_map(StoredMessage::webhook_id).collect();
        webhooks.sort_unstable();
        webhooks.dedup();
        Ok(webhooks)
    }
}

impl WebhookWrites for MemoryTransaction {
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        if let WebhookOwner::Tenant(tenant) = webhook.owner {
            tables.demand_tenant(tenant)?;
        }
        demand(!tables.webhooks.contains(&webhook.id), "a webhook with this identifier exists")?;
        let room = tables.webhooks.rows().filter(|other| other.owner == webhook.owner).count() < Webhook::MOST;
        if room {
            tables.webhooks.put(webhook.id, webhook.clone());
        }
        Ok(room)
    }

    async fn lock_webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.webhook(owner, id).await
    }

    async fn change_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        let owned = |row: &Webhook| row.owner == webhook.owner;
        let changed = self.tables_mut().webhooks.change_if(&webhook.id, owned, |row| {
            *row = Webhook { created_at: row.created_at, ..webhook.clone() };
        });
        Ok(changed.is_some())
    }

    async fn delete_webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        let deleted = tables.webhooks.delete_if(&id, |webhook| webhook.owner == owner);
        if deleted {
            tables.outbox.delete_all(|row| row.webhook_id() == Some(id));
        }
        Ok(deleted)
    }

    async fn enqueue_event(&mut self, event: &Event) -> Result<u64, StoreError> {
        let tables = self.tables_mut();
        let wants = |webhook: &&Webhook| hears_of(webhook, event.tenant) && webhook.events.has(event.event_type);
        let webhooks: Vec<WebhookId> = tables.webhooks.rows().filter(wants).map(|webhook| webhook.id).collect();
        for (&webhook, &id) in webhooks.iter().zip(&event.message_ids) {
            let row = StoredMessage::to_webhook(webhook, id, event.event_type.topic(), &event.body, &event.cause, event.at);
            tables.outbox.put(id, row);
        }
        Ok(webhooks.len() as u64)
    }

    async fn enqueue_webhook_message(&mut self, message: &WebhookMessage, topic: &str, now: Timestamp) -> Result<(), StoreError> {
        let row = StoredMessage::to_webhook(message.webhook_id, message.id, topic, &message.body, &message.cause, now);
        self.tables_mut().outbox.put(message.id, row);
        Ok(())
    }

    async fn claim_webhook_messages(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        lease: Duration,
        limit: u16,
    ) -> Result<Vec<WebhookMessage>, StoreError> {
        let outbox = &mut self.tables_mut().outbox;
        let due = |row: &&StoredMessage| row.is_due(now) && row.webhook_id() == Some(webhook);
        let mut due: Vec<_> = outbox.rows().filter(due).map(StoredMessage::place).collect();
        due.sort_unstable();
        due.truncate(usize::from(limit));
        let claim = |row: &mut StoredMessage| row.claim(now + lease);
        Ok(due.iter().filter_map(|(_, id)| outbox.change_if(id, |_| true, claim)?.webhook_message()).collect())
    }

    async fn settle_webhook_message(
        &mut self,
        message: &WebhookMessage,
        call: Option<&WebhookCall>,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = |row: &StoredMessage| row.is_claimed_as(message.attempts);
        let settled = self.tables_mut().outbox.change_if(&message.id, claimed, |row| {
            row.settle(delivery, now);
            row.note_call(call);
        });
        Ok(settled.is_some())
    }

    async fn redeliver_webhook_message(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let tables = self.tables_mut();
        let owned = tables.owned_webhook(owner, webhook).is_some();
        let settled = |row: &StoredMessage| owned && row.webhook_id() == Some(webhook) && row.is_settled_and_whole();
        Ok(tables.outbox.change_if(&id, settled, |row| row.put_back(now)).is_some())
    }

    async fn note_webhook_taken(&mut self, id: WebhookId) -> Result<(), StoreError> {
        let failing = |webhook: &Webhook| webhook.failing_since.is_some();
        self.tables_mut().webhooks.change_if(&id, failing, |webhook| webhook.failing_since = None);
        Ok(())
    }

    async fn note_webhook_failed(&mut self, id: WebhookId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let note = |webhook: &mut Webhook| webhook.failing_since = webhook.failing_since.or(Some(now));
        Ok(self.tables_mut().webhooks.change_if(&id, |_| true, note).and_then(|webhook| webhook.failing_since))
    }
}
