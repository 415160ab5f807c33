//! Messages to the outside: what waits, what was sent, and what could not be.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    InvalidValue, MessageId, MessageRecord, MessageState, Scope, Timestamp, discard_message,
    ports::{MessageFilter, OutboxReads as _, Store},
    retry_message,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Operator,
    operation::{Operation, get, post},
    paging::{List, page_request},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/messages", web::to(list::<S>))
            .scope(Scope::MessagesRead)
            .says("List messages", "What is to be sent or was, newest first; never what a message says, nor to whom.")
            .query::<MessagesQuery>()
            .answers::<List<MessageJson>>(StatusCode::OK),
        get("/api/admin/messages/{id}", web::to(read::<S>))
            .scope(Scope::MessagesRead)
            .says("Read a message", "Where it stands; never what it says, nor to whom.")
            .id::<schema::MessageId>()
            .answers::<MessageJson>(StatusCode::OK),
        post("/api/admin/messages/{id}/retry", web::to(retry::<S>))
            .scope(Scope::MessagesWrite)
            .says(
                "Retry a message",
                "Puts a dead message back: it is due at once, and its tries start anew. While it waits, doing so again changes nothing.",
            )
            .id::<schema::MessageId>()
            .answers::<MessageJson>(StatusCode::OK)
            .refuses(&[ErrorCode::Conflict]),
        post("/api/admin/messages/{id}/discard", web::to(discard::<S>))
            .scope(Scope::MessagesWrite)
            .says("Discard a message", "Wipes a dead message, which is then never sent. Doing so again changes nothing.")
            .id::<schema::MessageId>()
            .answers::<MessageJson>(StatusCode::OK)
            .refuses(&[ErrorCode::Conflict]),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct MessagesQuery {
    /// Those that stand so.
    #[param(value_type = Option<schema::MessageState>)]
    state: Option<String>,
    /// Those of this topic, to the letter.
    #[param(min_length = 1, max_length = 100, example = "mail.otp")]
    topic: Option<String>,
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    count: Option<bool>,
}

/// A message, without what it says and to whom.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
struct MessageJson {
    #[schema(value_type = schema::MessageId)]
    id: MessageId,
    /// What kind of message.
    #[schema(example = "mail.otp")]
    topic: String,
    #[schema(value_type = schema::MessageState)]
    state: &'static str,
    /// How often it was tried since it was made, or last put back.
    attempts: u32,
    /// Why the last try failed, without addresses; null where none did, and once it is sent.
    last_error: Option<String>,
    /// When it is tried next; null unless it waits.
    #[schema(value_type = Option<schema::Moment>)]
    next_attempt_at: Option<Timestamp>,
    /// Of no use from then on; null: it doesn't expire.
    #[schema(value_type = Option<schema::Moment>)]
    not_after: Option<Timestamp>,
    /// Whether `retry` would put it back.
    retryable: bool,
    /// When it was sent, dropped or given up.
    #[schema(value_type = Option<schema::Moment>)]
    settled_at: Option<Timestamp>,
    /// The request that caused it, as `X-Request-Id` said.
    #[schema(example = "req_018bcfe568007000800000000000000a")]
    request_id: Option<String>,
    /// In which trace.
    #[schema(value_type = Option<schema::TraceId>)]
    trace_id: Option<String>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
}

impl MessageJson {
    fn new(message: MessageRecord, now: Timestamp) -> Self {
        Self {
            id: message.id,
            retryable: message.is_retryable(now),
            topic: message.topic,
            state: message.state.as_str(),
            attempts: message.tries,
            last_error: message.last_error.map(|note| note.to_string()),
            next_attempt_at: Some(message.available_at).filter(|_| message.state == MessageState::Waiting),
            not_after: message.not_after,
            settled_at: message.settled_at,
            request_id: message.cause.request_id,
            trace_id: message.cause.trace_id.map(|trace| trace.to_string()),
            created_at: message.created_at,
        }
    }
}

/// The filter that a query's `state` and `topic` make.
pub(crate) fn message_filter(state: Option<&str>, topic: Option<&str>) -> Result<MessageFilter, Problem> {
    let mut fields = Fields::default();
    let state = fields.take_optional("?state", state.map(MessageState::parse));
    let topic = fields.take_optional("?topic", topic.map(parse_topic));
    match (state, topic) {
        (Some(state), Some(topic)) => Ok(MessageFilter { state, topic }),
        _ => Err(fields.into_problem()),
    }
}

/// What a topic can be: nothing that a database would refuse to be asked for.
fn parse_topic(text: &str) -> Result<String, InvalidValue> {
    let plain = (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let invalid = || InvalidValue::new("invalid_topic", "must be a topic such as `mail.otp`");
    plain.then(|| text.to_owned()).ok_or_else(invalid)
}

/// Messages of all states, or of one.
async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<MessagesQuery>) -> Answer {
    let filter = message_filter(query.state.as_deref(), query.topic.as_deref())?;
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let (now, page) = (state.clock.now(), state.store.reader().messages_page(&filter, page).await?);
    Ok(HttpResponse::Ok().json(List::new(page, |message| message.id, |message| MessageJson::new(message, now))))
}

/// One message.
async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<MessageId>) -> Answer {
    let message = state.store.reader().message(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(MessageJson::new(message, state.clock.now())))
}

/// Puts a dead message back.
async fn retry<S: Store>(state: State<S>, who: Operator<S>, id: Path<MessageId>) -> Answer {
    let cx = who.context(&state);
    let message = state.again(async || retry_message(&state.store, &cx, *id).await).await?;
    (state.mail_waiting)();
    Ok(HttpResponse::Ok().json(MessageJson::new(message, cx.now)))
}

/// Wipes a dead message.
async fn discard<S: Store>(state: State<S>, who: Operator<S>, id: Path<MessageId>) -> Answer {
    let cx = who.context(&state);
    let message = state.again(async || discard_message(&state.store, &cx, *id).await).await?;
    Ok(HttpResponse::Ok().json(MessageJson::new(message, cx.now)))
}
