//! The mailer: takes messages from the outbox and sends them.
//!
//! A message is claimed in one short transaction and settled in another, with the sending between them, so that no transaction waits for
//! a mail server. A mailer that dies between the two leaves a message that is claimed again when its lease ends: mail may arrive twice,
//! with the same Message-ID, and isn't lost. Any number of servers share an outbox.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use lettre::message::Mailbox;
use tenantry_auth::{KeyRing, OtpMail, SealError};
use tenantry_domain::{
    Cause, Chain, Clock, Delivery, Entropy, FailureNote, OutboxMessage, StoreError, Timestamp,
    ports::{OutboxWrites, Store, Transaction},
};
use time::Duration;
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tracing::{Instrument, debug, error, error_span, field::display, info, warn};

use super::{
    backoff::retry_delay,
    brand::Brand,
    letter::{Letter, NoLetter},
    transport::{SEND_TIMEOUT, Transport},
};
use crate::{metrics::Metrics, telemetry};

/// Messages of one claim.
pub(super) const BATCH: u16 = 16;
/// Messages, and connections, at once.
pub(super) const AT_ONCE: u16 = 8;
/// How long a claim hides messages from other mailers.
pub(super) const LEASE: Duration = Duration::seconds(60);
/// A message is tried for longer than a one-time password lives, so that an outage of the mail server costs none that is still valid.
pub(super) const MOST_ATTEMPTS: u32 = 30;
/// How long to wait for work, growing while there is none.
pub(super) const SHORTEST_WAIT: std::time::Duration = std::time::Duration::from_secs(1);
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(5);
/// How often what has expired among the dead is wiped.
const WIPE_EVERY: Duration = Duration::MINUTE;

// A batch that takes as long as it can is done, with time to spare, before others may claim its messages.
const _: () = assert!(SEND_TIMEOUT.as_secs() * (BATCH.div_ceil(AT_ONCE) as u64) < 50 && LEASE.whole_seconds() == 60);

/// Sends what waits in the outbox.
pub struct Mailer<S> {
    pub store: S,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub keys: Arc<KeyRing>,
    pub transport: Transport,
    pub from: Mailbox,
    pub brand: Brand,
    /// What mails link to.
    pub public_url: String,
    pub metrics: Metrics,
}

/// How a claimed message ends, and what the log says of it.
pub(super) struct Outcome {
    pub(super) delivery: Delivery,
    said: &'static str,
}

impl<S: Store> Mailer<S> {
    /// Works until `stop` says so, then finishes the batch at hand. `wake` cuts a wait short.
    pub(super) async fn work(self: Arc<Self>, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let mut wait = SHORTEST_WAIT;
        let mut store_is_away = false;
        let mut wiped_at = Timestamp::MIN;
        while !*stop.borrow() {
            let delivered = self.deliver_batch().await;
            if delivered.is_ok() && self.clock.now() >= wiped_at + WIPE_EVERY {
                wiped_at = self.clock.now();
                if let Err(failure) = self.wipe_expired().await {
                    warn!(error = %Chain(&failure), "expired messages could not be wiped; that is tried again");
                }
            }
            if let Err(failure) = &delivered
                && !store_is_away
            {
                warn!(error = %Chain(failure), "the outbox can't be read; mail waits");
            } else if delivered.is_ok() && store_is_away {
                info!("the outbox can be read again");
            }
            store_is_away = delivered.is_err();
            if delivered.is_ok_and(|messages| messages > 0) {
                wait = SHORTEST_WAIT;
                continue;
            }
            tokio::select! {
                () = wake.notified() => wait = SHORTEST_WAIT,
                () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Claims and settles one batch, and answers how many messages it had.
    pub(super) async fn deliver_batch(&self) -> Result<usize, StoreError> {
        let mut tx = self.store.begin().await?;
        let messages = tx.claim_messages(self.clock.now(), LEASE, BATCH).await?;
        if messages.is_empty() {
            return Ok(0);
        }
        tx.commit().await?;
        let count = messages.len();
        let deliver = |message: OutboxMessage| {
            let Cause { request_id, trace_id } = &message.cause;
            let (request, trace) = (request_id.as_deref(), trace_id.map(display));
            // Of the highest level, so that a filter that shows errors alone shows them with it.
            let span = error_span!("message", message.id = %message.id, request.id = request, trace.id = trace);
            if let Some(trace) = message.cause.trace_id {
                telemetry::join(&span, trace, None);
            }
            self.deliver(message).instrument(span)
        };
        stream::iter(messages).for_each_concurrent(usize::from(AT_ONCE), deliver).await;
        Ok(count)
    }

    /// Wipes what the dead carried, where it has expired.
    pub(super) async fn wipe_expired(&self) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        if tx.wipe_expired_messages(self.clock.now()).await? > 0 {
            tx.commit().await?;
        }
        Ok(())
    }

    async fn deliver(&self, message: OutboxMessage) {
        let outcome = self.attempt(&message).await;
        let (attempts, outcome_said) = (message.attempts, outcome.said);
        self.metrics.mail(outcome_said);
        match &outcome.delivery {
            Delivery::Sent | Delivery::Dropped => info!(attempts, outcome = outcome_said, "settled mail"),
            Delivery::Dead { why } => error!(attempts, outcome = outcome_said, %why, "settled mail"),
            Delivery::Retry { why, .. } => warn!(attempts, outcome = outcome_said, %why, "settled mail"),
        }
        match self.settle(&message, &outcome.delivery).await {
            Ok(true) => {}
            Ok(false) => debug!(attempts, "another mailer has claimed the message since"),
            Err(failure) => {
                warn!(attempts, error = %Chain(&failure), "can't settle the message; it will be claimed again");
            }
        }
    }

    async fn settle(&self, message: &OutboxMessage, delivery: &Delivery) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        let settled = tx.settle_message(message.id, message.attempts, delivery, self.clock.now()).await?;
        tx.commit().await?;
        Ok(settled)
    }

    pub(super) async fn attempt(&self, message: &OutboxMessage) -> Outcome {
        if message.not_after.is_some_and(|end| end <= self.clock.now()) {
            return Outcome::dropped("expired");
        }
        if message.tries() > MOST_ATTEMPTS {
            return Outcome::dead("given_up", "it was tried too often");
        }
        let mail = match self.open(message) {
            Ok(mail) => mail,
            // Another server's newer key or version: that server may come first next time.
            Err(Unreadable::NotHere(why)) => return self.later(message, &why),
            Err(Unreadable::Damaged(why)) => return Outcome::dead("unreadable", &why),
        };
        let letter = match Letter::otp(message, &mail, &self.brand, &self.public_url) {
            Ok(letter) => letter,
            Err(NoLetter::Decoy) => return Outcome::dropped("decoy"),
            Err(NoLetter::BadAddress) => return Outcome::dead("refused", "mail can't be addressed to it"),
            Err(NoLetter::Unwritable(why)) => return Outcome::dead("unwritable", &why),
        };
        match self.transport.send(&letter, &self.from).await {
            Ok(()) => Outcome { delivery: Delivery::Sent, said: "sent" },
            Err(failure) if failure.permanent => Outcome::dead("refused", &failure.why),
            Err(failure) => self.later(message, &failure.why),
        }
    }

    fn open(&self, message: &OutboxMessage) -> Result<OtpMail, Unreadable> {
        if message.topic != OtpMail::TOPIC {
            return Err(Unreadable::NotHere("this version doesn't know its topic".to_owned()));
        }
        let plain = self.keys.open(message.id, &message.payload).map_err(|error| match error {
            SealError::UnknownKey { .. } => Unreadable::NotHere(error.to_string()),
            SealError::Damaged => Unreadable::Damaged(error.to_string()),
        })?;
        OtpMail::from_bytes(&plain).ok_or_else(|| Unreadable::NotHere("another version wrote it".to_owned()))
    }

    fn later(&self, message: &OutboxMessage, why: &str) -> Outcome {
        if message.tries() >= MOST_ATTEMPTS {
            return Outcome::dead("given_up", why);
        }
        let at = self.clock.now() + retry_delay(message.tries(), self.entropy.as_ref());
        Outcome { delivery: Delivery::Retry { at, why: FailureNote::new(why) }, said: "retry" }
    }
}

/// Why a message can't be read: here, or at all.
enum Unreadable {
    NotHere(String),
    Damaged(String),
}

impl Outcome {
    fn dropped(said: &'static str) -> Self {
        Self { delivery: Delivery::Dropped, said }
    }

    fn dead(said: &'static str, why: &str) -> Self {
        Self { delivery: Delivery::Dead { why: FailureNote::new(why) }, said }
    }
}
