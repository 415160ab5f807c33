//! Webhooks, at both doors: operators' hear of all tenants, a tenant's of that tenant alone.

use actix_web::{
    FromRequest, HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_auth::{NewWebhook, SecretWebhook, create_webhook, rotate_webhook_secret};
use tenantry_domain::{
    Context, EventType, EventTypes, InvalidValue, MessageId, MessageState, Timestamp, Webhook, WebhookChange, WebhookDelivery,
    WebhookDescription, WebhookId, WebhookOwner, WebhookUrl, change_webhook, delete_webhook,
    ports::{Store, WebhookReads as _},
    redeliver_webhook_message, test_webhook,
};
use time::Duration;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    change::present,
    conditional::{IfMatch, IfNoneMatch, etag},
    endpoints::{Answer, State},
    errors::ErrorCode,
    once::KeyedBody,
    operation::{Operation, delete, get, patch, post},
    paging::{List, PageQuery, page_request},
    problem::{Fields, Problem},
    schema,
    state::AppState,
};

/// How long a replaced secret signs too, unless told otherwise, and at the most.
const OVERLAP_SECONDS: u32 = 86_400;
const LONGEST_OVERLAP_SECONDS: u32 = 604_800;

/// Who comes to webhooks: an operator to the operators', a tenant to its own.
pub(crate) trait WebhookCaller<S>: FromRequest<Error = Problem> + 'static {
    /// Whose webhooks these are.
    fn owner(&self) -> WebhookOwner;
    /// What use cases are told of the request.
    fn cx<'a>(&self, state: &'a AppState<S>) -> Context<'a>;
}

/// What differs between the doors: who may look and change, the paths, and what the operations are called.
pub(crate) struct Door {
    pub look: fn(Operation) -> Operation,
    pub change: fn(Operation) -> Operation,
    pub all: &'static str,
    pub one: &'static str,
    pub rotate: &'static str,
    pub test: &'static str,
    pub deliveries: &'static str,
    pub redeliver: &'static str,
    pub names: [&'static str; 9],
    pub hears: &'static str,
}

pub(crate) fn operations<S: Store, W: WebhookCaller<S>>(door: &Door) -> Vec<Operation> {
    let [list_name, create_name, read_name, change_name, delete_name, rotate_name, test_name, deliveries_name, redeliver_name] =
        door.names;
    vec![
        (door.look)(get(door.all, web::to(list::<S, W>)))
            .says(list_name, "All of them, newest first, those that are disabled too; never their secrets.")
            .query::<PageQuery>()
            .answers::<List<WebhookJson>>(StatusCode::OK),
        (door.change)(post(door.all, web::to(create::<S, W>)))
            .says(create_name, door.hears)
            .body::<NewWebhookJson>()
            .answers::<SecretWebhookJson>(StatusCode::CREATED)
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
        (door.look)(get(door.one, web::to(read::<S, W>)))
            .says(read_name, "Without its secret. A webhook that took nothing for five days, or answered 410, is disabled, and says so.")
            .id::<schema::WebhookId>()
            .answers::<WebhookJson>(StatusCode::OK)
            .versioned(),
        (door.change)(patch(door.one, web::to(change::<S, W>)))
            .says(change_name, "Changes the fields that are sent. `enabled: true` also lets a webhook go on that was disabled by the server.")
            .id::<schema::WebhookId>()
            .body::<ChangeWebhookJson>()
            .answers::<WebhookJson>(StatusCode::OK)
            .conditional(),
        (door.change)(delete(door.one, web::to(remove::<S, W>)))
            .says(delete_name, "With all that was to be sent to it or was.")
            .id::<schema::WebhookId>()
            .answers_nothing(),
        (door.change)(post(door.rotate, web::to(rotate::<S, W>)))
            .says(
                rotate_name,
                "Gives it another secret, shown this once. Until the overlap ends, messages are signed with the old one too.",
            )
            .id::<schema::WebhookId>()
            .optional_body::<RotateJson>()
            .answers::<SecretWebhookJson>(StatusCode::OK)
            .idempotent(),
        (door.change)(post(door.test, web::to(test::<S, W>)))
            .says(test_name, "Sends it a message of the type `webhook.test`; what becomes of that is in its deliveries.")
            .id::<schema::WebhookId>()
            .answers::<DeliveryJson>(StatusCode::ACCEPTED)
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
        (door.look)(get(door.deliveries, web::to(deliveries::<S, W>)))
            .says(deliveries_name, "What was sent to it or is to be, newest first, with what came of the last try of each.")
            .id::<schema::WebhookId>()
            .query::<PageQuery>()
            .answers::<List<DeliveryJson>>(StatusCode::OK),
        (door.change)(post(door.redeliver, web::to(redeliver::<S, W>)))
            .says(
                redeliver_name,
                "Sends a message again that was taken or given up, with the same `webhook-id`, as often as a new one would be. While it \
                waits, doing so again changes nothing.",
            )
            .id::<schema::WebhookId>()
            .path_parameter::<schema::MessageId>("delivery")
            .answers::<DeliveryJson>(StatusCode::ACCEPTED)
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
    ]
}

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
struct WebhookJson {
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
struct SecretWebhookJson {
    /// By which its messages are verified (Standard Webhooks): keep it, nobody can show it again.
    #[schema(example = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")]
    secret: String,
    #[serde(flatten)]
    webhook: WebhookJson,
}

/// A message to a webhook, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
struct DeliveryJson {
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
    fn new(webhook: Webhook, now: Timestamp) -> Self {
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
    fn new(made: SecretWebhook, now: Timestamp) -> Self {
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

/// All of an owner's webhooks.
async fn list<S: Store, W: WebhookCaller<S>>(state: State<S>, who: W, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let (now, page) = (state.clock.now(), state.store.reader().webhooks_page(who.owner(), page).await?);
    Ok(HttpResponse::Ok().json(List::new(page, |webhook| webhook.id, |webhook| WebhookJson::new(webhook, now))))
}

/// Makes a webhook, and shows its secret this once.
async fn create<S: Store, W: WebhookCaller<S>>(
    state: State<S>,
    who: W,
    mut body: KeyedBody,
    uri: actix_web::http::Uri,
) -> Answer {
    let new = body.read::<NewWebhookJson>().await?.parse(state.webhooks_https_only)?;
    body.answer_once(&state, who.cx(&state), async |store, cx| {
        let made = create_webhook(store, cx, &state.keys, who.owner(), new).await?;
        let location = format!("{}/{}", uri.path(), made.webhook.id);
        Ok(HttpResponse::Created().insert_header(("location", location)).json(SecretWebhookJson::new(made, cx.now)))
    })
    .await
}

/// One webhook.
async fn read<S: Store, W: WebhookCaller<S>>(state: State<S>, who: W, id: Path<WebhookId>, seen: IfNoneMatch) -> Answer {
    let webhook = state.store.reader().webhook(who.owner(), *id).await?.ok_or_else(Problem::not_found)?;
    Ok(seen.answer(webhook.version(), WebhookJson::new(webhook, state.clock.now())))
}

/// Changes the fields that are sent.
async fn change<S: Store, W: WebhookCaller<S>>(
    state: State<S>,
    who: W,
    id: Path<WebhookId>,
    if_match: IfMatch,
    body: JsonBody,
) -> Answer {
    let expected = if_match.expected()?;
    let change = body.read::<ChangeWebhookJson>().await?.parse(state.webhooks_https_only)?;
    let cx = who.cx(&state);
    let webhook =
        state.again(async || change_webhook(&state.store, &cx, who.owner(), *id, change.clone(), &expected).await).await?;
    Ok(HttpResponse::Ok().insert_header(etag(webhook.version())).json(WebhookJson::new(webhook, cx.now)))
}

/// Deletes a webhook.
async fn remove<S: Store, W: WebhookCaller<S>>(state: State<S>, who: W, id: Path<WebhookId>) -> Answer {
    state.again(async || delete_webhook(&state.store, &who.cx(&state), who.owner(), *id).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Replaces a webhook's secret, and shows the new one this once.
async fn rotate<S: Store, W: WebhookCaller<S>>(state: State<S>, who: W, id: Path<WebhookId>, mut body: KeyedBody) -> Answer {
    let overlap = body.read_or_default::<RotateJson>().await?.overlap()?;
    body.answer_once(&state, who.cx(&state), async |store, cx| {
        let made = rotate_webhook_secret(store, cx, &state.keys, who.owner(), *id, overlap).await?;
        Ok(HttpResponse::Ok().json(SecretWebhookJson::new(made, cx.now)))
    })
    .await
}

/// Sends a webhook a message that means nothing.
async fn test<S: Store, W: WebhookCaller<S>>(state: State<S>, who: W, id: Path<WebhookId>, body: KeyedBody) -> Answer {
    body.answer_once(&state, who.cx(&state), async |store, cx| {
        let delivery = test_webhook(store, cx, who.owner(), *id).await?;
        Ok(HttpResponse::Accepted().json(DeliveryJson::from(delivery)))
    })
    .await
}

/// The log of a webhook.
async fn deliveries<S: Store, W: WebhookCaller<S>>(
    state: State<S>,
    who: W,
    id: Path<WebhookId>,
    query: Query<PageQuery>,
) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let mut reader = state.store.reader();
    reader.webhook(who.owner(), *id).await?.ok_or_else(Problem::not_found)?;
    let page = reader.webhook_deliveries_page(who.owner(), *id, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |delivery| delivery.id, DeliveryJson::from)))
}

/// Sends a message again.
async fn redeliver<S: Store, W: WebhookCaller<S>>(
    state: State<S>,
    who: W,
    path: Path<(WebhookId, MessageId)>,
    body: KeyedBody,
) -> Answer {
    let (id, message) = *path;
    body.answer_once(&state, who.cx(&state), async |store, cx| {
        let delivery = redeliver_webhook_message(store, cx, who.owner(), id, message).await?;
        Ok(HttpResponse::Accepted().json(DeliveryJson::from(delivery)))
    })
    .await
}
