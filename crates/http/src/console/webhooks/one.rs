//! One webhook: what it hears of, its secret, and what was sent to it.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};
use askama::Template;
use tenantry_auth::rotate_webhook_secret;
use tenantry_domain::{
    Expected, MessageId, MessageState, Webhook, WebhookChange, WebhookDelivery, WebhookId, change_webhook, delete_webhook,
    ports::{Store, WebhookReads as _},
    redeliver_webhook_message, test_webhook,
};

use super::{Row, SecretPage, WebhookReader, events};
use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        view::{Moment, Pager, Shell, Tag, asked_page, page, see_other},
    },
    endpoints::{
        Answer, State,
        webhooks::{ChangeWebhookJson, RotateJson, event_of},
    },
    once::Keyed,
    problem::Problem,
};

#[derive(Template)]
#[template(path = "console/webhooks/one.html")]
struct WebhookPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    webhook: Row,
    /// What is typed to delete it.
    host: String,
    deliveries: Vec<DeliveryRow>,
    pager: Pager,
}

impl WebhookPage<'_> {
    fn events() -> Vec<Choice> {
        events()
    }

    fn overlaps() -> Vec<Choice> {
        [("0", "No longer"), ("3600", "One more hour"), ("86400", "One more day"), ("604800", "One more week")]
            .map(|(seconds, label)| Choice::new(seconds, label))
            .into()
    }
}

/// A message to a webhook, and what came of it.
struct DeliveryRow {
    id: MessageId,
    event: String,
    state: Tag,
    tries: u32,
    /// What was answered, and how long that took.
    answered: String,
    why: Option<String>,
    tried_at: Option<Moment>,
    next_try_at: Option<Moment>,
    /// Whether it could be sent again.
    again: bool,
}

impl From<WebhookDelivery> for DeliveryRow {
    fn from(delivery: WebhookDelivery) -> Self {
        let (state, call) = (delivery.state, delivery.last_call);
        let tag = match state {
            MessageState::Waiting => Tag::new("waiting", "warn"),
            MessageState::Sent => Tag::new("taken", "good"),
            MessageState::Dead => Tag::new("given up", "bad"),
            MessageState::Dropped => Tag::new("discarded", ""),
        };
        let answered = call.map(|call| {
            let ms = call.duration_ms;
            call.response_code.map_or_else(|| "no answer".to_owned(), |code| format!("{code} in {ms} ms"))
        });
        Self {
            id: delivery.id,
            event: event_of(&delivery.topic),
            state: tag,
            tries: delivery.tries,
            answered: answered.unwrap_or_default(),
            why: delivery.last_error.map(|note| note.to_string()),
            tried_at: call.map(|call| Moment(call.at)),
            next_try_at: Some(delivery.available_at).filter(|_| state == MessageState::Waiting).map(Moment),
            again: matches!(state, MessageState::Sent | MessageState::Dead),
        }
    }
}

pub(super) async fn show<S: Store, W: WebhookReader<S>>(state: State<S>, who: W, id: Path<WebhookId>, asked: Form) -> Answer {
    answer(&state, &who, *id, &asked, StatusCode::OK, Form::default()).await
}

pub(super) async fn save<S: Store, W: WebhookReader<S>>(state: State<S>, who: W, id: Path<WebhookId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let saved = async {
        let typed = ChangeWebhookJson {
            url: Some(form.value("url").to_owned()),
            description: Some(form.optional("description").map(str::to_owned)),
            events: Some(form.all("events").map(str::to_owned).collect()),
            enabled: None,
        };
        let change = typed.parse(state.webhooks_https_only)?;
        state
            .again(async || {
                change_webhook(&state.store, &who.cx(&state), who.owner(), *id, change.clone(), &form.expected()).await
            })
            .await
    };
    match saved.await {
        Ok(_) => Ok(done::<S, W>(*id, "saved")),
        // An edit that left no box ticked comes back so.
        Err(problem) => refused(&state, &who, *id, form.or("events", ""), problem).await,
    }
}

pub(super) async fn enable<S: Store, W: WebhookReader<S>>(state: State<S>, who: W, id: Path<WebhookId>) -> Answer {
    switch(&state, &who, *id, true, "enabled").await
}

pub(super) async fn disable<S: Store, W: WebhookReader<S>>(state: State<S>, who: W, id: Path<WebhookId>) -> Answer {
    switch(&state, &who, *id, false, "disabled").await
}

async fn switch<S: Store, W: WebhookReader<S>>(state: &State<S>, who: &W, id: WebhookId, enabled: bool, word: &str) -> Answer {
    let change = WebhookChange { enabled: Some(enabled), ..WebhookChange::default() };
    match state
        .again(async || change_webhook(&state.store, &who.cx(state), who.owner(), id, change.clone(), &Expected::Any).await)
        .await
    {
        Ok(_) => Ok(done::<S, W>(id, word)),
        Err(failure) => refused(state, who, id, Form::default(), failure).await,
    }
}

/// Gives it another secret, and shows that this once.
pub(super) async fn rotate<S: Store, W: WebhookReader<S>>(
    state: State<S>,
    who: W,
    id: Path<WebhookId>,
    request: HttpRequest,
    mut body: FormBody,
) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let shell = who.shell(&state, &Form::default());
    let rotated = async {
        let seconds = form.whole("overlap_seconds").map_err(|invalid| Problem::field("/overlap_seconds", invalid))?;
        let overlap = RotateJson { overlap_seconds: Some(seconds.try_into().unwrap_or(u32::MAX)) }.overlap()?;
        keyed
            .answer_once(&sent, &state, who.cx(&state), async |store, cx| {
                let made = rotate_webhook_secret(store, cx, &state.keys, who.owner(), *id, overlap).await?;
                page(&shell, StatusCode::OK, &SecretPage::new(&shell, made, cx.now))
            })
            .await
    };
    match rotated.await {
        Ok(answer) => Ok(answer),
        Err(problem) => refused(&state, &who, *id, form, problem.beside("/overlap_seconds")).await,
    }
}

/// Sends it a message that means nothing.
pub(super) async fn test<S: Store, W: WebhookReader<S>>(
    state: State<S>,
    who: W,
    id: Path<WebhookId>,
    request: HttpRequest,
    mut body: FormBody,
) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let tested = Keyed::of_form(&request, &form)?
        .answer_once(&sent, &state, who.cx(&state), async |store, cx| {
            test_webhook(store, cx, who.owner(), *id).await?;
            Ok(done::<S, W>(*id, "tested"))
        })
        .await;
    match tested {
        Ok(answer) => Ok(answer),
        Err(problem) => refused(&state, &who, *id, form, problem).await,
    }
}

/// Sends a message again. Doing so twice changes nothing while it waits, so the form has no key.
pub(super) async fn redeliver<S: Store, W: WebhookReader<S>>(
    state: State<S>,
    who: W,
    id: Path<WebhookId>,
    body: FormBody,
) -> Answer {
    let form = body.read().await?;
    let message = form.value("message").parse().map_err(|_| Problem::not_found())?;
    match redeliver_webhook_message(&state.store, &who.cx(&state), who.owner(), *id, message).await {
        Ok(_) => Ok(done::<S, W>(*id, "retried")),
        Err(failure) => refused(&state, &who, *id, form, failure.into()).await,
    }
}

/// Deletes the webhook whose host was typed to say that it is meant.
pub(super) async fn delete<S: Store, W: WebhookReader<S>>(
    state: State<S>,
    who: W,
    id: Path<WebhookId>,
    body: FormBody,
) -> Answer {
    let form = body.read().await?;
    let deleted = async {
        let webhook = find(&state, &who, *id).await?;
        form.confirms("confirm", host(webhook.url.as_str()))?;
        state.again(async || delete_webhook(&state.store, &who.cx(&state), who.owner(), *id).await).await
    };
    match deleted.await {
        Ok(()) => Ok(see_other(format!("{}?done=deleted", W::HERE))),
        Err(problem) => refused(&state, &who, *id, form, problem.beside("/confirm")).await,
    }
}

fn done<S: Store, W: WebhookReader<S>>(id: WebhookId, word: &str) -> HttpResponse {
    see_other(format!("{}/{id}?done={word}", W::HERE))
}

/// The host of an address, and its port if it names one.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

async fn find<S: Store, W: WebhookReader<S>>(state: &State<S>, who: &W, id: WebhookId) -> Result<Webhook, Problem> {
    state.store.reader().webhook(who.owner(), id).await?.ok_or_else(Problem::not_found)
}

/// The webhook's page again, with what was sent and why it was refused.
async fn refused<S: Store, W: WebhookReader<S>>(
    state: &State<S>,
    who: &W,
    id: WebhookId,
    form: Form,
    problem: Problem,
) -> Answer {
    let status = problem.code.status();
    answer(state, who, id, &Form::default(), status, form.refused(problem)).await
}

async fn answer<S: Store, W: WebhookReader<S>>(
    state: &State<S>,
    who: &W,
    id: WebhookId,
    asked: &Form,
    status: StatusCode,
    form: Form,
) -> Answer {
    let webhook = find(state, who, id).await?;
    let deliveries = state.store.reader().webhook_deliveries_page(who.owner(), id, asked_page(asked)?).await?;
    let (host, version) = (host(webhook.url.as_str()).to_owned(), webhook.version());
    let description = webhook.description.as_ref().map(ToString::to_string).unwrap_or_default();
    let chosen: Vec<_> = if form.has("events") { Vec::new() } else { webhook.events.iter().collect() };
    let form = form.or("url", webhook.url.as_str()).or("description", description).or("version", version);
    let form = chosen.into_iter().fold(form, |form, event| form.with("events", event.as_str()));
    let shell = who.shell(state, asked);
    let shown = WebhookPage {
        shell: &shell,
        form: form.or("overlap_seconds", 86_400).keyed(state.entropy.as_ref()),
        may_write: who.may_write(),
        webhook: Row::new(webhook, state.clock.now()),
        host,
        pager: Pager::new(&format!("{}/{id}", W::HERE), asked, &[], &deliveries, |delivery| delivery.id),
        deliveries: deliveries.items.into_iter().map(DeliveryRow::from).collect(),
    };
    page(&shell, status, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_what_stands_before_the_path() {
        assert_eq!(host("https://hooks.acme.example/a?b"), "hooks.acme.example");
        assert_eq!(host("http://127.0.0.1:9000"), "127.0.0.1:9000");
        assert_eq!(host("https://x.example?y"), "x.example");
    }
}
