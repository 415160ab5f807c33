//! API keys.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_auth::{NewApiKey, create_api_key, revoke_api_key};
use tenantry_domain::{
    ApiKey, ApiKeyId, ApiKeyName, InvalidValue, OperatorId, Scope, Scopes, Timestamp,
    ports::{ApiKeyReads as _, Store},
};
use time::Duration;
use utoipa::ToSchema;

use crate::{
    endpoints::{Answer, State},
    extract::Operator,
    once::KeyedBody,
    operation::{Operation, delete, get, post},
    paging::{List, PageQuery, page_request},
    problem::{Fields, Problem},
    schema,
};

/// A hundred years.
const LONGEST_SECONDS: i64 = 3_155_760_000;

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/api-keys", web::to(list::<S>))
            .scope(Scope::ApiKeysRead)
            .says("List API keys", "All API keys, newest first, those that are expired or revoked too; never their texts.")
            .query::<PageQuery>()
            .answers::<List<ApiKeyJson>>(StatusCode::OK),
        post("/api/admin/api-keys", web::to(create::<S>))
            .scope(Scope::ApiKeysWrite)
            .says("Make an API key", "Its text is shown this once. A scope that the caller doesn't have itself is refused.")
            .body::<NewApiKeyJson>()
            .answers::<CreatedApiKeyJson<'_>>(StatusCode::CREATED)
            .idempotent(),
        get("/api/admin/api-keys/{id}", web::to(read::<S>))
            .scope(Scope::ApiKeysRead)
            .says("Read an API key", "Without its text.")
            .id::<schema::ApiKeyId>()
            .answers::<ApiKeyJson>(StatusCode::OK),
        delete("/api/admin/api-keys/{id}", web::to(revoke::<S>))
            .scope(Scope::ApiKeysWrite)
            .says("Revoke an API key", "It is worth nothing from the next request on. Doing so again changes nothing.")
            .id::<schema::ApiKeyId>()
            .answers_nothing(),
    ]
}

/// An API key to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewApiKey)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKeyJson {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, example = "Deployment")]
    pub name: String,
    /// What it may do: one scope or more.
    #[schema(value_type = Vec<schema::Scope>, min_items = 1)]
    pub scopes: Vec<String>,
    /// Valid until then, exclusive; in the future. Not together with `ttl_seconds`.
    #[schema(value_type = Option<schema::Moment>)]
    pub expires_at: Option<Timestamp>,
    /// How long it is valid. Absent, and no `expires_at`: until it is revoked.
    #[schema(minimum = 1, maximum = 3_155_760_000_u64)]
    pub ttl_seconds: Option<i64>,
}

/// An API key, without its text.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct ApiKeyJson {
    #[schema(value_type = schema::ApiKeyId)]
    id: ApiKeyId,
    /// What it is for.
    #[schema(value_type = String, example = "Deployment")]
    name: ApiKeyName,
    /// What it may do.
    #[schema(value_type = Vec<schema::Scope>)]
    scopes: Vec<&'static str>,
    /// Valid until then, exclusive; null: until it is revoked.
    #[schema(value_type = Option<schema::Moment>)]
    expires_at: Option<Timestamp>,
    /// When it was last used; written at most once a minute.
    #[schema(value_type = Option<schema::Moment>)]
    last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<schema::Moment>)]
    revoked_at: Option<Timestamp>,
    /// The operator that made it, also once that is removed; null: another key made it.
    #[schema(value_type = Option<schema::OperatorId>)]
    created_by: Option<OperatorId>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
}

/// An API key that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedApiKey)]
struct CreatedApiKeyJson<'a> {
    /// Its text, which goes into `Authorization: Bearer ..`: keep it, nobody can show it again.
    #[schema(value_type = String)]
    api_key: &'a str,
    #[serde(flatten)]
    key: ApiKeyJson,
}

impl From<ApiKey> for ApiKeyJson {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes.iter().map(Scope::as_str).collect(),
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            created_by: key.created_by,
            created_at: key.created_at,
        }
    }
}

impl NewApiKeyJson {
    pub fn parse(&self, now: Timestamp) -> Result<NewApiKey, Problem> {
        let mut fields = Fields::default();
        let name = fields.take("/name", ApiKeyName::parse(&self.name));
        // First all of them, then whether all are good: a client learns of every word that isn't one.
        let words = self.scopes.iter().enumerate();
        let scopes: Vec<_> = words.map(|(at, word)| fields.take(format!("/scopes/{at}"), word.parse())).collect();
        let scopes: Option<Scopes> = scopes.into_iter().collect();
        let expires_at = match (self.expires_at, self.ttl_seconds) {
            (Some(_), Some(_)) => Err(InvalidValue::new("ambiguous", "give `expires_at` or `ttl_seconds`, not both")),
            (None, Some(seconds)) if !(1..=LONGEST_SECONDS).contains(&seconds) => Err(InvalidValue::new(
                "out_of_range",
                format!("must be 1 to {LONGEST_SECONDS}, or absent for a key that doesn't expire"),
            )),
            (None, Some(seconds)) => Ok(Some(now + Duration::seconds(seconds))),
            (expires_at, None) => Ok(expires_at),
        };
        let expires_at = fields.take("/ttl_seconds", expires_at);
        match (name, scopes, expires_at) {
            (Some(name), Some(scopes), Some(expires_at)) => Ok(NewApiKey { name, scopes, expires_at }),
            _ => Err(fields.into_problem()),
        }
    }
}

/// All API keys.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().api_keys_page(page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |key| key.id, ApiKeyJson::from)))
}

/// Makes an API key, and shows its text this once.
pub(crate) async fn create<S: Store>(state: State<S>, who: Operator<S>, mut body: KeyedBody) -> Answer {
    let cx = who.context(&state);
    let new = body.read::<NewApiKeyJson>().await?.parse(cx.now)?;
    body.answer_once(&state, cx, async |store, cx| {
        let made = create_api_key(store, cx, &state.keys, who.scopes(), new).await?;
        let location = format!("/api/admin/api-keys/{}", made.key.id);
        let shown = CreatedApiKeyJson { api_key: made.token.reveal(), key: made.key.into() };
        Ok(HttpResponse::Created().insert_header(("location", location)).json(shown))
    })
    .await
}

/// One API key.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<ApiKeyId>) -> Answer {
    let key = state.store.reader().api_key(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(ApiKeyJson::from(key)))
}

/// Revokes an API key.
pub(crate) async fn revoke<S: Store>(state: State<S>, who: Operator<S>, id: Path<ApiKeyId>) -> Answer {
    state.again(async || revoke_api_key(&state.store, &who.context(&state), *id).await).await?;
    Ok(HttpResponse::NoContent().finish())
}
