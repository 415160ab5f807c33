use time::Duration;

use tenantry_domain::{
    Delivery, Event, MessageId, OutboxMessage, Page, PageRequest, StoreError, StoredMessage, TenantId, Timestamp, Webhook,
    WebhookCall, WebhookDelivery, WebhookId, WebhookMessage, WebhookOwner,
    ports::{WebhookReads, WebhookWrites},
};

use crate::{
    error::demand,
    rows::Rows,
    store::{Mode, RedbTransaction, View},
    tables::{OUTBOX, WEBHOOKS},
};

impl Rows {
    fn owned_webhook(&self, owner: WebhookOwner, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self.get(WEBHOOKS, &id)?.filter(|webhook| webhook.owner == owner))
    }

    /// Whether a webhook that isn't disabled hears of a tenant.
    pub(super) fn has_listeners(&self, tenant: TenantId) -> Result<bool, StoreError> {
        self.any(WEBHOOKS, |webhook| hears_of(webhook, tenant))
    }

    /// Deletes a tenant's webhooks and the messages to them.
    pub(super) fn delete_webhooks_of(&mut self, tenant: TenantId) -> Result<(), StoreError> {
        let of_tenant = |webhook: &Webhook| webhook.owner == WebhookOwner::Tenant(tenant);
        let gone: Vec<_> = self.list(WEBHOOKS, of_tenant)?.into_iter().map(|webhook| webhook.id).collect();
        self.delete_all(WEBHOOKS, of_tenant)?;
        self.delete_all(OUTBOX, |row| row.webhook_id().is_some_and(|id| gone.contains(&id)))?;
        Ok(())
    }
}

fn hears_of(webhook: &Webhook, tenant: TenantId) -> bool {
    webhook.disabled.is_none() && webhook.owner.tenant().is_none_or(|owner| owner == tenant)
}

impl<M: Mode> WebhookReads for View<M> {
    async fn webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.rows()?.owned_webhook(owner, id)
    }

    async fn webhooks_page(&mut self, owner: WebhookOwner, page: PageRequest<Webhook>) -> Result<Page<Webhook>, StoreError> {
        self.rows()?.page(WEBHOOKS, page, |webhook| webhook.owner == owner)
    }

    async fn webhook_of_anyone(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.rows()?.get(WEBHOOKS, &id)
    }

    async fn webhook_delivery(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let rows = self.rows()?;
        let owned = rows.owned_webhook(owner, webhook)?.is_some();
        let message = rows.get(OUTBOX, &id)?.filter(|row| owned && row.webhook_id() == Some(webhook));
        Ok(message.map(|row| row.delivery()))
    }

    async fn webhook_deliveries_page(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        page: PageRequest<OutboxMessage>,
    ) -> Result<Page<WebhookDelivery>, StoreError> {
        let rows = self.rows()?;
        let owned = rows.owned_webhook(owner, webhook)?.is_some();
        let page = rows.page(OUTBOX, page, |row| owned && row.webhook_id() == Some(webhook))?;
        Ok(page.map(|row| row.delivery()))
    }

    async fn webhooks_with_due_messages(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
        let rows = self.rows()?;
        let mut webhooks: Vec<_> =
            rows.list(OUTBOX, |row| row.is_due(now))?.iter().filter_map(StoredMessage::webhook_id).collect();
        webhooks.sort_unstable();
        webhooks.dedup();
        Ok(webhooks)
    }
}

impl WebhookWrites for RedbTransaction {
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        if let WebhookOwner::Tenant(tenant) = webhook.owner {
            rows.demand_tenant(tenant)?;
        }
        demand(!rows.has(WEBHOOKS, &webhook.id)?, "a webhook with this identifier exists")?;
        let room = rows.list(WEBHOOKS, |other| other.owner == webhook.owner)?.len() < Webhook::MOST;
        if room {
            rows.put(WEBHOOKS, &webhook.id, webhook)?;
        }
        Ok(room)
    }

    async fn lock_webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.webhook(owner, id).await
    }

    async fn change_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        let owned = |row: &Webhook| row.owner == webhook.owner;
        let changed = self.rows_mut().change_if(WEBHOOKS, &webhook.id, owned, |row| {
            *row = Webhook { created_at: row.created_at, ..webhook.clone() };
        })?;
        Ok(changed.is_some())
    }

    async fn delete_webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let deleted = rows.delete_if(WEBHOOKS, &id, |webhook| webhook.owner == owner)?.is_some();
        if deleted {
            rows.delete_all(OUTBOX, |row| row.webhook_id() == Some(id))?;
        }
        Ok(deleted)
    }

    async fn enqueue_event(&mut self, event: &Event) -> Result<u64, StoreError> {
        let rows = self.rows_mut();
        let wants = |webhook: &Webhook| hears_of(webhook, event.tenant) && webhook.events.has(event.event_type);
        let webhooks: Vec<WebhookId> = rows.list(WEBHOOKS, wants)?.into_iter().map(|webhook| webhook.id).collect();
        for (&webhook, &id) in webhooks.iter().zip(&event.message_ids) {
            let row = StoredMessage::to_webhook(webhook, id, event.event_type.topic(), &event.body, &event.cause, event.at);
            rows.put(OUTBOX, &id, &row)?;
        }
        Ok(webhooks.len() as u64)
    }

    async fn enqueue_webhook_message(&mut self, message: &WebhookMessage, topic: &str, now: Timestamp) -> Result<(), StoreError> {
        let row = StoredMessage::to_webhook(message.webhook_id, message.id, topic, &message.body, &message.cause, now);
        self.rows_mut().put(OUTBOX, &message.id, &row)
    }

    async fn claim_webhook_messages(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        lease: Duration,
        limit: u16,
    ) -> Result<Vec<WebhookMessage>, StoreError> {
        let rows = self.rows_mut();
        let due = |row: &StoredMessage| row.is_due(now) && row.webhook_id() == Some(webhook);
        let mut due = rows.list(OUTBOX, due)?;
        due.sort_unstable_by_key(StoredMessage::place);
        due.truncate(usize::from(limit));
        for row in &mut due {
            row.claim(now + lease);
            rows.put(OUTBOX, &row.message().id, row)?;
        }
        Ok(due.iter().filter_map(StoredMessage::webhook_message).collect())
    }

    async fn settle_webhook_message(
        &mut self,
        message: &WebhookMessage,
        call: Option<&WebhookCall>,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = |row: &StoredMessage| row.is_claimed_as(message.attempts);
        let settled = self.rows_mut().change_if(OUTBOX, &message.id, claimed, |row| {
            row.settle(delivery, now);
            row.note_call(call);
        })?;
        Ok(settled.is_some())
    }

    async fn redeliver_webhook_message(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let owned = rows.owned_webhook(owner, webhook)?.is_some();
        let settled = |row: &StoredMessage| owned && row.webhook_id() == Some(webhook) && row.is_settled_and_whole();
        Ok(rows.change_if(OUTBOX, &id, settled, |row| row.put_back(now))?.is_some())
    }

    async fn note_webhook_taken(&mut self, id: WebhookId) -> Result<(), StoreError> {
        let failing = |webhook: &Webhook| webhook.failing_since.is_some();
        self.rows_mut().change_if(WEBHOOKS, &id, failing, |webhook| webhook.failing_since = None)?;
        Ok(())
    }

    async fn note_webhook_failed(&mut self, id: WebhookId, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let note = |webhook: &mut Webhook| webhook.failing_since = webhook.failing_since.or(Some(now));
        Ok(self.rows_mut().change_if(WEBHOOKS, &id, |_| true, note)?.and_then(|webhook| webhook.failing_since))
    }
}
