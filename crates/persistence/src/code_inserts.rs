//! Many codes in one statement. Built row by row, a statement's text and its thousands of values cost more than the rows.

use sea_orm::{DbBackend, Statement, Value};
use serde_json::json;
use tenantry_domain::{NewCode, StoreError, ports::CodeIssue};

use crate::{Handle, connection::OpenTransaction, entities::codes::Model, row::Row, timestamp::DbTime};

/// Codes of one statement: about half a megabyte.
const ROWS: usize = 5_000;

/// A column an array. Arrays have no nulls here: an empty label stands for none, and a year before all others for no end.
const POSTGRES: &str = "
    INSERT INTO activation_codes
        (tenant_id, batch_id, created_at, updated_at, id, code_digest, key_id, hint, label, max_uses, expires_at)
    SELECT $1, $2, $3, $3, id, code_digest, key_id, hint, NULLIF(label, ''), max_uses, NULLIF(expires_at, $4)
    FROM unnest($5::uuid[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::timestamptz[])
        AS codes (id, code_digest, key_id, hint, label, max_uses, expires_at)";

/// Identifiers and digests in one blob, 48 bytes a code; the rest as JSON, of which the place in the blob is `key`.
const SQLITE: &str = "
    INSERT INTO activation_codes
        (tenant_id, batch_id, created_at, updated_at, id, code_digest, key_id, hint, label, max_uses, expires_at)
    SELECT $1, $2, $3, $3, substr($4, key * 48 + 1, 16), substr($4, key * 48 + 17, 32),
        value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each($5)";

impl Handle<OpenTransaction> {
    pub(crate) async fn insert_many_codes(&mut self, issue: &CodeIssue, codes: &[NewCode]) -> Result<(), StoreError> {
        for codes in codes.chunks(ROWS) {
            let insert = match self.backend() {
                DbBackend::Postgres => self.postgres_insert(issue, codes),
                _ => self.sqlite_insert(issue, codes),
            };
            self.write(Model::WHAT, insert).await?;
        }
        Ok(())
    }

    fn postgres_insert(&self, issue: &CodeIssue, codes: &[NewCode]) -> Statement {
        fn column<T>(codes: &[NewCode], of: impl Fn(&NewCode) -> T) -> Value
        where
            Vec<T>: Into<Value>,
        {
            codes.iter().map(of).collect::<Vec<T>>().into()
        }
        let [tenant, batch, created] = common(issue);
        let values = [
            tenant,
            batch,
            created,
            DbTime::BEFORE_ALL.into(),
            column(codes, |code| code.id.uuid()),
            column(codes, |code| code.digest.as_bytes().to_vec()),
            column(codes, |code| code.key_id.as_str().to_owned()),
            column(codes, |code| code.hint.clone()),
            column(codes, |code| code.label.as_ref().map_or_else(String::new, |label| label.as_str().to_owned())),
            column(codes, |code| i64::from(code.max_uses)),
            column(codes, |code| code.expires_at.map_or(DbTime::BEFORE_ALL, DbTime::from).utc()),
        ];
        self.sql(POSTGRES, values)
    }

    fn sqlite_insert(&self, issue: &CodeIssue, codes: &[NewCode]) -> Statement {
        let keys: Vec<u8> =
            codes.iter().flat_map(|code| [&code.id.uuid().into_bytes()[..], code.digest.as_bytes()].concat()).collect();
        let rest = codes.iter().map(|code| {
            let label = code.label.as_ref().map(tenantry_domain::Label::as_str);
            let expires_at = code.expires_at.map(|moment| DbTime::from(moment).text());
            json!([code.key_id.as_str(), code.hint, label, code.max_uses, expires_at])
        });
        let rest = serde_json::Value::Array(rest.collect()).to_string();
        let [tenant, batch, created] = common(issue);
        self.sql(SQLITE, [tenant, batch, created, keys.into(), rest.into()])
    }
}

fn common(issue: &CodeIssue) -> [Value; 3] {
    [issue.tenant_id.uuid().into(), issue.batch_id.uuid().into(), DbTime::from(issue.created_at).into()]
}
