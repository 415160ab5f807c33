use time::Duration;
use tracing::{info, warn};

use crate::{
    Action, AuditEvent, Context, Delivery, DisabledReason, Event, EventTypes, Expected, Id, MessageId, StoreError,
    SubscriptionState, Target, TenantAction, Timestamp, Webhook, WebhookCall, WebhookDelivery, WebhookDescription, WebhookId,
    WebhookMessage, WebhookOwner, WebhookUrl, ports::*,
};

/// How long a webhook may take no message before it is disabled: five days.
pub const WEBHOOK_PATIENCE: Duration = Duration::days(5);

/// A change of a webhook; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// Where events are sent.
    pub url: Option<WebhookUrl>,
    /// What it is for.
    pub description: Option<Option<WebhookDescription>>,
    /// Which events.
    pub events: Option<EventTypes>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

/// Why a webhook can't be made, changed or called.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is no such webhook, or it isn't the owner's.
    #[error("there is no such webhook")]
    UnknownWebhook,
    /// It was sent no such message.
    #[error("there is no such delivery")]
    UnknownDelivery,
    /// It is at a version that the edit isn't meant for.
    #[error("the webhook was changed meanwhile")]
    ChangedMeanwhile,
    /// A webhook that hears of nothing is of no use.
    #[error("a webhook needs an event")]
    NoEvent,
    /// Its owner has as many as there can be.
    #[error("there are {} webhooks already", Webhook::MOST)]
    TooMany,
    /// Nothing is sent to it.
    #[error("the webhook is disabled")]
    Disabled,
    /// What was sent is no longer there.
    #[error("the message was discarded")]
    Discarded,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The tenant's subscription doesn't let it.
    #[error("the subscription is {}", .state.as_str())]
    SubscriptionInactive {
        /// How it stands.
        state: SubscriptionState,
    },
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds the owner's tenant, if it is one's, where its subscription lets it change what it has.
///
/// # Errors
/// [`UnknownWebhook`](WebhookError::UnknownWebhook) where there is no such tenant,
/// [`TenantSuspended`](WebhookError::TenantSuspended), [`SubscriptionInactive`](WebhookError::SubscriptionInactive), [`Store`](WebhookError::Store).
#[doc(hidden)] // a step of use cases, here and in `tenantry-auth`: public for the latter alone
pub async fn hold_webhook_owner(tx: &mut impl Transaction, owner: WebhookOwner) -> Result<(), WebhookError> {
    let Some(tenant) = owner.tenant() else { return Ok(()) };
    let entitlement = tx.hold_tenant(tenant).await?.ok_or(WebhookError::UnknownWebhook)?;
    if entitlement.suspended_at.is_some() {
        return Err(WebhookError::TenantSuspended);
    }
    if !entitlement.allows(TenantAction::ChangeProfile) {
        return Err(WebhookError::SubscriptionInactive { state: entitlement.state });
    }
    Ok(())
}

/// Changes a webhook. One that is enabled again counts as not failing. A change of nothing is none.
///
/// # Errors
/// [`UnknownWebhook`](WebhookError::UnknownWebhook), [`ChangedMeanwhile`](WebhookError::ChangedMeanwhile),
/// [`NoEvent`](WebhookError::NoEvent), [`TenantSuspended`](WebhookError::TenantSuspended), [`SubscriptionInactive`](WebhookError::SubscriptionInactive), [`Store`](WebhookError::Store).
pub async fn change_webhook<S: Store>(
    store: &S,
    cx: &Context<'_>,
    owner: WebhookOwner,
    id: WebhookId,
    change: WebhookChange,
    expected: &Expected,
) -> Result<Webhook, WebhookError> {
    if change.events == Some(EventTypes::NONE) {
        return Err(WebhookError::NoEvent);
    }
    let mut tx = store.begin().await?;
    hold_webhook_owner(&mut tx, owner).await?;
    let before = tx.lock_webhook(owner, id).await?.ok_or(WebhookError::UnknownWebhook)?;
    if !expected.admits(before.version()) {
        return Err(WebhookError::ChangedMeanwhile);
    }
    let mut after = before.clone();
    after.url = change.url.unwrap_or(after.url);
    after.description = change.description.unwrap_or(after.description);
    after.events = change.events.unwrap_or(after.events);
    match (change.enabled, after.disabled) {
        (Some(true), Some(_)) => (after.disabled, after.failing_since) = (None, None),
        (Some(false), None) => after.disabled = Some((cx.now, DisabledReason::ByOwner)),
        _ => {}
    }
    let differences = [
        ("url", before.url != after.url),
        ("description", before.description != after.description),
        ("events", before.events != after.events),
        ("enabled", before.disabled.is_some() != after.disabled.is_some()),
    ];
    let fields: Vec<_> = differences.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
    if fields.is_empty() {
        return Ok(before);
    }
    after.updated_at = cx.now.after(before.updated_at);
    tx.change_webhook(&after).await?;
    let event = AuditEvent::new(cx, Action::WebhookChanged, owner.tenant(), Some(Target::Webhook(id)));
    let enabled = [&before, &after].map(|webhook| webhook.disabled.is_none());
    let event = event.with_changed(&fields).with_change("enabled", enabled[0], enabled[1]);
    tx.append_audit(&event.with_change("events", before.events, after.events)).await?;
    tx.commit().await?;
    info!(webhook.id = %id, "changed webhook");
    Ok(after)
}

/// Deletes a webhook, and all that was to be sent to it or was.
///
/// # Errors
/// [`UnknownWebhook`](WebhookError::UnknownWebhook), [`TenantSuspended`](WebhookError::TenantSuspended), [`SubscriptionInactive`](WebhookError::SubscriptionInactive),
/// [`Store`](WebhookError::Store).
pub async fn delete_webhook<S: Store>(
    store: &S,
    cx: &Context<'_>,
    owner: WebhookOwner,
    id: WebhookId,
) -> Result<(), WebhookError> {
    let mut tx = store.begin().await?;
    hold_webhook_owner(&mut tx, owner).await?;
    if !tx.delete_webhook(owner, id).await? {
        return Err(WebhookError::UnknownWebhook);
    }
    tx.append_audit(&AuditEvent::new(cx, Action::WebhookDeleted, owner.tenant(), Some(Target::Webhook(id)))).await?;
    tx.commit().await?;
    info!(webhook.id = %id, "deleted webhook");
    Ok(())
}

/// Has a message sent to a webhook, to see whether it works.
///
/// # Errors
/// [`UnknownWebhook`](WebhookError::UnknownWebhook), [`Disabled`](WebhookError::Disabled),
/// [`TenantSuspended`](WebhookError::TenantSuspended), [`SubscriptionInactive`](WebhookError::SubscriptionInactive), [`Store`](WebhookError::Store).
pub async fn test_webhook<S: Store>(
    store: &S,
    cx: &Context<'_>,
    owner: WebhookOwner,
    id: WebhookId,
) -> Result<WebhookDelivery, WebhookError> {
    let mut tx = store.begin().await?;
    hold_webhook_owner(&mut tx, owner).await?;
    enabled(&mut tx, owner, id).await?;
    let (message, body) = (Id::generate(cx.now, cx.entropy), Event::test_body(cx, id));
    let test = WebhookMessage { id: message, webhook_id: id, body, attempts: 0, tries: 0, cause: cx.cause() };
    tx.enqueue_webhook_message(&test, Event::TEST, cx.now).await?;
    let delivery = tx.webhook_delivery(owner, id, message).await?.ok_or(WebhookError::UnknownDelivery)?;
    let event = AuditEvent::new(cx, Action::WebhookTested, owner.tenant(), Some(Target::Webhook(id)));
    tx.append_audit(&event.with("message_id", message)).await?;
    tx.commit().await?;
    Ok(delivery)
}

/// Has a message sent to a webhook again that was taken or given up.
///
/// It goes out at once, with the same `webhook-id`, and its tries start anew.
///
/// One that waits already is answered as it is, and nothing changes.
///
/// # Errors
/// [`UnknownWebhook`](WebhookError::UnknownWebhook), [`UnknownDelivery`](WebhookError::UnknownDelivery),
/// [`Disabled`](WebhookError::Disabled), [`Discarded`](WebhookError::Discarded),
/// [`TenantSuspended`](WebhookError::TenantSuspended), [`SubscriptionInactive`](WebhookError::SubscriptionInactive), [`Store`](WebhookError::Store).
pub async fn redeliver_webhook_message<S: Store>(
    store: &S,
    cx: &Context<'_>,
    owner: WebhookOwner,
    id: WebhookId,
    message: MessageId,
) -> Result<WebhookDelivery, WebhookError> {
    let mut tx = store.begin().await?;
    hold_webhook_owner(&mut tx, owner).await?;
    enabled(&mut tx, owner, id).await?;
    let won = tx.redeliver_webhook_message(owner, id, message, cx.now).await?;
    let delivery = tx.webhook_delivery(owner, id, message).await?.ok_or(WebhookError::UnknownDelivery)?;
    if won {
        let event = AuditEvent::new(cx, Action::WebhookRedelivered, owner.tenant(), Some(Target::Webhook(id)));
        tx.append_audit(&event.with("message_id", message)).await?;
        tx.commit().await?;
    } else if delivery.settled_at.is_some() {
        return Err(WebhookError::Discarded);
    }
    Ok(delivery)
}

async fn enabled(tx: &mut impl Transaction, owner: WebhookOwner, id: WebhookId) -> Result<(), WebhookError> {
    let webhook = tx.webhook(owner, id).await?.ok_or(WebhookError::UnknownWebhook)?;
    if webhook.disabled.is_some() { Err(WebhookError::Disabled) } else { Ok(()) }
}

/// How a claimed message to a webhook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookOutcome {
    /// The call, where there was one.
    pub call: Option<WebhookCall>,
    /// What becomes of the message.
    pub delivery: Delivery,
    /// Whether the webhook said that nobody is there any more.
    pub gone: bool,
}

/// Writes how a claimed message to a webhook ended, and what that says of the webhook.
///
/// One that is gone is disabled, and so is one that has taken nothing for [`WEBHOOK_PATIENCE`]. `false`, and nothing is written,
/// when another claim came after it. `tenantry-auth`'s `open_webhook_secrets` shows a whole sender.
///
/// # Errors
/// Where the store fails.
pub async fn settle_webhook_message<S: Store>(
    store: &S,
    cx: &Context<'_>,
    message: &WebhookMessage,
    outcome: &WebhookOutcome,
) -> Result<bool, StoreError> {
    let id = message.webhook_id;
    let mut tx = store.begin().await?;
    // The webhook before its messages, as everywhere.
    let failing_since = match (&outcome.delivery, outcome.call) {
        (Delivery::Sent, _) => tx.note_webhook_taken(id).await.map(|()| None)?,
        (_, Some(_)) => tx.note_webhook_failed(id, cx.now).await?,
        (_, None) => None,
    };
    if !tx.settle_webhook_message(message, outcome.call.as_ref(), &outcome.delivery, cx.now).await? {
        return Ok(false);
    }
    let exhausted = failing_since.is_some_and(|since| since + WEBHOOK_PATIENCE <= cx.now);
    let reason = match (outcome.gone, exhausted) {
        (true, _) => Some(DisabledReason::Gone),
        (false, true) => Some(DisabledReason::Failing),
        (false, false) => None,
    };
    if let Some(reason) = reason {
        disable(&mut tx, cx, id, reason, failing_since).await?;
    }
    tx.commit().await?;
    Ok(true)
}

async fn disable(
    tx: &mut impl Transaction,
    cx: &Context<'_>,
    id: WebhookId,
    reason: DisabledReason,
    failing_since: Option<Timestamp>,
) -> Result<(), StoreError> {
    let Some(webhook) = tx.webhook_of_anyone(id).await? else { return Ok(()) };
    let owner = webhook.owner;
    let Some(webhook) = tx.lock_webhook(owner, id).await?.filter(|webhook| webhook.disabled.is_none()) else { return Ok(()) };
    let (disabled, updated_at) = (Some((cx.now, reason)), cx.now.after(webhook.updated_at));
    tx.change_webhook(&Webhook { disabled, updated_at, ..webhook }).await?;
    let event = AuditEvent::new(cx, Action::WebhookDisabled, owner.tenant(), Some(Target::Webhook(id)));
    let event = event.with("reason", reason.as_str());
    let event = match failing_since {
        Some(since) => event.with("failing_since", since),
        None => event,
    };
    tx.append_audit(&event).await?;
    warn!(webhook.id = %id, reason = reason.as_str(), "disabled webhook");
    Ok(())
}
