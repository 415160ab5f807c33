//! Batches: the codes of one issue as one thing.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Batch, BatchId, Label, Scope, TenantId, Timestamp,
    ports::{BatchFilter, BatchReads as _, Store},
    revoke_batch,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::{Answer, State, tenant::usage::CodeCountsJson},
    extract::Operator,
    long_work::LongWork,
    operation::{Operation, get, post},
    paging::{List, page_request},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/batches", web::to(list::<S>))
            .scope(Scope::CodesRead)
            .says("List batches", "What each issue or import of codes ordered and holds, newest first.")
            .query::<BatchesQuery>()
            .answers::<List<BatchJson>>(StatusCode::OK),
        get("/api/admin/batches/{id}", web::to(read::<S>))
            .scope(Scope::CodesRead)
            .says(
                "Read a batch",
                "What it ordered and holds, and how many of its codes have each status. A batch that stays `issuing` was left behind by a \
                server that was killed; it holds what it says, and revoking it ends it.",
            )
            .id::<schema::BatchId>()
            .answers::<BatchWithCodesJson>(StatusCode::OK),
        post("/api/admin/batches/{id}/revoke", web::to(revoke::<S>))
            .scope(Scope::CodesWrite)
            .says(
                "Revoke a batch",
                "Revokes every code of it that isn't revoked, and ends its issue if that is under way. Of a large batch codes are revoked a \
                few thousand at a time; after a failure, call again for the rest.",
            )
            .id::<schema::BatchId>()
            .answers::<RevokedJson>(StatusCode::OK),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchesQuery {
    /// Those of this tenant.
    #[param(value_type = Option<schema::TenantId>)]
    tenant: Option<String>,
    /// Those with this label, to the letter.
    #[param(min_length = 1, max_length = 100)]
    label: Option<String>,
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    count: Option<bool>,
}

/// The codes of one issue or import.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchJson {
    #[schema(value_type = schema::BatchId)]
    id: BatchId,
    #[schema(value_type = schema::TenantId)]
    tenant_id: TenantId,
    /// What the codes are for.
    #[schema(value_type = Option<String>)]
    label: Option<Label>,
    /// How many projects each code can activate; null where every code has its own number.
    max_uses: Option<u32>,
    /// Until when the codes are valid, exclusive; null: for ever, or every code has its own end.
    #[schema(value_type = Option<schema::Moment>)]
    expires_at: Option<Timestamp>,
    /// How many codes were asked for.
    ordered: u32,
    /// How many there are.
    issued: u32,
    #[schema(value_type = schema::BatchState)]
    state: &'static str,
    #[schema(value_type = schema::BatchSource)]
    source: &'static str,
    /// Who made it; null for batches from before this was noted.
    created_by: Option<String>,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

/// A batch, and what its codes are at the moment.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchWithCodes)]
struct BatchWithCodesJson {
    #[serde(flatten)]
    batch: BatchJson,
    codes: CodeCountsJson,
}

/// What a revocation did.
#[derive(Serialize, ToSchema)]
#[schema(as = RevokedBatch)]
struct RevokedJson {
    /// How many codes it revoked; those that were revoked before don't count.
    revoked: u64,
}

impl From<Batch> for BatchJson {
    fn from(batch: Batch) -> Self {
        Self {
            id: batch.id,
            tenant_id: batch.tenant_id,
            label: batch.label,
            max_uses: batch.max_uses,
            expires_at: batch.expires_at,
            ordered: batch.ordered,
            issued: batch.issued,
            state: batch.state.as_str(),
            source: batch.source.as_str(),
            created_by: batch.created_by,
            created_at: batch.created_at,
            updated_at: batch.updated_at,
        }
    }
}

impl BatchesQuery {
    fn filter(&self) -> Result<BatchFilter, Problem> {
        let mut fields = Fields::default();
        let tenant = fields.take_optional("?tenant", self.tenant.as_deref().map(str::parse));
        let label = fields.take_optional("?label", self.label.as_deref().map(Label::parse));
        match (tenant, label) {
            (Some(tenant), Some(label)) => Ok(BatchFilter { tenant, label }),
            _ => Err(fields.into_problem()),
        }
    }
}

/// Batches of everybody, or of one tenant.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<BatchesQuery>) -> Answer {
    let filter = query.filter()?;
    let page = page_request(query.limit, query.cursor.as_deref(), query.count)?;
    let page = state.store.reader().batches_of_anyone_page(&filter, page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |batch| batch.id, BatchJson::from)))
}

/// One batch.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<BatchId>) -> Answer {
    let mut reader = state.store.reader();
    let batch = reader.batch_of_anyone(*id).await?.ok_or_else(Problem::not_found)?;
    let codes = reader.count_batch_codes(batch.tenant_id, *id, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(BatchWithCodesJson { batch: batch.into(), codes: codes.into() }))
}

/// Revokes all codes of a batch.
pub(crate) async fn revoke<S: Store>(state: State<S>, who: Operator<S>, id: Path<BatchId>, long: LongWork) -> Answer {
    let _place = long.begin()?;
    let revoked = state.again(async || revoke_batch(&state.store, &who.context(&state), *id).await).await?;
    Ok(HttpResponse::Ok().json(RevokedJson { revoked }))
}
