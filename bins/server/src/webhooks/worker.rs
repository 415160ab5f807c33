//! The notifier: takes messages to webhooks from the outbox and sends them.
//!
//! As with mail, a message is claimed in one short transaction and settled in another, with the call between them. A server that dies between
//! the two leaves a message that is claimed again when its lease ends: a webhook may be sent it twice, with the same `webhook-id`. Each
//! webhook's messages are claimed by themselves, a few at once, so that one that is slow takes no place from the others.

use std::{collections::HashMap, future::pending, sync::Arc, time::Instant};

use hyper::StatusCode;
use tenantry_auth::{KeyRing, SealError, open_webhook_secrets};
use tenantry_domain::{
    Cause, Chain, Clock, Context, Delivery, Entropy, FailureNote, StoreError, Timestamp, Webhook, WebhookCall, WebhookId,
    WebhookMessage, WebhookOutcome,
    ports::{Store, Transaction, WebhookReads, WebhookWrites},
    settle_webhook_message,
};
use time::Duration;
use tokio::{
    sync::watch,
    task::{self, JoinSet},
    time::{MissedTickBehavior, interval},
};
use tracing::{Instrument, debug, error, error_span, field::display, info, warn};

use super::{
    backoff::retry_delay,
    call::{CALL_TIMEOUT, Caller, Headers},
};
use crate::{metrics::Metrics, telemetry};

/// Calls at once of one server.
const AT_ONCE: usize = 64;
/// Calls at once of one webhook by one server.
pub(super) const AT_ONCE_EACH: usize = 4;
/// How long a claim hides messages from other servers.
pub(super) const LEASE: Duration = Duration::seconds(60);
/// How often to look for work.
const PERIOD: std::time::Duration = std::time::Duration::from_secs(1);

// A call that takes as long as it can is settled, with time to spare, before others may claim its message.
const _: () = assert!(CALL_TIMEOUT.as_secs() < 50 && LEASE.whole_seconds() == 60);

/// Sends what waits for webhooks.
pub struct Notifier<S> {
    pub store: S,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub keys: Arc<KeyRing>,
    pub caller: Caller,
    pub metrics: Metrics,
}

/// The calls at hand, and of which webhook each is.
#[derive(Default)]
struct AtHand {
    calls: JoinSet<()>,
    webhooks: HashMap<task::Id, WebhookId>,
}

impl AtHand {
    /// How many more there may be of a webhook.
    fn room(&self, webhook: WebhookId) -> usize {
        let of_it = self.webhooks.values().filter(|&&other| other == webhook).count();
        AT_ONCE_EACH.saturating_sub(of_it).min(AT_ONCE.saturating_sub(self.calls.len()))
    }

    fn begin(&mut self, webhook: WebhookId, call: impl Future<Output = ()> + Send + 'static) {
        self.webhooks.insert(self.calls.spawn(call).id(), webhook);
    }

    /// Waits for the end of one; never where there is none.
    async fn end(&mut self) {
        let ended = match self.calls.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(failure)) => {
                error!("a call of a webhook failed; its message will be claimed again");
                failure.id()
            }
            None => return pending().await,
        };
        self.webhooks.remove(&ended);
    }
}

impl<S: Store> Notifier<S> {
    /// Works until `stop` says so, then finishes the calls at hand.
    pub(super) async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut at_hand = AtHand::default();
        let mut store_is_away = false;
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stop.borrow() {
            let looked = self.take_up(&mut at_hand).await;
            if let Err(failure) = &looked
                && !store_is_away
            {
                warn!(error = %Chain(failure), "the outbox can't be read; webhooks wait");
            } else if looked.is_ok() && store_is_away {
                info!("the outbox can be read again, webhooks included");
            }
            store_is_away = looked.is_err();
            tokio::select! {
                _ = period.tick() => {}
                () = at_hand.end(), if !store_is_away => {}
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
        while at_hand.calls.join_next().await.is_some() {}
    }

    /// Claims as much as there is room for, and begins the calls.
    async fn take_up(self: &Arc<Self>, at_hand: &mut AtHand) -> Result<(), StoreError> {
        for webhook in self.store.reader().webhooks_with_due_messages(self.clock.now()).await? {
            let room = at_hand.room(webhook);
            if room == 0 {
                continue;
            }
            for message in self.claim(webhook, room).await? {
                let notifier = Arc::clone(self);
                at_hand.begin(webhook, async move { notifier.deliver_in_span(message).await });
            }
        }
        Ok(())
    }

    async fn claim(&self, webhook: WebhookId, limit: usize) -> Result<Vec<WebhookMessage>, StoreError> {
        let mut tx = self.store.begin().await?;
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        let messages = tx.claim_webhook_messages(webhook, self.clock.now(), LEASE, limit).await?;
        if !messages.is_empty() {
            tx.commit().await?;
        }
        Ok(messages)
    }

    /// Claims all that is due and calls one after the other: for tests, which want to know when it is done.
    #[cfg(test)]
    pub(super) async fn deliver_due(&self) -> usize {
        let mut delivered = 0;
        for webhook in self.store.reader().webhooks_with_due_messages(self.clock.now()).await.expect("a store") {
            for message in self.claim(webhook, usize::from(u16::MAX)).await.expect("a store") {
                self.deliver_in_span(message).await;
                delivered += 1;
            }
        }
        delivered
    }

    /// Claims all that is due and calls with one message alone; the others' claims run out.
    #[cfg(test)]
    pub(super) async fn deliver_newest(&self, id: tenantry_domain::MessageId) {
        for webhook in self.store.reader().webhooks_with_due_messages(self.clock.now()).await.expect("a store") {
            for message in self.claim(webhook, usize::from(u16::MAX)).await.expect("a store") {
                if message.id == id {
                    self.deliver_in_span(message).await;
                }
            }
        }
    }

    /// Delivers in the course of what caused the message.
    async fn deliver_in_span(&self, message: WebhookMessage) {
        let Cause { request_id, trace_id } = &message.cause;
        let (request, trace) = (request_id.as_deref(), trace_id.map(display));
        // Of the highest level, so that a filter that shows errors alone shows them with it.
        let span = error_span!("message", message.id = %message.id, request.id = request, trace.id = trace);
        if let Some(trace) = message.cause.trace_id {
            telemetry::join(&span, trace, None);
        }
        self.deliver(message).instrument(span).await;
    }

    async fn deliver(&self, message: WebhookMessage) {
        let (webhook, tries) = (message.webhook_id, message.tries);
        let outcome = match self.attempt(&message).await {
            Ok(outcome) => outcome,
            Err(failure) => {
                warn!(error = %Chain(&failure), "can't read the webhook; the message will be claimed again");
                return;
            }
        };
        let status = outcome.call.and_then(|call| call.response_code);
        let duration_ms = outcome.call.map(|call| call.duration_ms);
        self.metrics.webhook_call(&outcome.delivery, outcome.gone);
        match &outcome.delivery {
            Delivery::Sent => info!(webhook.id = %webhook, tries, status, duration_ms, "called webhook"),
            Delivery::Dropped => info!(webhook.id = %webhook, "the webhook is gone; its message is dropped"),
            Delivery::Retry { why, .. } => {
                warn!(webhook.id = %webhook, tries, status, duration_ms, %why, "a webhook took no message");
            }
            Delivery::Dead { why } => {
                error!(webhook.id = %webhook, tries, status, duration_ms, %why, "a message to a webhook is given up");
            }
        }
        let cx = Context::system(self.clock.now(), self.entropy.as_ref());
        match settle_webhook_message(&self.store, &cx, &message, &outcome).await {
            Ok(true) => {}
            Ok(false) => debug!("another server has claimed the message since"),
            Err(failure) => {
                warn!(error = %Chain(&failure), "can't settle the message; it will be claimed again");
            }
        }
    }

    async fn attempt(&self, message: &WebhookMessage) -> Result<WebhookOutcome, StoreError> {
        let without_call = |delivery| WebhookOutcome { call: None, delivery, gone: false };
        let Some(webhook) = self.store.reader().webhook_of_anyone(message.webhook_id).await? else {
            return Ok(without_call(Delivery::Dropped));
        };
        if webhook.disabled.is_some() {
            return Ok(without_call(dead("the webhook is disabled")));
        }
        let at = self.clock.now();
        let headers = match self.sign(&webhook, message, at) {
            Ok(headers) => headers,
            // Another server's newer key: that server may come first next time.
            Err(failure @ SealError::UnknownKey { .. }) => return Ok(without_call(self.later(message, &failure.to_string()))),
            Err(SealError::Damaged) => return Ok(without_call(dead("the webhook's secret can't be opened"))),
        };
        let started = Instant::now();
        let answered = self.caller.call(&webhook.url, &headers, &message.body).await;
        let duration_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        let response_code = answered.as_ref().ok().map(StatusCode::as_u16);
        let call = Some(WebhookCall { at, duration_ms, response_code });
        let gone = response_code == Some(410);
        let delivery = match answered {
            Ok(status) if status.is_success() => Delivery::Sent,
            Ok(_) if gone => dead("the webhook answered 410: it is gone"),
            Ok(status) if status.is_redirection() => {
                self.later(message, &format!("the webhook answered {}; redirects aren't followed", status.as_u16()))
            }
            Ok(status) => self.later(message, &format!("the webhook answered {}", status.as_u16())),
            Err(failure) => self.later(message, &failure.to_string()),
        };
        Ok(WebhookOutcome { call, delivery, gone })
    }

    fn sign(&self, webhook: &Webhook, message: &WebhookMessage, at: Timestamp) -> Result<Headers, SealError> {
        let secrets = open_webhook_secrets(&self.keys, webhook, at)?;
        let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(message.id, at, &message.body)).collect();
        Ok(Headers {
            id: message.id.to_string(),
            timestamp: (at.unix_millis() / 1000).to_string(),
            signature: signatures.join(" "),
            traceparent: message.cause.trace_id.map(|trace| telemetry::traceparent(trace, self.entropy.as_ref())),
        })
    }

    fn later(&self, message: &WebhookMessage, why: &str) -> Delivery {
        match retry_delay(message.tries, self.entropy.as_ref()) {
            Some(delay) => Delivery::Retry { at: self.clock.now() + delay, why: FailureNote::new(why) },
            None => dead(why),
        }
    }
}

fn dead(why: &str) -> Delivery {
    Delivery::Dead { why: FailureNote::new(why) }
}
