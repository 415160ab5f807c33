//! Webhooks, at both doors: the list of an owner's, and the form that makes one.

mod one;

use actix_web::{HttpRequest, http::StatusCode, web};
use askama::Template;
use tenantry_auth::{SecretWebhook, create_webhook};
use tenantry_domain::{
    DisabledReason, EventType, PageLimit, PageRequest, Scope, Timestamp, Webhook, WebhookId,
    ports::{Store, WebhookReads as _},
};

use super::{
    form::{Choice, Form},
    form_body::FormBody,
    view::{Moment, Shell, Tag, admin_shell, page, tenant_shell},
};
use crate::{
    endpoints::{
        Answer, State,
        webhooks::{NewWebhookJson, WebhookCaller},
    },
    extract::{Operator, TenantSession},
    once::Keyed,
    operation::{Operation, get, post},
    problem::Problem,
};

/// Who comes to webhooks by a browser.
pub(super) trait WebhookReader<S: Store>: WebhookCaller<S> {
    /// Where its webhooks are.
    const HERE: &'static str;
    /// The frame of its pages.
    fn shell(&self, state: &State<S>, asked: &Form) -> Shell;
    /// Whether it may change them.
    fn may_write(&self) -> bool;
}

impl<S: Store> WebhookReader<S> for Operator<S> {
    const HERE: &'static str = "/admin/webhooks";

    fn shell(&self, state: &State<S>, asked: &Form) -> Shell {
        admin_shell(state, self, <Self as WebhookReader<S>>::HERE, asked)
    }

    fn may_write(&self) -> bool {
        self.scopes().has(Scope::WebhooksWrite)
    }
}

impl<S: Store> WebhookReader<S> for TenantSession<S> {
    const HERE: &'static str = "/tenant/webhooks";

    fn shell(&self, state: &State<S>, asked: &Form) -> Shell {
        tenant_shell(state, self, <Self as WebhookReader<S>>::HERE, asked)
    }

    fn may_write(&self) -> bool {
        true
    }
}

/// What differs between the doors: who may look and change, and the paths.
struct Door {
    look: fn(Operation) -> Operation,
    change: fn(Operation) -> Operation,
    all: &'static str,
    new: &'static str,
    one: &'static str,
    enable: &'static str,
    disable: &'static str,
    rotate: &'static str,
    test: &'static str,
    redeliver: &'static str,
    delete: &'static str,
}

macro_rules! door {
    ($home:literal, $look:expr, $change:expr) => {
        Door {
            look: $look,
            change: $change,
            all: concat!($home, "/webhooks"),
            new: concat!($home, "/webhooks/new"),
            one: concat!($home, "/webhooks/{id}"),
            enable: concat!($home, "/webhooks/{id}/enable"),
            disable: concat!($home, "/webhooks/{id}/disable"),
            rotate: concat!($home, "/webhooks/{id}/rotate"),
            test: concat!($home, "/webhooks/{id}/test"),
            redeliver: concat!($home, "/webhooks/{id}/redeliver"),
            delete: concat!($home, "/webhooks/{id}/delete"),
        }
    };
}

/// The operators' pages.
pub(super) fn admin_pages<S: Store>() -> Vec<Operation> {
    let (look, change) = (
        |operation: Operation| operation.scope(Scope::WebhooksRead),
        |operation: Operation| operation.scope(Scope::WebhooksWrite),
    );
    pages::<S, Operator<S>>(&door!("/admin", look, change))
}

/// A tenant's pages.
pub(super) fn tenant_pages<S: Store>() -> Vec<Operation> {
    pages::<S, TenantSession<S>>(&door!("/tenant", Operation::tenant, Operation::tenant))
}

fn pages<S: Store, W: WebhookReader<S>>(door: &Door) -> Vec<Operation> {
    vec![
        (door.look)(get(door.all, web::to(list::<S, W>))),
        (door.change)(get(door.new, web::to(new::<S, W>))),
        (door.change)(post(door.new, web::to(create::<S, W>))),
        (door.look)(get(door.one, web::to(one::show::<S, W>))),
        (door.change)(post(door.one, web::to(one::save::<S, W>))),
        (door.change)(post(door.enable, web::to(one::enable::<S, W>))),
        (door.change)(post(door.disable, web::to(one::disable::<S, W>))),
        (door.change)(post(door.rotate, web::to(one::rotate::<S, W>))),
        (door.change)(post(door.test, web::to(one::test::<S, W>))),
        (door.change)(post(door.redeliver, web::to(one::redeliver::<S, W>))),
        (door.change)(post(door.delete, web::to(one::delete::<S, W>))),
    ]
}

#[derive(Template)]
#[template(path = "console/webhooks/list.html")]
struct WebhooksPage<'a> {
    shell: &'a Shell,
    may_write: bool,
    webhooks: Vec<Row>,
}

/// A webhook, without its secret.
struct Row {
    id: WebhookId,
    url: String,
    name: String,
    state: Tag,
    disabled: Option<(Moment, &'static str)>,
    failing_since: Option<Moment>,
    events: Vec<&'static str>,
    former_secret_until: Option<Moment>,
    created_at: Moment,
    updated_at: Moment,
}

impl Row {
    fn new(webhook: Webhook, now: Timestamp) -> Self {
        let state = match (webhook.disabled, webhook.failing_since) {
            (Some(_), _) => Tag::new("disabled", "bad"),
            (None, Some(_)) => Tag::new("failing", "warn"),
            (None, None) => Tag::new("enabled", "good"),
        };
        let why = |reason| match reason {
            DisabledReason::ByOwner => "It was disabled by hand.",
            DisabledReason::Gone => "It answered 410, which says that nobody is there any more.",
            DisabledReason::Failing => "It took no message for five days.",
        };
        let url = webhook.url.as_str().to_owned();
        Self {
            id: webhook.id,
            name: webhook.description.map_or_else(|| url.clone(), |text| text.to_string()),
            url,
            state,
            disabled: webhook.disabled.map(|(at, reason)| (Moment(at), why(reason))),
            failing_since: webhook.failing_since.map(Moment),
            events: webhook.events.iter().map(EventType::as_str).collect(),
            former_secret_until: webhook.former_secret.map(|(_, until)| until).filter(|&until| now < until).map(Moment),
            created_at: Moment(webhook.created_at),
            updated_at: Moment(webhook.updated_at),
        }
    }
}

#[derive(Template)]
#[template(path = "console/webhooks/new.html")]
struct NewWebhookPage<'a> {
    shell: &'a Shell,
    form: Form,
}

impl NewWebhookPage<'_> {
    fn events() -> Vec<Choice> {
        events()
    }
}

/// What can be heard of.
fn events() -> Vec<Choice> {
    EventType::ALL.iter().map(|event| Choice::new(event.as_str(), event.as_str())).collect()
}

/// A secret, shown this once.
#[derive(Template)]
#[template(path = "console/webhooks/secret.html")]
struct SecretPage<'a> {
    shell: &'a Shell,
    secret: String,
    webhook: Row,
}

impl<'a> SecretPage<'a> {
    fn new(shell: &'a Shell, made: SecretWebhook, now: Timestamp) -> Self {
        Self { shell, secret: made.secret.reveal().to_string(), webhook: Row::new(made.webhook, now) }
    }
}

/// All of an owner's webhooks, newest first: they are few.
async fn list<S: Store, W: WebhookReader<S>>(state: State<S>, who: W, asked: Form) -> Answer {
    let all = PageRequest { limit: PageLimit::default(), after: None, count: false };
    let webhooks = state.store.reader().webhooks_page(who.owner(), all).await?;
    let shell = who.shell(&state, &asked);
    let now = state.clock.now();
    let webhooks = webhooks.items.into_iter().map(|webhook| Row::new(webhook, now)).collect();
    page(&shell, StatusCode::OK, &WebhooksPage { shell: &shell, may_write: who.may_write(), webhooks })
}

async fn new<S: Store, W: WebhookReader<S>>(state: State<S>, who: W, asked: Form) -> Answer {
    let shell = who.shell(&state, &asked);
    page(&shell, StatusCode::OK, &NewWebhookPage { shell: &shell, form: Form::default().keyed(state.entropy.as_ref()) })
}

/// Makes a webhook, and shows its secret this once.
async fn create<S: Store, W: WebhookReader<S>>(state: State<S>, who: W, request: HttpRequest, mut body: FormBody) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let shell = who.shell(&state, &Form::default());
    let created = async {
        let typed = NewWebhookJson {
            url: form.value("url").to_owned(),
            description: form.optional("description").map(str::to_owned),
            events: form.all("events").map(str::to_owned).collect(),
        };
        let new = typed.parse(state.webhooks_https_only)?;
        keyed
            .answer_once(&sent, &state, who.cx(&state), async |store, cx| {
                let made = create_webhook(store, cx, &state.keys, who.owner(), new).await?;
                page(&shell, StatusCode::OK, &SecretPage::new(&shell, made, cx.now))
            })
            .await
    };
    let created: Result<_, Problem> = created.await;
    match created {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let status = problem.code.status();
            page(&shell, status, &NewWebhookPage { shell: &shell, form: form.or("events", "").refused(problem) })
        }
    }
}
