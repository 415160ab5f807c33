//! The codes that there are, and what becomes of them: never their texts, but for a new one that is shown once.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Deserializer, Serialize};
use tenantry_domain::{
    AuditEvent, AuditEventId, BatchId, Code, CodeEnd, CodeId, Label, Scope, TenantId, Timestamp, expire_code,
    ports::{AuditReads as _, CodeFilter, CodeReads as _, Store},
    reissue_code, revoke_code,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::{Answer, State, events::ActorJson, tenant::codes::code_filter},
    errors::ErrorCode,
    extract::Operator,
    once::KeyedBody,
    operation::{Operation, get, post},
    paging::{List, PageQuery, page_request},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/codes", web::to(list::<S>))
            .scope(Scope::CodesRead)
            .says("List codes", "Those that have all that is asked for, newest first, without their texts.")
            .query::<AllCodesQuery>()
            .answers::<List<CodeJson>>(StatusCode::OK),
        get("/api/admin/codes/{id}", web::to(read::<S>))
            .scope(Scope::CodesRead)
            .says("Read a code", "Whoever owns it, without its text.")
            .id::<schema::CodeId>()
            .answers::<CodeJson>(StatusCode::OK),
        get("/api/admin/codes/{id}/timeline", web::to(timeline::<S>))
            .scope(Scope::CodesRead)
            .says(
                "Read a code's timeline",
                "All that concerned the code, **oldest first**: its issue, tries that were refused, those of other tenants among them, \
                activations and their returns, its revocation, new texts, moved ends. It is there after the code is gone with its tenant.",
            )
            .id::<schema::CodeId>()
            .query::<PageQuery>()
            .answers::<List<TimelineEventJson>>(StatusCode::OK),
        post("/api/admin/codes/{id}/revoke", web::to(revoke::<S>))
            .scope(Scope::CodesWrite)
            .says("Revoke a code", "For good. Doing so again answers the code as it is and changes nothing.")
            .id::<schema::CodeId>()
            .answers::<CodeJson>(StatusCode::OK),
        post("/api/admin/codes/{id}/reissue", web::to(reissue::<S>))
            .scope(Scope::CodesWrite)
            .says(
                "Reissue a code",
                "Gives the code a new text, which this answer shows, and never another: the same record, with its uses and its history. The \
                old text is worth nothing from here on. Only a code that can still be used is reissued: one that is expired or exhausted is \
                first given a later end, or a use back.",
            )
            .id::<schema::CodeId>()
            .answers::<ReissuedCodeJson>(StatusCode::OK)
            .idempotent()
            .refuses(&[ErrorCode::CodeRevoked, ErrorCode::CodeExpired, ErrorCode::CodeExhausted, ErrorCode::Conflict]),
        post("/api/admin/codes/{id}/expire", web::to(expire::<S>))
            .scope(Scope::CodesWrite)
            .says(
                "Move a code's expiry",
                "Without a body the code ends at once. A later end lets an expired code go on. What changes nothing is answered as if it did.",
            )
            .id::<schema::CodeId>()
            .optional_body::<ExpireJson>()
            .answers::<CodeJson>(StatusCode::OK)
            .idempotent()
            .refuses(&[ErrorCode::CodeRevoked, ErrorCode::Conflict]),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllCodesQuery {
    /// Those of this tenant.
    #[param(value_type = Option<schema::TenantId>)]
    tenant: Option<String>,
    /// Those that are so at the moment.
    #[param(value_type = Option<schema::CodeStatus>)]
    status: Option<String>,
    /// Those with exactly this label.
    #[param(min_length = 1, max_length = 100)]
    label: Option<String>,
    /// Those of this issue.
    #[param(value_type = Option<schema::BatchId>)]
    batch: Option<String>,
    /// Those whose text ends so, in any case.
    #[param(example = "KP2J")]
    hint: Option<String>,
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    count: Option<bool>,
}

/// When a code ends.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ExpireCode)]
#[serde(deny_unknown_fields)]
struct ExpireJson {
    /// Valid until then, exclusive: a moment that hasn't passed, at most 36525 days away. Null: for ever. Absent: it ends at once.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<schema::Moment>)]
    expires_at: Option<Option<Timestamp>>,
}

/// Tells a field that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A code as operators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Code)]
pub(super) struct CodeJson {
    #[schema(value_type = schema::CodeId)]
    id: CodeId,
    #[schema(value_type = schema::TenantId)]
    tenant_id: TenantId,
    /// The issue that it came from.
    #[schema(value_type = schema::BatchId)]
    batch_id: BatchId,
    /// The last group of its text.
    #[schema(example = "KP2J")]
    hint: String,
    /// What it is for.
    #[schema(value_type = Option<String>)]
    label: Option<Label>,
    #[schema(value_type = schema::CodeStatus)]
    status: &'static str,
    /// How many projects it can activate.
    max_uses: u32,
    /// How many it has activated.
    use_count: u32,
    /// Valid until then, exclusive; null: for ever.
    #[schema(value_type = Option<schema::Moment>)]
    expires_at: Option<Timestamp>,
    /// When it was last used.
    #[schema(value_type = Option<schema::Moment>)]
    used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<schema::Moment>)]
    revoked_at: Option<Timestamp>,
    /// Which key of the key ring its digest was made with.
    key_id: String,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

impl CodeJson {
    pub(super) fn at(now: Timestamp, code: Code) -> Self {
        Self {
            id: code.id,
            tenant_id: code.tenant_id,
            batch_id: code.batch_id,
            status: code.status(now).as_str(),
            hint: code.hint,
            label: code.label,
            max_uses: code.max_uses,
            use_count: code.use_count,
            expires_at: code.expires_at,
            used_at: code.used_at,
            revoked_at: code.revoked_at,
            key_id: code.key_id.as_str().to_owned(),
            created_at: code.created_at,
            updated_at: code.updated_at,
        }
    }
}

/// A code with its new text.
#[derive(Serialize, ToSchema)]
#[schema(as = ReissuedCode)]
struct ReissuedCodeJson {
    #[serde(flatten)]
    record: CodeJson,
    /// Its text: keep it, nobody can show it again.
    #[schema(value_type = schema::CodeText)]
    code: String,
}

/// Something that concerned a code.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEvent)]
struct TimelineEventJson {
    #[schema(value_type = schema::EventId)]
    id: AuditEventId,
    /// When.
    #[schema(value_type = schema::Moment)]
    at: Timestamp,
    /// What happened, as the audit trail says it.
    #[schema(example = "activation.refused")]
    action: String,
    actor: ActorJson,
    /// Whose event it is: of a try, whoever tried.
    #[schema(value_type = Option<schema::TenantId>)]
    tenant_id: Option<TenantId>,
    /// The project that it was about.
    #[schema(value_type = Option<schema::ProjectId>)]
    project_id: Option<String>,
    /// Why a try was refused.
    #[schema(example = "code_expired")]
    reason: Option<String>,
    /// From which address.
    client_ip: Option<String>,
    /// In which request.
    request_id: Option<String>,
    /// In which trace.
    #[schema(value_type = Option<schema::TraceId>)]
    trace_id: Option<String>,
    /// What else there is to say.
    details: BTreeMap<String, String>,
}

impl From<AuditEvent> for TimelineEventJson {
    fn from(mut event: AuditEvent) -> Self {
        Self {
            id: event.id,
            at: event.at,
            actor: ActorJson::from(&event.actor),
            action: event.action,
            tenant_id: event.tenant_id,
            project_id: event.target.filter(|target| target.starts_with("prj_")),
            reason: event.details.remove("reason"),
            client_ip: event.client_ip.map(|address| address.to_string()),
            request_id: event.request_id,
            trace_id: event.trace_id.map(|trace| trace.to_string()),
            details: event.details,
        }
    }
}

/// Codes of everybody, or of one tenant.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<AllCodesQuery>) -> Answer {
    let tenant = query.tenant.as_deref().map(str::parse).transpose().map_err(|invalid| Problem::field("?tenant", invalid))?;
    let batch = query.batch.as_deref().map(str::parse).transpose().map_err(|invalid| Problem::field("?batch", invalid))?;
    let filter = code_filter(query.status.as_deref(), query.label.as_deref(), query.hint.as_deref())?;
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let now = state.clock.now();
    let filter = CodeFilter { batch, ..filter };
    let page = state.store.reader().codes_of_anyone_page(tenant, &filter, now, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |code| code.id, |code| CodeJson::at(now, code))))
}

/// One code.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<CodeId>) -> Answer {
    let code = state.store.reader().code_of_anyone(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(CodeJson::at(state.clock.now(), code)))
}

/// All that concerned a code.
pub(crate) async fn timeline<S: Store>(state: State<S>, _who: Operator<S>, id: Path<CodeId>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let mut reader = state.store.reader();
    let code = reader.code_of_anyone(*id).await?;
    let events = reader.code_timeline(*id, code.as_ref().map(|code| code.batch_id), page).await?;
    if code.is_none() && page.after.is_none() && events.items.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(HttpResponse::Ok().json(List::new(events, |event| event.id, TimelineEventJson::from)))
}

/// Revokes a code.
pub(crate) async fn revoke<S: Store>(state: State<S>, who: Operator<S>, id: Path<CodeId>) -> Answer {
    let cx = who.context(&state);
    let code = state.again(async || revoke_code(&state.store, &cx, *id).await).await?;
    Ok(HttpResponse::Ok().json(CodeJson::at(cx.now, code)))
}

/// Gives a code a new text, and shows it this once.
pub(crate) async fn reissue<S: Store>(state: State<S>, who: Operator<S>, id: Path<CodeId>, body: KeyedBody) -> Answer {
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let reissued = reissue_code(store, cx, state.keys.as_ref(), *id).await?;
        let code = reissued.text.reveal().to_string();
        Ok(HttpResponse::Ok().json(ReissuedCodeJson { record: CodeJson::at(cx.now, reissued.code), code }))
    })
    .await
}

/// Moves a code's expiry.
pub(crate) async fn expire<S: Store>(state: State<S>, who: Operator<S>, id: Path<CodeId>, mut body: KeyedBody) -> Answer {
    let end = match body.read_or_default::<ExpireJson>().await?.expires_at {
        None => CodeEnd::Now,
        Some(None) => CodeEnd::Never,
        Some(Some(at)) => CodeEnd::At(at),
    };
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let code = expire_code(store, cx, *id, end).await?;
        Ok(HttpResponse::Ok().json(CodeJson::at(cx.now, code)))
    })
    .await
}
