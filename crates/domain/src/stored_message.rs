//! A message of the outbox as a store keeps it: every step that the ports ask of one, as a change of a row in memory.

use crate::{
    Cause, Delivery, FailureNote, KeyId, MessageId, MessageRecord, MessageState, OutboxMessage, SealedPayload, Timestamp,
    WebhookCall, WebhookDelivery, WebhookId, WebhookMessage, ports::MessageFilter,
};

/// A message, and what became of it: a row of the outbox, for stores that read a row, change it, and write it back.
///
/// [`OutboxWrites`](crate::ports::OutboxWrites) and [`WebhookWrites`](crate::ports::WebhookWrites) say what each step is for. A store
/// whose transactions take turns has only to find the row; one whose transactions race must write it on condition.
///
/// # Example
/// A mail that is claimed, fails, and is claimed again:
///
/// ```
/// use tenantry_domain::*;
/// use time::Duration;
///
/// # let now = SystemClock.now();
/// # let payload = SealedPayload { key_id: KeyId::parse("k1")?, bytes: vec![1, 2, 3] };
/// # let (id, topic) = (Id::generate(now, &SystemEntropy), "mail.otp".to_owned());
/// # let (available_at, created_at, cause) = (now, now, Cause::default());
/// # let mail = OutboxMessage { id, topic, payload, available_at, not_after: None, attempts: 0, forgiven: 0, cause, created_at };
/// let mut row = StoredMessage::mail(mail);
/// assert!(row.is_due(now));
/// row.claim(now + Duration::MINUTE);
/// assert!(!row.is_due(now)); // leased
///
/// let why = FailureNote::new("the mail server is away");
/// row.settle(&Delivery::Retry { at: now + Duration::MINUTE, why }, now);
/// assert!(row.is_due(now + Duration::MINUTE));
/// assert_eq!((row.record().state, row.record().tries), (MessageState::Waiting, 1));
/// # Ok::<_, InvalidValue>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "rows", derive(serde::Serialize, serde::Deserialize))]
pub struct StoredMessage {
    message: OutboxMessage,
    state: MessageState,
    last_error: Option<FailureNote>,
    wiped: bool,
    settled_at: Option<Timestamp>,
    /// Where it goes, unless it is a mail.
    webhook_id: Option<WebhookId>,
    last_call: Option<WebhookCall>,
}

impl StoredMessage {
    /// A mail that is to be sent.
    #[must_use]
    pub const fn mail(message: OutboxMessage) -> Self {
        Self::new(message, None)
    }

    const fn new(message: OutboxMessage, webhook_id: Option<WebhookId>) -> Self {
        let state = MessageState::Waiting;
        Self { message, state, last_error: None, wiped: false, settled_at: None, webhook_id, last_call: None }
    }

    /// A message to a webhook, due at once. What it says isn't sealed.
    #[must_use]
    pub fn to_webhook(webhook: WebhookId, id: MessageId, topic: &str, body: &[u8], cause: &Cause, at: Timestamp) -> Self {
        let payload = SealedPayload { key_id: KeyId::from_stored(String::new()), bytes: body.to_vec() };
        let (topic, available_at, created_at) = (topic.to_owned(), at, at);
        let (not_after, attempts, forgiven, cause) = (None, 0, 0, cause.clone());
        let message = OutboxMessage { id, topic, payload, available_at, not_after, attempts, forgiven, cause, created_at };
        Self::new(message, Some(webhook))
    }

    /// The message, as whoever sends it claims it.
    #[must_use]
    pub const fn message(&self) -> &OutboxMessage {
        &self.message
    }

    /// Where it goes; `None` for a mail.
    #[must_use]
    pub const fn webhook_id(&self) -> Option<WebhookId> {
        self.webhook_id
    }

    /// When it was sent, dropped or given up.
    #[must_use]
    pub const fn settled_at(&self) -> Option<Timestamp> {
        self.settled_at
    }

    /// Whether a list has it.
    #[must_use]
    pub fn is_listed(&self, filter: &MessageFilter) -> bool {
        filter.state.is_none_or(|state| self.state == state)
            && filter.topic.as_ref().is_none_or(|topic| self.message.topic == *topic)
    }

    /// Whether it waits to be sent, and its time has come.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.waits() && self.message.available_at <= now
    }

    /// By what claims go: the lowest first.
    #[must_use]
    pub const fn place(&self) -> (Timestamp, MessageId) {
        (self.message.available_at, self.message.id)
    }

    /// Counts an attempt, and hides the message until its lease runs out.
    pub const fn claim(&mut self, leased_until: Timestamp) {
        self.message.attempts += 1;
        self.message.available_at = leased_until;
    }

    /// Whether its latest claim is the one that made this many attempts: the claimant alone may settle it.
    #[must_use]
    pub fn is_claimed_as(&self, attempts: u32) -> bool {
        self.waits() && self.message.attempts == attempts
    }

    /// Writes how an attempt ended. What is of no use any more is wiped: what a mail said once it is sent, and what was dropped.
    pub fn settle(&mut self, delivery: &Delivery, now: Timestamp) {
        match delivery {
            Delivery::Retry { at, why } => {
                self.message.available_at = *at;
                self.last_error = Some(why.clone());
            }
            Delivery::Sent => self.end(MessageState::Sent, None, now),
            Delivery::Dropped => self.end(MessageState::Dropped, None, now),
            Delivery::Dead { why } => self.end(MessageState::Dead, Some(why.clone()), now),
        }
    }

    /// Writes the call that a webhook was sent it by, where there was one.
    pub fn note_call(&mut self, call: Option<&WebhookCall>) {
        self.last_call = call.copied().or(self.last_call);
    }

    /// Whether it was settled, and what it says is still there: it can be sent again.
    #[must_use]
    pub fn is_settled_and_whole(&self) -> bool {
        !self.waits() && !self.wiped
    }

    /// Makes it due at once, with its tries starting anew.
    pub const fn put_back(&mut self, now: Timestamp) {
        self.state = MessageState::Waiting;
        self.settled_at = None;
        self.message.available_at = now;
        self.message.forgiven = self.message.attempts;
    }

    /// Whether it was given up.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state == MessageState::Dead
    }

    /// Drops it, and wipes what it says; why it was given up stays.
    pub fn discard(&mut self, now: Timestamp) {
        self.end(MessageState::Dropped, self.last_error.clone(), now);
    }

    /// Whether it is dead, and what it says is of no use any more at `now`.
    #[must_use]
    pub fn is_past_use(&self, now: Timestamp) -> bool {
        self.is_dead() && !self.wiped && self.message.not_after.is_some_and(|end| end <= now)
    }

    /// Wipes what it says.
    pub fn wipe(&mut self) {
        self.wiped = true;
        self.message.payload.bytes.clear();
    }

    /// As operators see it, who never see what it says.
    #[must_use]
    pub fn record(&self) -> MessageRecord {
        let OutboxMessage { id, available_at, not_after, created_at, .. } = self.message;
        MessageRecord {
            id,
            topic: self.message.topic.clone(),
            state: self.state,
            tries: self.message.tries(),
            last_error: self.last_error.clone(),
            available_at,
            not_after,
            holds_payload: !self.wiped,
            settled_at: self.settled_at,
            cause: self.message.cause.clone(),
            created_at,
        }
    }

    /// As whoever calls the webhook claims it; `None` for a mail.
    #[must_use]
    pub fn webhook_message(&self) -> Option<WebhookMessage> {
        Some(WebhookMessage {
            id: self.message.id,
            webhook_id: self.webhook_id?,
            body: self.message.payload.bytes.clone(),
            attempts: self.message.attempts,
            tries: self.message.tries(),
            cause: self.message.cause.clone(),
        })
    }

    /// As the log of its webhook shows it.
    #[must_use]
    pub fn delivery(&self) -> WebhookDelivery {
        let MessageRecord { id, topic, state, tries, last_error, available_at, settled_at, created_at, .. } = self.record();
        let last_call = self.last_call;
        WebhookDelivery { id, topic, state, tries, last_call, last_error, available_at, settled_at, created_at }
    }

    fn waits(&self) -> bool {
        self.state == MessageState::Waiting
    }

    fn end(&mut self, state: MessageState, last_error: Option<FailureNote>, now: Timestamp) {
        self.state = state;
        self.last_error = last_error;
        self.settled_at = Some(now);
        let kept = match state {
            MessageState::Waiting | MessageState::Dead => true,
            MessageState::Sent => self.webhook_id.is_some(),
            MessageState::Dropped => false,
        };
        if !kept {
            self.wipe();
        }
    }
}
