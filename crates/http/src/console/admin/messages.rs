//! Messages to the outside: what waits, what was sent, and what could not be, and why.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    MessageId, MessageRecord, MessageState, Scope, Timestamp, discard_message,
    ports::{OutboxReads as _, Store},
    retry_message,
};

use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        list::{choices, found},
        view::{Moment, Pager, Shell, Tag, admin_shell, asked_page, page, see_other, short},
    },
    endpoints::{Answer, State, admin::messages::message_filter},
    extract::Operator,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/messages";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/messages", web::to(list::<S>)).scope(Scope::MessagesRead),
        get("/admin/messages/{id}", web::to(show::<S>)).scope(Scope::MessagesRead),
        post("/admin/messages/{id}/retry", web::to(retry::<S>)).scope(Scope::MessagesWrite),
        post("/admin/messages/{id}/discard", web::to(discard::<S>)).scope(Scope::MessagesWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/messages.html")]
struct MessagesPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    messages: Vec<Row>,
    pager: Pager,
}

struct Row {
    id: MessageId,
    topic: String,
    state: Tag,
    tries: u32,
    why: Option<String>,
    next_try_at: Option<Moment>,
    not_after: Option<Moment>,
    settled_at: Option<Moment>,
    created_at: Moment,
    dead: bool,
    retryable: bool,
}

impl Row {
    fn new(message: MessageRecord, now: Timestamp) -> Self {
        let tone = match message.state {
            MessageState::Waiting => "warn",
            MessageState::Sent => "good",
            MessageState::Dead => "bad",
            MessageState::Dropped => "",
        };
        let waits = message.state == MessageState::Waiting;
        Self {
            id: message.id,
            state: Tag::new(message.state.as_str(), tone),
            dead: message.state == MessageState::Dead,
            retryable: message.is_retryable(now),
            topic: message.topic,
            tries: message.tries,
            why: message.last_error.map(|note| note.to_string()).filter(|note| !note.is_empty()),
            next_try_at: Some(message.available_at).filter(|_| waits).map(Moment),
            not_after: message.not_after.map(Moment),
            settled_at: message.settled_at.map(Moment),
            created_at: Moment(message.created_at),
        }
    }
}

impl Row {
    fn short(&self) -> String {
        short(&self.id.to_string())
    }
}

impl MessagesPage<'_> {
    fn states(&self) -> Vec<Choice> {
        let words = MessageState::ALL.into_iter().map(|state| Choice::word(state.as_str()));
        choices("All", words, self.form.value("state"))
    }

    fn is_filtered(&self) -> bool {
        self.form.optional("state").is_some() || self.form.optional("topic").is_some()
    }
}

#[derive(Template)]
#[template(path = "console/admin/message.html")]
struct MessagePage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    may_audit: bool,
    message: Row,
}

/// Messages of all states, or of one, newest first.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let wanted = asked_page(&asked)?;
    let messages = async {
        let filter = message_filter(asked.optional("state"), asked.optional("topic"))?;
        Ok::<_, Problem>(state.store.reader().messages_page(&filter, wanted).await?)
    };
    let messages = messages.await;
    let (status, form, messages) = found(asked, messages)?;
    let shell = admin_shell(&state, &who, HERE, &form);
    let pager = Pager::new(HERE, &form, &["state", "topic"], &messages, |message| message.id);
    let (now, may_write) = (state.clock.now(), who.scopes().has(Scope::MessagesWrite));
    let messages = messages.items.into_iter().map(|message| Row::new(message, now)).collect();
    page(&shell, status, &MessagesPage { shell: &shell, form, may_write, messages, pager })
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<MessageId>, asked: Form) -> Answer {
    answer(&state, &who, *id, &asked, StatusCode::OK, Form::default()).await
}

async fn retry<S: Store>(state: State<S>, who: Operator<S>, id: Path<MessageId>) -> Answer {
    match state.again(async || retry_message(&state.store, &who.context(&state), *id).await).await {
        Ok(_) => {
            (state.mail_waiting)();
            Ok(see_other(format!("{HERE}/{id}?done=retried")))
        }
        Err(failure) => refused(&state, &who, *id, Form::default(), failure).await,
    }
}

/// Discards the message of whose identifier the end was typed to say that it is meant.
async fn discard<S: Store>(state: State<S>, who: Operator<S>, id: Path<MessageId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let discarded = async {
        form.confirms("confirm", end(&id.to_string()))?;
        state.again(async || discard_message(&state.store, &who.context(&state), *id).await).await
    };
    match discarded.await {
        Ok(_) => Ok(see_other(format!("{HERE}/{id}?done=discarded"))),
        Err(problem) => refused(&state, &who, *id, form, problem).await,
    }
}

/// The end of an identifier, by which lists tell it from its neighbours.
fn end(id: &str) -> &str {
    id.len().checked_sub(6).and_then(|start| id.get(start..)).unwrap_or(id)
}

/// The message's page, with why nothing came of it.
async fn refused<S: Store>(state: &State<S>, who: &Operator<S>, id: MessageId, form: Form, problem: Problem) -> Answer {
    let status = problem.code.status();
    answer(state, who, id, &Form::default(), status, form.refused(problem)).await
}

async fn answer<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    id: MessageId,
    asked: &Form,
    status: StatusCode,
    form: Form,
) -> Answer {
    let message = state.store.reader().message(id).await?.ok_or_else(Problem::not_found)?;
    let (shell, now) = (admin_shell(state, who, HERE, asked), state.clock.now());
    let (may_write, may_audit) = (who.scopes().has(Scope::MessagesWrite), who.scopes().has(Scope::AuditRead));
    page(&shell, status, &MessagePage { shell: &shell, form, may_write, may_audit, message: Row::new(message, now) })
}
