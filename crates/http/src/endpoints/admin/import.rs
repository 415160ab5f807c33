//! Taking codes in that were issued elsewhere.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::LOCATION},
    web::{self, Path, Query},
};
use serde::Deserialize;
use tenantry_domain::{
    CodeImport, Context, Fingerprint, ImportLine, InvalidValue, Label, MAX_IMPORT, Scope, TenantId, import_codes,
    ports::{Store, TenantReads as _},
};
use utoipa::{IntoParams, openapi::Required};

use super::batches::BatchJson;
use crate::{
    csv_answer::unguarded,
    csv_lines::{CsvBody, Line, Lines},
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::Operator,
    import_report::ImportReportJson,
    long_work::LongWork,
    once::Keyed,
    operation::{Operation, post},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        post("/api/admin/tenants/{id}/codes/import", web::to(import::<S>))
            .scope(Scope::CodesWrite)
            .says(
                "Import codes",
                "Takes codes in that were issued elsewhere, all of a file or none, as a batch. The file's first line names its columns: `code`, \
                and any of `label`, `max_uses` (1 if empty) and `expires_at` (RFC 3339, at most 36525 days away; for ever if empty); an `id`, as issued files have, is \
                passed over. Codes must be well-formed and unknown, and start unused: for one that was used, import the uses that are left. \
                A file has at most 100,000 codes and 64 MiB. With `dry_run` nothing is stored, and everything that is wrong is reported; \
                else the report ends after 1,000 faults. No code's text is ever repeated.",
            )
            .id::<schema::TenantId>()
            .query::<ImportQuery>()
            .takes::<schema::CodesCsv>("text/csv", Required::True)
            .answers::<BatchJson>(StatusCode::CREATED)
            .with_header("X-Batch-Id", "The batch that the codes are in.")
            .answers::<ImportReportJson>(StatusCode::OK)
            .refuses(&[ErrorCode::ImportRefused])
            .idempotent(),
    ]
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportQuery {
    /// Whether to say only what an import would find.
    dry_run: Option<bool>,
    /// What the codes are for, where their lines don't say.
    #[param(min_length = 1, max_length = 100)]
    label: Option<String>,
}

/// Which cell of a line is which.
struct Columns {
    width: usize,
    code: usize,
    label: Option<usize>,
    max_uses: Option<usize>,
    expires_at: Option<usize>,
}

impl Columns {
    /// Reads the line that names the columns.
    fn parse(names: &[String]) -> Result<Self, InvalidValue> {
        let unknown = |number: usize| {
            let detail = format!("column {number} has an unknown name; known are code, label, max_uses, expires_at and id");
            InvalidValue::new("unknown_column", detail)
        };
        let mut places = [None; 5];
        for (place, name) in names.iter().enumerate() {
            let known = ["code", "label", "max_uses", "expires_at", "id"].iter().position(|known| name.trim() == *known);
            let slot = known.and_then(|known| places.get_mut(known)).ok_or_else(|| unknown(place + 1))?;
            if slot.replace(place).is_some() {
                return Err(InvalidValue::new("duplicate_column", format!("column {} has the name of another", place + 1)));
            }
        }
        let [code, label, max_uses, expires_at, _id] = places;
        let code = code.ok_or_else(|| InvalidValue::new("no_code_column", "no column is named code"))?;
        Ok(Self { width: names.len(), code, label, max_uses, expires_at })
    }

    /// The line that these cells make.
    fn line<'a>(&self, number: u32, cells: &'a [String]) -> Result<ImportLine<'a>, InvalidValue> {
        if cells.iter().skip(self.width).any(|cell| !cell.is_empty()) {
            return Err(InvalidValue::new(
                "too_many_cells",
                format!("has more than {} cells, as many as there are columns", self.width),
            ));
        }
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).map_or("", |cell| unguarded(cell));
        Ok(ImportLine {
            number,
            code: cell(Some(self.code)),
            label: cell(self.label),
            max_uses: cell(self.max_uses),
            expires_at: cell(self.expires_at),
        })
    }
}

/// Imports a file, or says what an import would find.
pub(crate) async fn import<S: Store>(
    state: State<S>,
    who: Operator<S>,
    id: Path<TenantId>,
    query: Query<ImportQuery>,
    body: CsvBody,
    keyed: Keyed,
    long: LongWork,
) -> Answer {
    let label = query.label.as_deref().map(Label::parse).transpose();
    let label = label.map_err(|invalid| Problem::field("?label", invalid))?;
    keyed.check_key()?;
    state.store.reader().tenant(*id).await?.ok_or_else(Problem::not_found)?;
    let lines = body.lines()?;
    let _place = long.begin()?;
    let cx = who.context(&state);
    let (import, seen) = gather(&state, &cx, CodeImport::new(label), lines).await?;
    if query.dry_run == Some(true) {
        return Ok(HttpResponse::Ok().json(ImportReportJson::new(import.into_report(), usize::MAX)));
    }
    keyed
        .answer_at_first_try(seen.as_bytes(), &state, cx, async |store, cx| {
            let batch = import_codes(store, cx, *id, import).await?;
            let mut answer = HttpResponse::Created();
            answer.insert_header(("X-Batch-Id", batch.id.to_string()));
            answer.insert_header((LOCATION, format!("/api/admin/batches/{}", batch.id)));
            Ok(answer.json(BatchJson::from(batch)))
        })
        .await
}

/// Reads all lines, and looks their codes up. What stands for the file, as an `Idempotency-Key` sees it, is a digest of its lines.
async fn gather<S: Store>(
    state: &State<S>,
    cx: &Context<'_>,
    mut import: CodeImport,
    mut lines: Lines,
) -> Result<(CodeImport, Fingerprint), Problem> {
    let mut reader = state.store.reader();
    let first = lines.next().await?;
    let mut seen = state.keys.fingerprint(first.iter().map(|line| line.bytes.as_ref()));
    let columns = match first {
        Some(Line { cells: Ok(names), .. }) => Columns::parse(&names),
        Some(Line { cells: Err(invalid), .. }) => Err(invalid),
        None => Err(InvalidValue::new("empty", "the file is empty; its first line names the columns")),
    };
    let columns = match columns {
        Ok(columns) => columns,
        Err(invalid) => {
            // Without the columns nothing can be said of the other lines.
            import.add_unreadable(1, invalid);
            return Ok((import, seen));
        }
    };
    while let Some(Line { number, bytes, cells }) = lines.next().await? {
        seen = state.keys.fingerprint([seen.as_bytes().as_slice(), &bytes]);
        if import.lines() == MAX_IMPORT {
            return Err(Problem::too_many_lines());
        }
        match cells.as_deref().map_err(Clone::clone).and_then(|cells| columns.line(number, cells)) {
            Ok(line) => import.add(cx, state.keys.as_ref(), &line),
            Err(invalid) => import.add_unreadable(number, invalid),
        }
        import.look_up(&mut reader, false).await?;
    }
    import.look_up(&mut reader, true).await?;
    if import.lines() == 0 {
        import.add_unreadable(1, InvalidValue::new("empty", "no code follows the names of the columns"));
    }
    Ok((import, seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Result<Columns, &'static str> {
        Columns::parse(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).map_err(|invalid| invalid.code)
    }

    #[test]
    fn columns_are_found_by_their_names_and_no_name_is_repeated() {
        let found = columns(&["id", " expires_at", "code "]).unwrap();
        assert_eq!((found.code, found.expires_at, found.label, found.width), (2, Some(1), None, 3));
        assert_eq!(columns(&["code", "code"]).err(), Some("duplicate_column"));
        assert_eq!(columns(&["label"]).err(), Some("no_code_column"));
        let secret = Columns::parse(&["12RY-S55W-4MZR-KP2J".to_owned()]).err().unwrap();
        assert!(secret.code == "unknown_column" && !secret.detail.contains("12RY"), "{secret}");
    }

    #[test]
    fn a_line_may_leave_cells_out_and_have_no_more_than_there_are_columns() {
        let found = columns(&["code", "label"]).unwrap();
        let line = |cells: &[&str]| {
            let cells: Vec<_> = cells.iter().map(|&cell| cell.to_owned()).collect();
            found.line(7, &cells).map(|line| (line.code.to_owned(), line.label.to_owned())).map_err(|invalid| invalid.code)
        };
        assert_eq!(line(&["a"]), Ok(("a".to_owned(), String::new())));
        assert_eq!(line(&["a", "'=b", "", ""]), Ok(("a".to_owned(), "=b".to_owned())));
        assert_eq!(line(&["a", "b", "c"]), Err("too_many_cells"));
    }
}
