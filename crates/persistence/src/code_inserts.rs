//! Many codes in one statement. Built row by row, a statement's text and its thousands of values cost more than the rows.

use std::iter;

use sea_orm::{DbBackend, Statement};
use serde::{Serialize, Serializer as _, ser::Error as _};
use tenantry_domain::{Label, NewCode, StoreError, ports::CodeIssue};

use crate::{Handle, binary_copy::BinaryRows, connection::OpenTransaction, entities::codes::Model, row::Row, timestamp::DbTime};

/// Codes of one statement on SQLite: half a megabyte. Before a statement changes a page it keeps a copy, to be able to undo it: 500 codes a statement
/// took a fourth longer.
const ROWS: usize = 5_000;

/// Codes that go to PostgreSQL at once.
const SENT: usize = 500;

const POSTGRES: &str = "
    COPY activation_codes
        (tenant_id, batch_id, created_at, updated_at, id, code_digest, key_id, hint, label, max_uses, expires_at)
    FROM STDIN (FORMAT binary)";

/// Identifiers and digests in one blob, 48 bytes a code; the rest as JSON, of which the place in the blob is `key`.
const SQLITE: &str = "
    INSERT INTO activation_codes
        (tenant_id, batch_id, created_at, updated_at, id, code_digest, key_id, hint, label, max_uses, expires_at)
    SELECT $1, $2, $3, $3, substr($4, key * 48 + 1, 16), substr($4, key * 48 + 17, 32),
        value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each($5)";

impl Handle<OpenTransaction> {
    pub(crate) async fn insert_many_codes(&mut self, issue: &CodeIssue, codes: &[NewCode]) -> Result<(), StoreError> {
        if codes.is_empty() {
            return Ok(());
        }
        if self.backend() == DbBackend::Postgres {
            let copied = self.connection.copy_in(POSTGRES, binary_rows(issue, codes)).await;
            return self.note(Model::WHAT, copied).map(|_| ());
        }
        for codes in codes.chunks(ROWS) {
            let insert = self.sqlite_insert(issue, codes)?;
            self.write(Model::WHAT, insert).await?;
        }
        Ok(())
    }

    fn sqlite_insert(&self, issue: &CodeIssue, codes: &[NewCode]) -> Result<Statement, StoreError> {
        let mut keys = Vec::with_capacity(codes.len() * 48);
        for code in codes {
            keys.extend_from_slice(code.id.uuid().as_bytes());
            keys.extend_from_slice(code.digest.as_bytes());
        }
        let rest = codes.iter().map(|code| {
            let label = code.label.as_ref().map(Label::as_str);
            let expires_at = code.expires_at.map(|moment| DbTime::from(moment).text());
            (code.key_id.as_str(), &code.hint, label, code.max_uses, expires_at)
        });
        let rest = json_list(rest).map_err(|failure| StoreError::Failed(Box::new(failure)))?;
        let created = DbTime::from(issue.created_at);
        let values = [issue.tenant_id.uuid().into(), issue.batch_id.uuid().into(), created.into(), keys.into(), rest.into()];
        Ok(self.sql(SQLITE, values))
    }
}

/// A list of what comes, of which each is let go when it is written.
fn json_list(items: impl ExactSizeIterator<Item = impl Serialize>) -> Result<String, serde_json::Error> {
    let mut list = Vec::with_capacity(items.len() * 48);
    serde_json::Serializer::new(&mut list).collect_seq(items)?;
    String::from_utf8(list).map_err(serde_json::Error::custom)
}

/// The codes as PostgreSQL's COPY takes them, some at a time.
fn binary_rows(issue: &CodeIssue, codes: &[NewCode]) -> impl Iterator<Item = Vec<u8>> {
    let mut rows = BinaryRows::of(11);
    let mut rest = codes.chunks(SENT);
    iter::from_fn(move || {
        let codes = rest.next()?;
        for code in codes {
            add_row(&mut rows, issue, code);
        }
        if rest.len() == 0 {
            rows.end();
        }
        Some(rows.take())
    })
}

fn add_row(rows: &mut BinaryRows, issue: &CodeIssue, code: &NewCode) {
    rows.begin();
    rows.uuid(issue.tenant_id.uuid());
    rows.uuid(issue.batch_id.uuid());
    rows.moment(issue.created_at.into());
    rows.moment(issue.created_at.into());
    rows.uuid(code.id.uuid());
    rows.bytes(code.digest.as_bytes());
    rows.text(code.key_id.as_str());
    rows.text(&code.hint);
    match &code.label {
        Some(label) => rows.text(label.as_str()),
        None => rows.null(),
    }
    rows.bigint(code.max_uses.into());
    match code.expires_at {
        Some(end) => rows.moment(end.into()),
        None => rows.null(),
    }
}
