//! What is shown once: codes, as they are issued. The page is an answer to what was sent, and no address leads to it again.

use askama::Template;
use data_encoding::BASE64;
use tenantry_domain::{IssuedBatch, IssuedCode, Label, ReissuedCode, Timestamp};

use crate::{
    console::view::Shell,
    csv_answer::Rows,
    endpoints::admin::bulk_issue::{COLUMNS, rows},
};

#[derive(Template)]
#[template(path = "console/admin/reveal.html")]
pub(super) struct RevealPage<'a> {
    pub shell: &'a Shell,
    pub title: String,
    pub trail: Next,
    /// Where codes can be issued, if they could not be.
    pub failed: Option<Next>,
    pub texts: Option<Texts>,
    /// Where the tenant signs in, and as which account.
    pub sign_in: Option<(String, String)>,
    pub next: Next,
}

/// Where to go from here.
pub(super) struct Next {
    pub label: String,
    pub address: String,
}

impl Next {
    pub fn new(label: impl Into<String>, address: impl Into<String>) -> Self {
        Self { label: label.into(), address: address.into() }
    }
}

/// Codes with their texts.
pub(super) struct Codes {
    pub codes: Vec<IssuedCode>,
    pub label: Option<Label>,
    pub expires_at: Option<Timestamp>,
    pub max_uses: u32,
}

impl Codes {
    pub fn of(batch: IssuedBatch) -> Self {
        Self { codes: batch.codes, label: batch.label, expires_at: batch.expires_at, max_uses: batch.max_uses }
    }

    /// A code that was given a new text.
    pub fn one(ReissuedCode { code, text }: ReissuedCode) -> Self {
        let issued = IssuedCode { id: code.id, code: text };
        Self { codes: vec![issued], label: code.label, expires_at: code.expires_at, max_uses: code.max_uses }
    }
}

/// Texts, to be read, copied or downloaded.
pub(super) struct Texts {
    pub count: usize,
    pub lines: String,
    /// The same as a file, in an address that holds all of it.
    pub csv: String,
}

impl From<Codes> for Texts {
    fn from(Codes { codes, label, expires_at, max_uses }: Codes) -> Self {
        let lines = codes.iter().map(|issued| issued.code.reveal().to_string()).collect::<Vec<_>>().join("\n");
        let mut file = Rows::head(COLUMNS).into_bytes().to_vec();
        file.extend_from_slice(&rows(&codes, label.as_ref(), expires_at, max_uses));
        Self { count: codes.len(), lines, csv: format!("data:text/csv;charset=utf-8;base64,{}", BASE64.encode(&file)) }
    }
}
