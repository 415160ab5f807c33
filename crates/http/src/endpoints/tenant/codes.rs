//! A tenant's own codes: never their texts.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Code, CodeHint, CodeId, CodeStatus, Label, Timestamp,
    ports::{CodeFilter, CodeReads as _, Store},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::{Answer, State},
    extract::TenantSession,
    operation::{Operation, get},
    paging::{List, page_request},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/tenant/codes", web::to(list::<S>))
            .tenant()
            .says("List own codes", "The tenant's codes, newest first, without their texts.")
            .query::<CodesQuery>()
            .answers::<List<CodeJson>>(StatusCode::OK),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodesQuery {
    /// Those that are so at the moment.
    #[param(value_type = Option<schema::CodeStatus>)]
    status: Option<String>,
    /// Those with exactly this label.
    #[param(min_length = 1, max_length = 100)]
    label: Option<String>,
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

/// A code as its tenant sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnCode)]
struct CodeJson {
    #[schema(value_type = schema::CodeId)]
    id: CodeId,
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
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
}

/// The filter that a query's `status`, `label` and `hint` make.
pub(crate) fn code_filter(status: Option<&str>, label: Option<&str>, hint: Option<&str>) -> Result<CodeFilter, Problem> {
    let mut fields = Fields::default();
    let status = fields.take_optional("?status", status.map(CodeStatus::parse));
    let label = fields.take_optional("?label", label.map(Label::parse));
    let hint = fields.take_optional("?hint", hint.map(CodeHint::parse));
    match (status, label, hint) {
        (Some(status), Some(label), Some(hint)) => Ok(CodeFilter { status, label, hint, batch: None }),
        _ => Err(fields.into_problem()),
    }
}

/// The tenant's codes, by status, label and hint.
pub(crate) async fn list<S: Store>(state: State<S>, who: TenantSession<S>, query: Query<CodesQuery>) -> Answer {
    let filter = code_filter(query.status.as_deref(), query.label.as_deref(), query.hint.as_deref())?;
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let now = state.clock.now();
    let page = state.store.reader().codes_page(who.id(), &filter, now, page).await?;
    let show = |code: Code| CodeJson {
        id: code.id,
        status: code.status(now).as_str(),
        hint: code.hint,
        label: code.label,
        max_uses: code.max_uses,
        use_count: code.use_count,
        expires_at: code.expires_at,
        used_at: code.used_at,
        created_at: code.created_at,
    };
    Ok(HttpResponse::Ok().json(List::new(page, |code| code.id, show)))
}
