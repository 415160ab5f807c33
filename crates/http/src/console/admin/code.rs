//! One code: where it stands, all that happened to it, and what can be done with it.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    AuditEvent, Code, CodeEnd, CodeId, CodeStatus, InvalidValue, Page, PageLimit, PageRequest, Scope, Timestamp, expire_code,
    ports::{AuditReads as _, CodeReads as _, Store},
    reissue_code, revoke_code,
};
use time::Duration;

use super::{
    lookup::{Owner, owner},
    reveal::{Codes, Next, RevealPage, Texts},
    told,
};
use crate::{
    console::{
        events::EventRow,
        form::Form,
        form_body::FormBody,
        view::{Moment, Pager, Shell, Tag, admin_shell, page, see_other},
    },
    endpoints::{Answer, State},
    extract::Operator,
    once::Keyed,
    operation::{Operation, get, post},
    paging::page_request,
    problem::Problem,
    state::AppState,
};

const HERE: &str = "/admin/codes";

/// How many events a page of a timeline has.
const EVENTS: u16 = 50;

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/codes/{id}", web::to(show::<S>)).scope(Scope::CodesRead),
        post("/admin/codes/{id}/revoke", web::to(revoke::<S>)).scope(Scope::CodesWrite),
        post("/admin/codes/{id}/expire", web::to(expire::<S>)).scope(Scope::CodesWrite),
        post("/admin/codes/{id}/reissue", web::to(reissue::<S>)).scope(Scope::CodesWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/code.html")]
struct CodePage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    code: Shown,
    events: Vec<EventRow>,
    pager: Pager,
}

/// A code, as its page and its verdict show it.
pub(super) struct Shown {
    pub id: CodeId,
    pub hint: String,
    pub tag: Tag,
    pub owner: Owner,
    pub batch: String,
    pub label: String,
    pub uses: String,
    pub usable: bool,
    pub revoked: bool,
    pub expires_at: Option<Moment>,
    pub used_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
    pub created_at: Moment,
}

impl Shown {
    /// The code as it is at the moment.
    pub async fn of<S: Store>(state: &AppState<S>, who: &Operator<S>, code: Code) -> Result<Self, Problem> {
        let status = code.status(state.clock.now());
        Ok(Self {
            id: code.id,
            tag: Tag::code(status),
            owner: owner(state, who, code.tenant_id).await?,
            batch: code.batch_id.to_string(),
            uses: format!("{} of {}", code.use_count, code.max_uses),
            usable: status == CodeStatus::Active,
            revoked: status == CodeStatus::Revoked,
            hint: code.hint,
            label: code.label.map(|label| label.to_string()).unwrap_or_default(),
            expires_at: code.expires_at.map(Moment),
            used_at: code.used_at.map(Moment),
            revoked_at: code.revoked_at.map(Moment),
            created_at: Moment(code.created_at),
        })
    }
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<CodeId>, asked: Form) -> Answer {
    let code = find(&state, *id).await?;
    answer(&state, &who, &asked, StatusCode::OK, code, Form::default()).await
}

/// Revokes the code whose last group was typed to say that it is meant.
async fn revoke<S: Store>(state: State<S>, who: Operator<S>, id: Path<CodeId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let code = find(&state, *id).await?;
    let revoked = async {
        form.confirms("confirm", &code.hint)?;
        state.again(async || revoke_code(&state.store, &who.context(&state), *id).await).await
    };
    match revoked.await {
        Ok(_) => Ok(see_other(format!("{HERE}/{id}?done=revoked"))),
        Err(problem) => answer(&state, &who, &Form::default(), problem.code.status(), code, form.refused(problem)).await,
    }
}

/// The end that a form asks for: now, the end of a day in UTC, or, without one, never.
fn end(form: &Form) -> Result<CodeEnd, Problem> {
    if form.ticked("now") {
        return Ok(CodeEnd::Now);
    }
    let Some(day) = form.optional("expires_at") else { return Ok(CodeEnd::Never) };
    let morning = format!("{day}T00:00:00Z").parse::<Timestamp>();
    let morning = morning.map_err(|invalid| match invalid.code {
        "out_of_range" => Problem::field("/expires_at", invalid),
        _ => Problem::field("/expires_at", InvalidValue::new("invalid_day", "must be a day")),
    })?;
    Ok(CodeEnd::At(morning.day().next().start()))
}

/// Moves the code's end.
async fn expire<S: Store>(state: State<S>, who: Operator<S>, id: Path<CodeId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let moved = async {
        let end = end(&form)?;
        state.again(async || expire_code(&state.store, &who.context(&state), *id, end).await).await
    };
    match moved.await {
        Ok(_) => Ok(see_other(format!("{HERE}/{id}?done=moved"))),
        Err(mut problem) => {
            for passed in problem.fields.iter_mut().filter(|field| field.code == "has_passed") {
                passed.detail = "is over; to end the code at once there is a button of its own".to_owned();
            }
            let (code, status) = (find(&state, *id).await?, problem.code.status());
            answer(&state, &who, &Form::default(), status, code, form.refused(problem.beside("/expires_at"))).await
        }
    }
}

/// Gives the code a new text, and shows it this once.
async fn reissue<S: Store>(
    state: State<S>,
    who: Operator<S>,
    id: Path<CodeId>,
    request: HttpRequest,
    mut body: FormBody,
) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let reissued = keyed.answer_once(&sent, &state, who.context(&state), async |store, cx| {
        let reissued = reissue_code(store, cx, state.keys.as_ref(), *id).await?;
        let shell = admin_shell(&state, &who, HERE, &Form::default());
        let shown = RevealPage {
            shell: &shell,
            title: "The code has a new text".to_owned(),
            trail: Next::new("Codes", HERE),
            failed: None,
            texts: Some(Texts::from(Codes::one(reissued))),
            sign_in: None,
            next: Next::new("To the code", format!("{HERE}/{id}")),
        };
        page(&shell, StatusCode::OK, &shown)
    });
    match reissued.await {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let (code, status) = (find(&state, *id).await?, problem.code.status());
            answer(&state, &who, &Form::default(), status, code, form.refused(problem)).await
        }
    }
}

async fn find<S: Store>(state: &State<S>, id: CodeId) -> Result<Code, Problem> {
    state.store.reader().code_of_anyone(id).await?.ok_or_else(Problem::not_found)
}

/// A page of what happened to a code, oldest first.
pub(super) async fn timeline<S: Store>(
    state: &AppState<S>,
    code: &Code,
    after: Option<&str>,
) -> Result<Page<AuditEvent>, Problem> {
    let request: PageRequest<AuditEvent> = page_request(Some(EVENTS.min(PageLimit::MAX)), after, None)?;
    Ok(state.store.reader().code_timeline(code.id, Some(code.batch_id), request).await?)
}

async fn answer<S: Store>(
    state: &State<S>,
    who: &Operator<S>,
    asked: &Form,
    status: StatusCode,
    code: Code,
    form: Form,
) -> Answer {
    let events = timeline(state, &code, asked.optional("cursor")).await?;
    let last_day = code.expires_at.map(|end| (end - Duration::MICROSECOND).day().to_string()).unwrap_or_default();
    let shell = admin_shell(state, who, HERE, asked);
    let shown = CodePage {
        shell: &shell,
        form: form.or("expires_at", last_day).keyed(state.entropy.as_ref()),
        may_write: who.scopes().has(Scope::CodesWrite),
        pager: Pager::new(&format!("{HERE}/{}", code.id), asked, &[], &events, |event| event.id),
        events: told(state, who, &code.id.to_string(), events.items).await?,
        code: Shown::of(state, who, code).await?,
    };
    page(&shell, status, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_ends_with_the_day_that_is_named() {
        let end = |sent: &[u8]| end(&Form::parse(sent));
        assert_eq!(end(b"expires_at=2026-12-31").ok(), "2027-01-01T00:00:00Z".parse().ok().map(CodeEnd::At));
        assert_eq!((end(b"expires_at=").ok(), end(b"now=on&expires_at=x").ok()), (Some(CodeEnd::Never), Some(CodeEnd::Now)));
        assert!(end(b"expires_at=2026-02-30").is_err());
    }
}
