use std::future::Future;

use time::Duration;

use super::StoreError;
use crate::{
    Delivery, Event, MessageId, OutboxMessage, Page, PageRequest, Timestamp, Webhook, WebhookCall, WebhookDelivery, WebhookId,
    WebhookMessage, WebhookOwner,
};

/// Reads of webhooks, and of the log of what was sent to them.
pub trait WebhookReads {
    /// One of an owner's webhooks.
    fn webhook(&mut self, owner: WebhookOwner, id: WebhookId)
    -> impl Future<Output = Result<Option<Webhook>, StoreError>> + Send;

    /// An owner's webhooks, newest first.
    fn webhooks_page(
        &mut self,
        owner: WebhookOwner,
        page: PageRequest<Webhook>,
    ) -> impl Future<Output = Result<Page<Webhook>, StoreError>> + Send;

    /// A webhook, whoever owns it: for the sender.
    fn webhook_of_anyone(&mut self, id: WebhookId) -> impl Future<Output = Result<Option<Webhook>, StoreError>> + Send;

    /// A message to one of an owner's webhooks.
    fn webhook_delivery(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<WebhookDelivery>, StoreError>> + Send;

    /// The messages to one of an owner's webhooks, newest first.
    fn webhook_deliveries_page(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        page: PageRequest<OutboxMessage>,
    ) -> impl Future<Output = Result<Page<WebhookDelivery>, StoreError>> + Send;

    /// The webhooks, whoever owns them, that have a message that is due at `now`, in any order: also those that are disabled, and
    /// identifiers of some that are gone. It costs as much as there are of them, however many messages wait for each.
    fn webhooks_with_due_messages(&mut self, now: Timestamp) -> impl Future<Output = Result<Vec<WebhookId>, StoreError>> + Send;
}

/// Writes of webhooks, and of the messages to them.
///
/// Messages to webhooks stand in the outbox, and each webhook's are claimed by themselves: one that is slow keeps none of another's.
pub trait WebhookWrites {
    /// Stores a new webhook; `false` when its owner has [`MOST`](Webhook::MOST) already. In transactions that lock the owner (the tenant,
    /// or [all operators](super::OperatorWrites::lock_operators)) this holds under any number of racing calls.
    fn insert_webhook(&mut self, webhook: &Webhook) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// [`webhook`](WebhookReads::webhook), and keeps every other transaction that would lock, change or delete it waiting until this one
    /// ends.
    fn lock_webhook(
        &mut self,
        owner: WebhookOwner,
        id: WebhookId,
    ) -> impl Future<Output = Result<Option<Webhook>, StoreError>> + Send;

    /// Replaces all of a webhook but its owner and its making; `false` when its owner has none of this identifier. The transaction has
    /// locked it.
    fn change_webhook(&mut self, webhook: &Webhook) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes a webhook and the messages to it; `false` when its owner has none of this identifier.
    fn delete_webhook(&mut self, owner: WebhookOwner, id: WebhookId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Stores a message for each webhook that hears of the event's tenant, wants events of its type, and isn't disabled; answers how many.
    /// They are to be sent once this transaction is committed. It waits for nobody, whatever becomes of a webhook meanwhile: a message to
    /// one that is deleted is dropped by the sender.
    fn enqueue_event(&mut self, event: &Event) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Stores a message for one webhook.
    fn enqueue_webhook_message(
        &mut self,
        message: &WebhookMessage,
        topic: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Claims up to `limit` messages to a webhook that are due at `now`, oldest first, as
    /// [`claim_messages`](super::OutboxWrites::claim_messages) does.
    fn claim_webhook_messages(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        lease: Duration,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<WebhookMessage>, StoreError>> + Send;

    /// Writes how a claimed message ended, and the call, if there was one. What was sent stays too, so that it can be sent again by hand.
    /// `false`, and nothing is written, when another claim came after it.
    fn settle_webhook_message(
        &mut self,
        message: &WebhookMessage,
        call: Option<&WebhookCall>,
        delivery: &Delivery,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Makes a message due at once that was sent or given up, with its tries starting anew; `false` when it waits, was discarded, or its
    /// webhook isn't the owner's.
    fn redeliver_webhook_message(
        &mut self,
        owner: WebhookOwner,
        webhook: WebhookId,
        id: MessageId,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Writes that a webhook took a message: it isn't failing.
    fn note_webhook_taken(&mut self, id: WebhookId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes that a webhook took no message, and answers since when that is so; `None` when there is no such webhook.
    fn note_webhook_failed(
        &mut self,
        id: WebhookId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Timestamp>, StoreError>> + Send;
}
