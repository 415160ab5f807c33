//! Answers in CSV (RFC 4180), made a piece at a time while the client takes them: exports of codes and of the audit trail, and issues of
//! many codes.
//!
//! An answer of any length costs the memory of a piece or two, as a piece is made when the one before has been taken. Its status is sent
//! before its rows are known, so what fails later can't be a problem any more: the answer is cut off, and as it has no length but is sent
//! in chunks, of which the last is missing then, every HTTP client tells that from a whole one.
//!
//! The file opens in a spreadsheet as it is, so no cell may be taken for a formula: one that begins as formulas do (`=`, `+`, `-`, `@`, a
//! tab, a carriage return) gets an apostrophe in front, which spreadsheets hide and import takes off again.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::header::{self, Accept, ContentDisposition, DispositionParam, DispositionType, Header as _},
    web::Bytes,
};
use futures_util::{Stream, StreamExt as _, stream};

use crate::problem::Problem;

/// Whether a request would rather have CSV than JSON. A client that doesn't care gets JSON.
pub(crate) fn wants_csv(request: &HttpRequest) -> bool {
    let accepted = Accept::parse(request).map(|accept| accept.ranked()).unwrap_or_default();
    let known = accepted.iter().map(actix_web::mime::Mime::essence_str);
    let mut known = known.filter(|media| matches!(*media, "text/csv" | "application/json" | "application/*" | "*/*"));
    known.next() == Some("text/csv")
}

/// Rows, as they are sent.
pub(crate) struct Rows(csv::Writer<Vec<u8>>);

impl Rows {
    /// No rows yet.
    pub fn new() -> Self {
        Self::with_room(0)
    }

    /// No rows yet, and room for so many bytes of them.
    pub fn with_room(bytes: usize) -> Self {
        Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::with_capacity(bytes)))
    }

    /// The row that names the columns, which every answer begins with.
    pub fn head(columns: &[&str]) -> Self {
        let mut rows = Self::new();
        rows.push(columns);
        rows
    }

    /// Adds a row.
    pub fn push(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        // Memory takes every cell, and every row that has as many as the first.
        for cell in cells {
            self.0.write_field(harmless(cell.as_ref()).as_bytes()).ok();
        }
        self.0.write_record(None::<&[u8]>).ok();
    }

    /// The rows' bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0.into_inner().map(Bytes::from).unwrap_or_default()
    }
}

/// A cell for a value that may be missing: then it is empty.
pub(crate) fn cell(value: Option<impl fmt::Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Whether a spreadsheet takes a cell that begins like this for a formula. One that was made harmless before is made so again, so that it can
/// be told from one that needs it.
fn begins_as_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// A cell that no spreadsheet computes.
fn harmless(cell: &str) -> Cow<'_, str> {
    if begins_as_formula(cell) { format!("'{cell}").into() } else { cell.into() }
}

/// What a cell was before [`Rows::push`] made it harmless.
pub(crate) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| begins_as_formula(rest)).unwrap_or(cell)
}

/// Why an answer ends before its end. What went wrong is in the log.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was cut off")
    }
}

impl std::error::Error for Cut {}

/// The answer that pieces make, to be saved as `file`. Dropped, and the pieces with it, when the client goes away.
pub(crate) fn csv_answer(
    mut answer: HttpResponseBuilder,
    file: String,
    pieces: impl Stream<Item = Result<Bytes, Cut>> + 'static,
) -> HttpResponse {
    let disposition =
        ContentDisposition { disposition: DispositionType::Attachment, parameters: vec![DispositionParam::Filename(file)] };
    answer.insert_header(disposition).insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"));
    answer.streaming(pieces)
}

/// The pieces of a list that is read page by page. `page` reads one, given what the page before answered beside its rows, until that is
/// `None`. The first page is read at once, so that what keeps it from being read is still answered as a problem.
pub(crate) async fn pages<P, F>(
    columns: &[&str],
    mut page: impl FnMut(Option<P>) -> F + 'static,
) -> Result<impl Stream<Item = Result<Bytes, Cut>> + 'static, Problem>
where
    P: 'static,
    F: Future<Output = Result<(Rows, Option<P>), Problem>>,
{
    let head = Rows::head(columns).into_bytes();
    let (first, next) = page(None).await?;
    let rest = stream::unfold((next, page), |(next, mut page)| async move {
        let next = Some(next?);
        Some(match page(next).await {
            Ok((rows, next)) => (Ok(rows.into_bytes()), (next, page)),
            Err(_logged) => (Err(Cut), (None, page)),
        })
    });
    Ok(stream::iter([Ok(head), Ok(first.into_bytes())]).chain(rest))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures_util::{FutureExt as _, TryStreamExt as _};
    use proptest::prelude::*;

    use super::*;

    fn wants(accept: &str) -> bool {
        wants_csv(&TestRequest::default().insert_header((header::ACCEPT, accept)).to_http_request())
    }

    #[test]
    fn csv_is_for_those_who_rank_it_first() {
        assert!(wants("text/csv") && wants("text/csv;header=present, application/json;q=0.5") && wants("text/csv, */*;q=0.1"));
        assert!(!wants("application/json") && !wants("*/*") && !wants("text/csv;q=0.1, application/json") && !wants("nonsense"));
        assert!(!wants_csv(&TestRequest::default().to_http_request()));
    }

    #[test]
    fn no_cell_begins_as_a_formula_does() {
        let mut rows = Rows::head(&["label"]);
        for label in ["=1+1", "+1", "-1", "@A1", "\tx", "\rx", "a=b", "say \"hi\", twice", "'quoted'", "'=1"] {
            rows.push([label]);
            assert_eq!(unguarded(&harmless(label)), label);
        }
        let expected = "label\r\n'=1+1\r\n'+1\r\n'-1\r\n'@A1\r\n'\tx\r\n\"'\rx\"\r\na=b\r\n\"say \"\"hi\"\", twice\"\r\n'quoted'\r\n''=1\r\n";
        assert_eq!(rows.into_bytes(), expected);
    }

    #[test]
    fn pages_follow_each_other_and_a_page_that_fails_cuts_the_answer() {
        for failing in [None, Some(2)] {
            let page = move |after: Option<u32>| async move {
                let number = after.unwrap_or(0);
                let mut rows = Rows::new();
                rows.push([number.to_string()]);
                if failing == Some(number) {
                    Err(Problem::internal())
                } else {
                    Ok((rows, Some(number + 1).filter(|&next| next < 4)))
                }
            };
            let pieces = pages(&["n"], page).now_or_never().unwrap().unwrap();
            let whole = pieces.try_collect::<Vec<Bytes>>().now_or_never().unwrap().map(|pieces| pieces.concat());
            assert_eq!(whole.is_err(), failing.is_some());
            assert!(whole.is_err() || whole.is_ok_and(|whole| whole == b"n\r\n0\r\n1\r\n2\r\n3\r\n"));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(cells in prop::collection::vec(any::<String>(), 1..5)) {
            let mut rows = Rows::new();
            rows.push(&cells);
            let bytes = rows.into_bytes();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_ref());
            let read: Vec<_> = reader.records().next().unwrap().unwrap().iter().map(|cell| unguarded(cell).to_owned()).collect();
            prop_assert_eq!(read, cells);
        }
    }
}
