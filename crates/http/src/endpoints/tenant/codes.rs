//! A tenant's own codes: never their texts.

use actix_web::{HttpResponse, web::Query};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Code, CodeId, CodeStatus, Label, Timestamp,
    ports::{CodeReads as _, Store},
};

use crate::{
    endpoints::{Answer, State},
    extract::TenantSession,
    paging::{List, page_request},
    problem::Problem,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodesQuery {
    status: Option<String>,
    limit: Option<u16>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct CodeJson {
    id: CodeId,
    hint: String,
    label: Option<Label>,
    status: &'static str,
    max_uses: u32,
    use_count: u32,
    expires_at: Option<Timestamp>,
    used_at: Option<Timestamp>,
    created_at: Timestamp,
}

/// The tenant's codes, by status.
pub(crate) async fn list<S: Store>(state: State<S>, who: TenantSession<S>, query: Query<CodesQuery>) -> Answer {
    let status = query.status.as_deref().map(CodeStatus::parse).transpose();
    let status = status.map_err(|invalid| Problem::field("?status", invalid))?;
    let page = page_request(query.limit, query.cursor.as_deref())?;
    let now = state.clock.now();
    let page = state.store.reader().codes_page(who.id(), status, now, page).await?;
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
