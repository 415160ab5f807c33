//! Codes as a file, without their texts.

use std::rc::Rc;

use actix_web::{
    HttpResponse,
    web::{self, Query},
};
use serde::Deserialize;
use tenantry_domain::{
    Code, CodeExport, CodeId, Scope, Timestamp, begin_code_export,
    ports::{CodeFilter, Store},
};
use utoipa::IntoParams;

use crate::{
    csv_answer::{Rows, cell, csv_answer, pages},
    endpoints::{Answer, State, tenant::codes::code_filter},
    extract::Operator,
    operation::{Operation, get},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/codes/export", web::to(export::<S>))
            .scope(Scope::CodesRead)
            .says(
                "Export codes",
                "Those that have all that is asked for, newest first, as CSV: everything that is known of them but their texts, with the status \
                that they had when the export began. An answer that is cut off isn't whole. A cell that a spreadsheet would take for a \
                formula begins with an apostrophe.",
            )
            .query::<ExportQuery>()
            .answers_csv(),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
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
}

const COLUMNS: &[&str] = &[
    "id",
    "tenant_id",
    "batch_id",
    "hint",
    "label",
    "status",
    "max_uses",
    "use_count",
    "expires_at",
    "used_at",
    "revoked_at",
    "key_id",
    "created_at",
    "updated_at",
];

fn row(code: &Code, now: Timestamp) -> [String; 14] {
    [
        code.id.to_string(),
        code.tenant_id.to_string(),
        code.batch_id.to_string(),
        code.hint.clone(),
        cell(code.label.as_ref()),
        code.status(now).as_str().to_owned(),
        code.max_uses.to_string(),
        code.use_count.to_string(),
        cell(code.expires_at),
        cell(code.used_at),
        cell(code.revoked_at),
        code.key_id.to_string(),
        code.created_at.to_string(),
        code.updated_at.to_string(),
    ]
}

/// Everybody's codes, or some, page by page.
pub(crate) async fn export<S: Store>(state: State<S>, who: Operator<S>, query: Query<ExportQuery>) -> Answer {
    let tenant = query.tenant.as_deref().map(str::parse).transpose().map_err(|invalid| Problem::field("?tenant", invalid))?;
    let batch = query.batch.as_deref().map(str::parse).transpose().map_err(|invalid| Problem::field("?batch", invalid))?;
    let filter = code_filter(query.status.as_deref(), query.label.as_deref(), query.hint.as_deref())?;
    let export = begin_code_export(&state.store, &who.context(&state), tenant, CodeFilter { batch, ..filter }).await?;
    let file = format!("codes-{}.csv", export.now().as_offset_date_time().date());
    let shared = Rc::new((state, export));
    let pieces = pages(COLUMNS, move |after| page(Rc::clone(&shared), after)).await?;
    Ok(csv_answer(HttpResponse::Ok(), file, pieces))
}

async fn page<S: Store>(shared: Rc<(State<S>, CodeExport)>, after: Option<CodeId>) -> Result<(Rows, Option<CodeId>), Problem> {
    let (state, export) = shared.as_ref();
    let (codes, next) = export.page(&mut state.store.reader(), after).await?;
    let mut rows = Rows::new();
    for code in &codes {
        rows.push(row(code, export.now()));
    }
    Ok((rows, next))
}
