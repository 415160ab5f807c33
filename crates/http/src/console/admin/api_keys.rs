//! API keys: by which programs run the portal.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_auth::{create_api_key, revoke_api_key};
use tenantry_domain::{
    ApiKey, ApiKeyId, Scope, Scopes, Timestamp,
    ports::{ApiKeyReads as _, Store},
};

use crate::{
    console::{
        form::{Choice, Form},
        form_body::FormBody,
        view::{Moment, Pager, Shell, Tag, admin_shell, asked_page, page, see_other},
    },
    endpoints::{Answer, State, admin::api_keys::NewApiKeyJson},
    extract::Operator,
    once::Keyed,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/api-keys";

const DAY: u32 = 86_400;

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/api-keys", web::to(list::<S>)).scope(Scope::ApiKeysRead),
        get("/admin/api-keys/new", web::to(new::<S>)).scope(Scope::ApiKeysWrite),
        post("/admin/api-keys/new", web::to(create::<S>)).scope(Scope::ApiKeysWrite),
        get("/admin/api-keys/{id}", web::to(show::<S>)).scope(Scope::ApiKeysRead),
        post("/admin/api-keys/{id}/revoke", web::to(revoke::<S>)).scope(Scope::ApiKeysWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/api_keys.html")]
struct ApiKeysPage<'a> {
    shell: &'a Shell,
    may_write: bool,
    keys: Vec<Row>,
    pager: Pager,
}

struct Row {
    id: ApiKeyId,
    name: String,
    state: Tag,
    revoked: bool,
    scopes: Vec<&'static str>,
    expires_at: Option<Moment>,
    last_used_at: Option<Moment>,
    revoked_at: Option<Moment>,
    created_by: Option<String>,
    created_at: Moment,
}

impl Row {
    fn new(key: &ApiKey, now: Timestamp) -> Self {
        let state = match (key.revoked_at, key.is_live(now)) {
            (Some(_), _) => Tag::new("revoked", "bad"),
            (None, true) => Tag::new("live", "good"),
            (None, false) => Tag::new("expired", "warn"),
        };
        Self {
            id: key.id,
            name: key.name.to_string(),
            state,
            revoked: key.revoked_at.is_some(),
            scopes: key.scopes.iter().map(Scope::as_str).collect(),
            expires_at: key.expires_at.map(Moment),
            last_used_at: key.last_used_at.map(Moment),
            revoked_at: key.revoked_at.map(Moment),
            created_by: key.created_by.map(|operator| operator.to_string()),
            created_at: Moment(key.created_at),
        }
    }
}

#[derive(Template)]
#[template(path = "console/admin/api_key_new.html")]
struct NewApiKeyPage<'a> {
    shell: &'a Shell,
    form: Form,
    /// What the caller may do, and so hand on.
    scopes: Scopes,
}

impl NewApiKeyPage<'_> {
    fn scopes(&self) -> Vec<Choice> {
        self.scopes.iter().map(|scope| Choice::new(scope.as_str(), scope.as_str())).collect()
    }

    fn lives() -> Vec<Choice> {
        let days = |days: u32, label: &str| Choice::new((days * DAY).to_string(), label);
        vec![
            days(7, "A week"),
            days(30, "30 days"),
            days(90, "90 days"),
            days(365, "A year"),
            Choice::new("", "Until it is revoked"),
        ]
    }
}

#[derive(Template)]
#[template(path = "console/admin/api_key_made.html")]
struct MadeApiKeyPage<'a> {
    shell: &'a Shell,
    text: &'a str,
    key: Row,
}

#[derive(Template)]
#[template(path = "console/admin/api_key.html")]
struct ApiKeyPage<'a> {
    shell: &'a Shell,
    form: Form,
    may_write: bool,
    may_audit: bool,
    key: Row,
}

/// All API keys, newest first, those that are of no use any more too.
async fn list<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let keys = state.store.reader().api_keys_page(asked_page(&asked)?).await?;
    let shell = admin_shell(&state, &who, HERE, &asked);
    let pager = Pager::new(HERE, &asked, &[], &keys, |key| key.id);
    let (now, may_write) = (state.clock.now(), who.scopes().has(Scope::ApiKeysWrite));
    let keys = keys.items.iter().map(|key| Row::new(key, now)).collect();
    page(&shell, StatusCode::OK, &ApiKeysPage { shell: &shell, may_write, keys, pager })
}

async fn new<S: Store>(state: State<S>, who: Operator<S>, asked: Form) -> Answer {
    let shell = admin_shell(&state, &who, HERE, &asked);
    let form = Form::default().with("ttl_seconds", 90 * DAY).keyed(state.entropy.as_ref());
    page(&shell, StatusCode::OK, &NewApiKeyPage { shell: &shell, form, scopes: who.scopes() })
}

/// Makes a key, and shows its text this once.
async fn create<S: Store>(state: State<S>, who: Operator<S>, request: HttpRequest, mut body: FormBody) -> Answer {
    let sent = body.receive().await?;
    let form = Form::parse(&sent);
    let keyed = Keyed::of_form(&request, &form)?;
    let shell = admin_shell(&state, &who, HERE, &Form::default());
    let created = async {
        let cx = who.context(&state);
        let ttl_seconds = form.optional("ttl_seconds").map(|_| form.whole("ttl_seconds")).transpose();
        let ttl_seconds = ttl_seconds.map_err(|invalid| Problem::field("/ttl_seconds", invalid))?;
        let scopes = form.all("scopes").map(str::to_owned).collect();
        let new = NewApiKeyJson { name: form.value("name").to_owned(), scopes, expires_at: None, ttl_seconds }.parse(cx.now)?;
        keyed
            .answer_once(&sent, &state, cx, async |store, cx| {
                let made = create_api_key(store, cx, &state.keys, who.scopes(), new).await?;
                let key = Row::new(&made.key, cx.now);
                page(&shell, StatusCode::OK, &MadeApiKeyPage { shell: &shell, text: made.token.reveal(), key })
            })
            .await
    };
    match created.await {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            // A form with no box ticked doesn't name them: their field says what is wrong with that.
            let (status, scopes) = (problem.code.status(), who.scopes());
            page(&shell, status, &NewApiKeyPage { shell: &shell, form: form.or("scopes", "").refused(problem), scopes })
        }
    }
}

async fn show<S: Store>(state: State<S>, who: Operator<S>, id: Path<ApiKeyId>, asked: Form) -> Answer {
    let key = find(&state, *id).await?;
    answer(&state, &who, &asked, StatusCode::OK, &key, Form::default())
}

/// Revokes the key whose name was typed to say that it is meant.
async fn revoke<S: Store>(state: State<S>, who: Operator<S>, id: Path<ApiKeyId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let key = find(&state, *id).await?;
    let revoked = async {
        form.confirms("confirm", key.name.as_str())?;
        state.again(async || revoke_api_key(&state.store, &who.context(&state), *id).await).await
    };
    match revoked.await {
        Ok(()) => Ok(see_other(format!("{HERE}/{id}?done=revoked"))),
        Err(problem) => {
            let status = problem.code.status();
            answer(&state, &who, &Form::default(), status, &key, form.refused(problem))
        }
    }
}

async fn find<S: Store>(state: &State<S>, id: ApiKeyId) -> Result<ApiKey, Problem> {
    state.store.reader().api_key(id).await?.ok_or_else(Problem::not_found)
}

fn answer<S: Store>(state: &State<S>, who: &Operator<S>, asked: &Form, status: StatusCode, key: &ApiKey, form: Form) -> Answer {
    let shell = admin_shell(state, who, HERE, asked);
    let shown = ApiKeyPage {
        shell: &shell,
        form,
        may_write: who.scopes().has(Scope::ApiKeysWrite),
        may_audit: who.scopes().has(Scope::AuditRead),
        key: Row::new(key, state.clock.now()),
    };
    page(&shell, status, &shown)
}
