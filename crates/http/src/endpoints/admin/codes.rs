//! Issuing codes.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Path},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    BatchId, CodeId, CodeOrder, InvalidValue, IssuedBatch, LONGEST_TTL, Label, MAX_CODES, Scope, TenantId, Timestamp,
    generate_codes, ports::Store,
};
use time::Duration;
use utoipa::ToSchema;

use crate::{
    csv_answer::wants_csv,
    endpoints::{Answer, State, admin::bulk_issue},
    errors::ErrorCode,
    extract::Operator,
    long_work::LongWork,
    once::KeyedBody,
    operation::{Operation, post},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        post("/api/admin/tenants/{id}/codes", web::to(issue::<S>))
            .scope(Scope::CodesWrite)
            .says(
                "Issue codes",
                "As JSON up to 1,000: all that are asked for, or none. As CSV up to 1,000,000, with the columns `id`, `code`, `label`, \
                `expires_at` and `max_uses`, each row sent once it is stored: an answer that is whole says that all are issued. After one \
                that is cut off, by either side, the batch that `X-Batch-Id` names says how many there are, and can be revoked. An \
                answer in CSV isn't kept: sent again with its `Idempotency-Key`, the request is `conflict`, and told which batch has its codes. \
                Texts are shown in this answer, and never again.",
            )
            .id::<schema::TenantId>()
            .body::<IssueJson>()
            .answers::<BatchJson<'_>>(StatusCode::CREATED)
            .or_csv()
            .with_header("X-Batch-Id", "The batch that the codes are in.")
            .idempotent()
            .refuses(&[ErrorCode::Conflict]),
    ]
}

/// The most codes that one answer carries that isn't CSV.
pub(crate) const MOST: u32 = 1_000;

/// Which codes to issue.
#[derive(Deserialize, ToSchema)]
#[schema(as = IssueCodes)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueJson {
    /// How many: up to 1,000 as JSON, up to 1,000,000 as CSV.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub count: i64,
    /// What they are for.
    #[schema(min_length = 1, max_length = 100, example = "Spring campaign")]
    pub label: Option<String>,
    /// How long they are valid; absent: for ever.
    #[schema(minimum = 1, maximum = 3_155_760_000_u64)]
    pub ttl_seconds: Option<i64>,
    /// How many projects each can activate; 1 unless told otherwise.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_uses: Option<i64>,
}

/// A code as it is shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedCode)]
pub(super) struct IssuedCodeJson<'a> {
    #[schema(value_type = schema::CodeId)]
    id: CodeId,
    /// Its text: keep it, nobody can show it again.
    #[schema(value_type = schema::CodeText)]
    code: String,
    /// What it is for.
    #[schema(value_type = Option<String>)]
    label: Option<&'a Label>,
    /// Valid until then, exclusive; null: for ever.
    #[schema(value_type = Option<schema::Moment>)]
    expires_at: Option<Timestamp>,
    /// How many projects it can activate.
    max_uses: u32,
}

/// The codes of one issue.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedCodes)]
struct BatchJson<'a> {
    #[schema(value_type = schema::BatchId)]
    batch_id: BatchId,
    activation_codes: Vec<IssuedCodeJson<'a>>,
}

/// The codes of an issue, as they are shown once.
pub(super) fn shown(batch: &IssuedBatch) -> Vec<IssuedCodeJson<'_>> {
    let show = |issued: &tenantry_domain::IssuedCode| IssuedCodeJson {
        id: issued.id,
        code: issued.code.reveal().to_string(),
        label: batch.label.as_ref(),
        expires_at: batch.expires_at,
        max_uses: batch.max_uses,
    };
    batch.codes.iter().map(show).collect()
}

impl IssueJson {
    /// The order that it makes, of at most so many codes; `hint` says how there can be more.
    pub fn parse(&self, most: u32, hint: &str) -> Result<CodeOrder, Problem> {
        let mut fields = Fields::default();
        let out = |detail: String| InvalidValue::new("out_of_range", detail);
        let count = u32::try_from(self.count).ok().filter(|count| (1..=most).contains(count));
        let count = fields.take("/count", count.ok_or_else(|| out(format!("must be 1 to {most}{hint}"))));
        let label = fields.take_optional("/label", self.label.as_deref().map(Label::parse));
        let ttl = self.ttl_seconds.map(|seconds| {
            let longest = LONGEST_TTL.whole_seconds();
            if (1..=longest).contains(&seconds) {
                Ok(Duration::seconds(seconds))
            } else {
                Err(out(format!("must be 1 to {longest}, or absent for codes that don't expire")))
            }
        });
        let ttl = fields.take_optional("/ttl_seconds", ttl);
        let most = tenantry_domain::MAX_USES;
        let uses = u32::try_from(self.max_uses.unwrap_or(1)).ok().filter(|uses| (1..=most).contains(uses));
        let uses = fields.take("/max_uses", uses.ok_or_else(|| out(format!("must be 1 to {most}"))));
        match (count, label, ttl, uses) {
            (Some(count), Some(label), Some(ttl), Some(max_uses)) => Ok(CodeOrder { count, label, ttl, max_uses }),
            _ => Err(fields.into_problem()),
        }
    }
}

/// Issues codes to a tenant, and shows their texts this once.
pub(crate) async fn issue<S: Store>(
    state: State<S>,
    who: Operator<S>,
    id: Path<TenantId>,
    mut body: KeyedBody,
    long: LongWork,
    request: HttpRequest,
) -> Answer {
    let wanted = body.read::<IssueJson>().await?;
    if wants_csv(&request) {
        return bulk_issue::stream(state, who, *id, wanted.parse(MAX_CODES, "")?, body.into_parts(), long.begin()?).await;
    }
    let order = wanted.parse(MOST, "; `Accept: text/csv` issues more")?;
    body.answer_once(&state, who.context(&state), async |store, cx| {
        let batch = generate_codes(store, cx, state.keys.as_ref(), *id, order).await?;
        let shown = BatchJson { batch_id: batch.batch_id, activation_codes: shown(&batch) };
        Ok(HttpResponse::Created().insert_header(("X-Batch-Id", batch.batch_id.to_string())).json(shown))
    })
    .await
}
