//! Webhooks and their deliveries as the API sends and takes them.

use serde::{Deserialize, Serialize};
use tenantry_auth::{NewWebhook, SecretWebhook};
use tenantry_domain::{
    EventType, EventTypes, InvalidValue, MessageId, MessageState, Timestamp, Webhook, WebhookChange, WebhookDelivery,
    WebhookDescription, WebhookId, WebhookUrl,
};
use time::Duration;
use utoipa::ToSchema;

use crate::{
    change::present,
    problem::{Fields, Problem},
    schema,
};

/// How long a replaced secret signs too, unless told otherwise, and at the most.
const OVERLAP_SECONDS: u32 = 86_400;
const LONGEST_OVERLAP_SECONDS: u32 = 604_800;

/// A webhook to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhookJson {
    /// Where events are sent, by `POST`. In production `https` alone.
    #[schema(max_length = 2048, example = "https://hooks.acme.example/tenantry")]
    pub url: String,
    /// What it is for.
    #[schema(min_length = 1, max_length = 200, example = "Billing")]
    pub description: Option<String>,
    /// Which events: one type or more.
    #[schema(value_type = Vec<schema::EventType>, min_items = 1)]
    pub events: Vec<String>,
}

/// What to change of a webhook; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeWebhook)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeWebhookJson {
    /// Where events are sent, from the next try on.
    #[schema(max_length = 2048, example = "https://hooks.acme.example/tenantry")]
    pub url: Option<String>,
    /// What it is for; null: nothing is said.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, example = "Billing")]
    pub description: Option<Option<String>>,
    /// Which events: one type or more.
    #[schema(value_type = Option<Vec<schema::EventType>>, min_items = 1)]
    pub events: Option<Vec<String>>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

/// How to replace a secret.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RotateWebhookSecret)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateJson {
    /// For how long messages are signed with the old secret too; a day unless told otherwise.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_seconds: Option<u32>,
}

/// A webhook, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookJson {
    #[schema(value_type = schema::WebhookId)]
    id: WebhookId,
    /// Where events are sent.
    #[schema(value_type = String, example = "https://hooks.acme.example/tenantry")]
    url: String,
    /// What it is for.
    #[schema(example = "Billing")]
    description: Option<String>,
    /// Which events.
    #[schema(value_type = Vec<schema::EventType>)]
    events: Vec<&'static str>,
    /// Whether anything is sent.
    enabled: bool,
    /// Since when nothing is sent.
    #[schema(value_type = Option<schema::Moment>)]
    disabled_at: Option<Timestamp>,
    /// Why nothing is sent.
    #[schema(value_type = Option<schema::DisabledReason>)]
    disabled_reason: Option<&'static str>,
    /// Since when no message was taken, where the last one wasn't.
    #[schema(value_type = Option<schema::Moment>)]
    failing_since: Option<Timestamp>,
    /// Until when messages are signed with the former secret too.
    #[schema(value_type = Option<schema::Moment>)]
    former_secret_until: Option<Timestamp>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

/// A webhook and its new secret.
#[derive(Serialize, ToSchema)]
#[schema(as = SecretWebhook)]
pub(super) struct SecretWebhookJson {
    /// By which its messages are verified (Standard Webhooks): keep it, nobody can show it again.
    #[schema(example = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")]
    secret: String,
    #[serde(flatten)]
    webhook: WebhookJson,
}

/// A message to a webhook, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(super) struct DeliveryJson {
    /// The `webhook-id` that it is sent with.
    #[schema(value_type = schema::MessageId)]
    id: MessageId,
    /// What happened: an event's type, or `webhook.test`.
    #[schema(value_type = String, example = "project.activated")]
    event: String,
    #[schema(value_type = schema::MessageState)]
    state: &'static str,
    /// How often it was tried since it was made, or last sent again.
    attempts: u32,
    /// When it was last tried.
    #[schema(value_type = Option<schema::Moment>)]
    last_attempt_at: Option<Timestamp>,
    /// The status that was answered; null where nothing was.
    #[schema(minimum = 100, maximum = 999)]
    response_code: Option<u16>,
    /// How long the last try took.
    duration_ms: Option<u32>,
    /// Why the last try failed; null where none did, and once it is taken.
    error: Option<String>,
    /// When it is tried next; null unless it waits.
    #[schema(value_type = Option<schema::Moment>)]
    next_attempt_at: Option<Timestamp>,
    /// When it was taken or given up.
    #[schema(value_type = Option<schema::Moment>)]
    settled_at: Option<Timestamp>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
}

impl WebhookJson {
    pub(super) fn new(webhook: Webhook, now: Timestamp) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url.as_str().to_owned(),
            description: webhook.description.map(|text| text.to_string()),
            events: webhook.events.iter().map(EventType::as_str).collect(),
            enabled: webhook.disabled.is_none(),
            disabled_at: webhook.disabled.map(|(at, _)| at),
            disabled_reason: webhook.disabled.map(|(_, reason)| reason.as_str()),
            failing_since: webhook.failing_since,
            former_secret_until: webhook.former_secret.map(|(_, until)| until).filter(|&until| now < until),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

impl SecretWebhookJson {
    pub(super) fn new(made: SecretWebhook, now: Timestamp) -> Self {
        Self { secret: made.secret.reveal().to_string(), webhook: WebhookJson::new(made.webhook, now) }
    }
}

impl From<WebhookDelivery> for DeliveryJson {
    fn from(delivery: WebhookDelivery) -> Self {
        let WebhookDelivery { topic, last_call, .. } = &delivery;
        let event = event_of(topic);
        Self {
            id: delivery.id,
            event,
            state: delivery.state.as_str(),
            attempts: delivery.tries,
            last_attempt_at: last_call.map(|call| call.at),
            response_code: last_call.and_then(|call| call.response_code),
            duration_ms: last_call.map(|call| call.duration_ms),
            next_attempt_at: Some(delivery.available_at).filter(|_| delivery.state == MessageState::Waiting),
            settled_at: delivery.settled_at,
            created_at: delivery.created_at,
            error: delivery.last_error.map(|note| note.to_string()),
        }
    }
}

/// What a message says that happened: an event's type, or `webhook.test`.
pub(crate) fn event_of(topic: &str) -> String {
    EventType::ALL.iter().find(|event| event.topic() == topic).map_or(topic, |event| event.as_str()).to_owned()
}

fn parse_url(text: &str, https_only: bool) -> Result<WebhookUrl, InvalidValue> {
    let url = WebhookUrl::parse(text)?;
    if https_only && !url.is_https() {
        return Err(InvalidValue::new("invalid_url", "must be an address of https"));
    }
    Ok(url)
}

/// First all of them, then whether all are good: a client learns of every word that isn't one.
fn parse_events(fields: &mut Fields, words: &[String]) -> Option<EventTypes> {
    let words = words.iter().enumerate();
    let events: Vec<_> = words.map(|(at, word)| fields.take(format!("/events/{at}"), EventType::parse(word))).collect();
    events.into_iter().collect()
}

impl NewWebhookJson {
    pub fn parse(&self, https_only: bool) -> Result<NewWebhook, Problem> {
        let mut fields = Fields::default();
        let url = fields.take("/url", parse_url(&self.url, https_only));
        let description = fields.take_optional("/description", self.description.as_deref().map(WebhookDescription::parse));
        let events = parse_events(&mut fields, &self.events);
        match (url, description, events) {
            (Some(url), Some(description), Some(events)) => Ok(NewWebhook { url, description, events }),
            _ => Err(fields.into_problem()),
        }
    }
}

impl ChangeWebhookJson {
    pub fn parse(&self, https_only: bool) -> Result<WebhookChange, Problem> {
        let mut fields = Fields::default();
        let url = fields.take_optional("/url", self.url.as_deref().map(|text| parse_url(text, https_only)));
        let description = fields.parse_change("/description", self.description.as_ref(), WebhookDescription::parse);
        let events = match &self.events {
            Some(words) => parse_events(&mut fields, words).map(Some),
            None => Some(None),
        };
        match (url, description, events) {
            (Some(url), Some(description), Some(events)) => Ok(WebhookChange { url, description, events, enabled: self.enabled }),
            _ => Err(fields.into_problem()),
        }
    }
}

impl RotateJson {
    pub fn overlap(&self) -> Result<Duration, Problem> {
        let seconds = self.overlap_seconds.unwrap_or(OVERLAP_SECONDS);
        if seconds > LONGEST_OVERLAP_SECONDS {
            let out = InvalidValue::new("out_of_range", format!("must be 0 to {LONGEST_OVERLAP_SECONDS}"));
            return Err(Problem::field("/overlap_seconds", out));
        }
        Ok(Duration::seconds(seconds.into()))
    }
}
