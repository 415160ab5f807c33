//! Webhooks, at both doors: operators' hear of all tenants, a tenant's of that tenant alone.

mod json;

use actix_web::{
    FromRequest, HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use tenantry_auth::{create_webhook, rotate_webhook_secret};
use tenantry_domain::{
    Context, MessageId, WebhookId, WebhookOwner, change_webhook, delete_webhook,
    ports::{Store, WebhookReads as _},
    redeliver_webhook_message, test_webhook,
};

pub(crate) use self::json::{ChangeWebhookJson, NewWebhookJson, RotateJson, event_of};
use self::json::{DeliveryJson, SecretWebhookJson, WebhookJson};
use crate::{
    body::JsonBody,
    conditional::{IfMatch, IfNoneMatch, etag},
    endpoints::{Answer, State},
    errors::ErrorCode,
    once::KeyedBody,
    operation::{Operation, delete, get, patch, post},
    paging::{List, PageQuery, page_request},
    problem::Problem,
    schema,
    state::AppState,
};

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
