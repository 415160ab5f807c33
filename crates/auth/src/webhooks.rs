//! Webhooks and their secrets: made, replaced, and opened to sign.

use tenantry_domain::{
    Action, AuditEvent, Context, EventTypes, Id, Target, Timestamp, Webhook, WebhookDescription, WebhookError, WebhookId,
    WebhookOwner, WebhookUrl, hold_webhook_owner, ports::*,
};
use time::Duration;
use tracing::info;

use crate::{KeyRing, SealError, WebhookSecret};

/// A webhook to be made.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where events are sent.
    pub url: WebhookUrl,
    /// What it is for.
    pub description: Option<WebhookDescription>,
    /// Which events: one or more.
    pub events: EventTypes,
}

/// A webhook with a new secret: the only moment that the secret is known outside.
#[derive(Debug)]
pub struct SecretWebhook {
    /// The secret, to be shown once.
    pub secret: WebhookSecret,
    /// The webhook.
    pub webhook: Webhook,
}

/// Makes a webhook, with a secret that its messages are signed with.
///
/// # Errors
/// [`NoEvent`](WebhookError::NoEvent), [`TooMany`](WebhookError::TooMany), [`UnknownWebhook`](WebhookError::UnknownWebhook) for the
/// webhook of a tenant that is gone, [`TenantSuspended`](WebhookError::TenantSuspended), [`SubscriptionInactive`](WebhookError::SubscriptionInactive), [`Store`](WebhookError::Store).
pub async fn create_webhook<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    owner: WebhookOwner,
    new: NewWebhook,
) -> Result<SecretWebhook, WebhookError> {
    let NewWebhook { url, description, events } = new;
    if events == EventTypes::NONE {
        return Err(WebhookError::NoEvent);
    }
    let (id, secret) = (Id::generate(cx.now, cx.entropy), WebhookSecret::generate(cx.entropy));
    let webhook = Webhook {
        id,
        owner,
        url,
        description,
        events,
        secret: keys.seal_webhook_secret(id, &secret, cx.entropy),
        former_secret: None,
        failing_since: None,
        disabled: None,
        created_at: cx.now,
        updated_at: cx.now,
    };
    let mut tx = store.begin().await?;
    hold_webhook_owner(&mut tx, owner).await?;
    match owner {
        WebhookOwner::Operators => tx.lock_operators().await?,
        WebhookOwner::Tenant(tenant) => tx.lock_tenant(tenant).await.map(drop)?,
    }
    if !tx.insert_webhook(&webhook).await? {
        return Err(WebhookError::TooMany);
    }
    let event = AuditEvent::new(cx, Action::WebhookCreated, owner.tenant(), Some(Target::Webhook(id)));
    tx.append_audit(&event.with("events", events)).await?;
    tx.commit().await?;
    info!(webhook.id = %id, "created webhook");
    Ok(SecretWebhook { secret, webhook })
}

/// Gives a webhook another secret.
///
/// For `overlap` messages are signed with both, so that the receiver can change over without missing one; a secret that was
/// replaced before ends at once.
///
/// # Errors
/// [`UnknownWebhook`](WebhookError::UnknownWebhook), [`TenantSuspended`](WebhookError::TenantSuspended), [`SubscriptionInactive`](WebhookError::SubscriptionInactive),
/// [`Store`](WebhookError::Store).
pub async fn rotate_webhook_secret<S: Store>(
    store: &S,
    cx: &Context<'_>,
    keys: &KeyRing,
    owner: WebhookOwner,
    id: WebhookId,
    overlap: Duration,
) -> Result<SecretWebhook, WebhookError> {
    let secret = WebhookSecret::generate(cx.entropy);
    let mut tx = store.begin().await?;
    hold_webhook_owner(&mut tx, owner).await?;
    let before = tx.lock_webhook(owner, id).await?.ok_or(WebhookError::UnknownWebhook)?;
    let former_until = Some(cx.now + overlap).filter(|_| overlap > Duration::ZERO);
    let webhook = Webhook {
        secret: keys.seal_webhook_secret(id, &secret, cx.entropy),
        former_secret: former_until.map(|until| (before.secret.clone(), until)),
        updated_at: cx.now.after(before.updated_at),
        ..before
    };
    tx.change_webhook(&webhook).await?;
    let event = AuditEvent::new(cx, Action::WebhookSecretRotated, owner.tenant(), Some(Target::Webhook(id)));
    tx.append_audit(&event.with("overlap_seconds", overlap.whole_seconds())).await?;
    tx.commit().await?;
    info!(webhook.id = %id, "rotated a webhook's secret");
    Ok(SecretWebhook { secret, webhook })
}

/// Opens the secrets that a webhook's messages are signed with at `now`, the newest first.
///
/// # Errors
/// See [`SealError`].
///
/// # Example
/// A webhook from its making to a message that was taken. The loop is a sender; a real one pauses between rounds, and decides by
/// the answer what becomes of a message:
///
/// ```
/// # use tenantry_auth::*;
/// # use tenantry_domain::{memory::MemoryStore, ports::*, *};
/// # use time::Duration;
/// # futures_executor::block_on(async {
/// # let (store, policy) = (MemoryStore::new(), AuthPolicy::default());
/// # let cx = Context::system(SystemClock.now(), &SystemEntropy);
/// # let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1")?, &SystemEntropy))?;
/// let new = NewWebhook {
///     url: WebhookUrl::parse("https://shop.example/hooks")?,
///     description: None,
///     events: [EventType::TenantCreated].into_iter().collect(),
/// };
/// let SecretWebhook { secret, .. } = create_webhook(&store, &cx, &keys, WebhookOwner::Operators, new).await?;
/// println!("verify by {}", *secret.reveal()); // shown once
///
/// // Something happens that it wants to hear of.
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// create_tenant(&store, &cx, &keys, new).await?;
///
/// let mut taken = 0;
/// for id in store.reader().webhooks_with_due_messages(cx.now).await? {
///     let mut tx = store.begin().await?;
///     let messages = tx.claim_webhook_messages(id, cx.now, Duration::MINUTE, 10).await?;
///     tx.commit().await?;
///     let Some(webhook) = store.reader().webhook_of_anyone(id).await? else { continue };
///     let secrets = open_webhook_secrets(&keys, &webhook, cx.now)?;
///     for message in messages {
///         let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(message.id, cx.now, &message.body)).collect();
///         // POST the body to `webhook.url`, with three headers:
///         let headers = [
///             ("webhook-id", message.id.to_string()),
///             ("webhook-timestamp", cx.now.unix_seconds().to_string()),
///             ("webhook-signature", signatures.join(" ")),
///         ];
///         # let _ = headers;
///         let call = WebhookCall { at: cx.now, duration_ms: 42, response_code: Some(204) };
///         let outcome = WebhookOutcome { call: Some(call), delivery: Delivery::Sent, gone: false };
///         taken += u32::from(settle_webhook_message(&store, &cx, &message, &outcome).await?);
///     }
/// }
/// assert_eq!(taken, 1);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn open_webhook_secrets(keys: &KeyRing, webhook: &Webhook, now: Timestamp) -> Result<Vec<WebhookSecret>, SealError> {
    let former = webhook.former_secret.as_ref().filter(|&&(_, until)| now < until).map(|(secret, _)| secret);
    std::iter::once(&webhook.secret).chain(former).map(|sealed| keys.open_webhook_secret(webhook.id, sealed)).collect()
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use tenantry_domain::{EventType, KeyId, SeededEntropy, memory::MemoryStore};

    use super::*;

    #[test]
    fn a_replaced_secret_signs_until_its_end_and_a_foreign_ring_opens_none() {
        block_on(async {
            let entropy = SeededEntropy::new(3);
            let ring =
                |seed| KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1").unwrap(), &SeededEntropy::new(seed))).unwrap();
            let (store, keys, cx) = (MemoryStore::new(), ring(1), Context::system(Timestamp::MIN, &entropy));
            let url = WebhookUrl::parse("https://example.com").unwrap();
            let new = NewWebhook { url, description: None, events: EventTypes::from_iter([EventType::CodesIssued]) };
            let made = create_webhook(&store, &cx, &keys, WebhookOwner::Operators, new).await.unwrap();
            let id = made.webhook.id;
            let rotate =
                async |overlap| rotate_webhook_secret(&store, &cx, &keys, WebhookOwner::Operators, id, overlap).await.unwrap();
            let rotated = rotate(Duration::HOUR).await;
            let open = |webhook: &Webhook, now| open_webhook_secrets(&keys, webhook, now).unwrap();
            let shown =
                |secrets: Vec<WebhookSecret>| secrets.iter().map(|secret| secret.reveal().to_string()).collect::<Vec<_>>();
            let both = [rotated.secret.reveal().to_string(), made.secret.reveal().to_string()];
            assert_eq!(shown(open(&rotated.webhook, cx.now + Duration::minutes(59))), both);
            assert_eq!(shown(open(&rotated.webhook, cx.now + Duration::HOUR)), both[..1]);
            assert_eq!(open_webhook_secrets(&ring(2), &rotated.webhook, cx.now).unwrap_err(), SealError::Damaged);
            let moved = Webhook { id: Id::generate(cx.now, &entropy), ..rotated.webhook };
            assert_eq!(open_webhook_secrets(&keys, &moved, cx.now).unwrap_err(), SealError::Damaged);
            let at_once = rotate(Duration::ZERO).await;
            assert_eq!(shown(open(&at_once.webhook, cx.now)), [at_once.secret.reveal().to_string()]);
        });
    }
}
