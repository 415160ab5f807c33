//! What is shown once: codes, as they are issued. The page is an answer to what was sent, and no address leads to it again.
//!
//! A page holds the texts of a few hundred codes, and a file of them in itself. Of more, what is kept under the form's key is the file, and
//! the page that is made of it has the first few and a form: that sends once more what was sent, and asks for the file. So a large issue
//! is a small page, whoever misses the file gets it again while the key is kept, and nothing needs a script.

use actix_web::{
    HttpResponse,
    body::to_bytes,
    http::header::{CONTENT_TYPE, HeaderMap, LOCATION},
};
use askama::Template;
use data_encoding::BASE64;
use futures_util::stream;
use tenantry_domain::{BatchId, IssuedBatch, IssuedCode, Label, ReissuedCode, Timestamp};

use super::dashboard::grouped;
use crate::{
    console::{form::Form, view::Shell},
    csv_answer::{Rows, csv_answer},
    endpoints::admin::bulk_issue::{COLUMNS, rows},
    errors::ErrorCode,
    problem::Problem,
};

/// The most codes whose texts a page holds.
pub(super) const MOST_ON_A_PAGE: usize = 500;

/// How many texts a page holds where there are more than that.
const FIRST: usize = 10;

/// The field that says how codes are to be had, and what it says where their page asks for their file.
const AS: &str = "as";
const FILE: &str = "file";

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
    batch: BatchId,
    label: Option<Label>,
    expires_at: Option<Timestamp>,
    max_uses: u32,
}

impl Codes {
    pub fn of(IssuedBatch { batch_id: batch, label, expires_at, max_uses, codes }: IssuedBatch) -> Self {
        Self { codes, batch, label, expires_at, max_uses }
    }

    /// A code that was given a new text.
    pub fn one(ReissuedCode { code, text }: ReissuedCode) -> Self {
        let issued = IssuedCode { id: code.id, code: text };
        Self {
            codes: vec![issued],
            batch: code.batch_id,
            label: code.label,
            expires_at: code.expires_at,
            max_uses: code.max_uses,
        }
    }

    /// Whether they are more than a page holds.
    pub fn are_many(&self) -> bool {
        self.codes.len() > MOST_ON_A_PAGE
    }

    fn file(&self) -> Vec<u8> {
        let mut file = Rows::head(COLUMNS).into_bytes().to_vec();
        file.extend_from_slice(&rows(&self.codes, self.label.as_ref(), self.expires_at, self.max_uses));
        file
    }

    /// The answer that is kept of many: their file. `location`: what they were issued to.
    pub fn as_file(&self, location: &str) -> HttpResponse {
        let batch = self.batch;
        let mut answer = HttpResponse::Ok();
        answer.insert_header((BATCH, batch.to_string())).insert_header((LOCATION, location));
        csv_answer(answer, format!("codes-{batch}.csv"), stream::iter([Ok(self.file().into())]))
    }
}

const BATCH: &str = "x-batch-id";

/// Texts, to be read, copied or downloaded.
pub(super) struct Texts {
    pub count: usize,
    /// The same, to be read.
    pub grouped: String,
    pub lines: String,
    /// Their file, in an address that holds all of it; `None` where they are many.
    pub csv: Option<String>,
    /// How to get the file of many.
    pub fetch: Option<Fetch>,
}

impl From<Codes> for Texts {
    fn from(codes: Codes) -> Self {
        let count = codes.codes.len();
        let lines = codes.codes.iter().map(|issued| issued.code.reveal().to_string()).collect::<Vec<_>>().join("\n");
        let csv = format!("data:text/csv;charset=utf-8;base64,{}", BASE64.encode(&codes.file()));
        Self { count, grouped: count.to_string(), lines, csv: Some(csv), fetch: None }
    }
}

/// The form that fetches a file.
pub(super) struct Fetch {
    pub address: String,
    pub fields: Vec<(String, String)>,
    /// What the codes are, should the file be missed.
    pub batch: String,
}

/// What a form asks for, and what stands for it under its key: its page and its file are answers to the same.
pub(super) struct Asked {
    fields: Vec<(String, String)>,
    keyed: bool,
    file: bool,
}

impl Asked {
    pub fn of(form: &Form) -> Self {
        Self { fields: form.all_but(AS), keyed: form.has(Form::KEY), file: form.value(AS) == FILE }
    }

    pub fn bytes(&self) -> Vec<u8> {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish().into_bytes()
    }

    /// Whether it is a page that asks for the file of what was issued before.
    pub fn is_for_file(&self) -> bool {
        self.file
    }

    /// Refuses to issue codes to a page that asks for a file: what it asks for isn't kept any more.
    pub fn issues(&self) -> Result<(), Problem> {
        if self.file { Err(Problem::new(ErrorCode::Conflict, LOST)) } else { Ok(()) }
    }

    /// What an answer is told as: as it is, or by a page of its own.
    pub async fn told(self, address: &str, answer: HttpResponse) -> Result<Told, Problem> {
        let is_file = text(answer.headers(), CONTENT_TYPE.as_str()).starts_with("text/csv");
        if self.file || !self.keyed || !is_file {
            return Ok(Told::AsItIs(answer));
        }
        let (batch, location) = (text(answer.headers(), BATCH), text(answer.headers(), LOCATION.as_str()));
        let file = to_bytes(answer.into_body()).await.map_err(|_| Problem::internal())?;
        let (count, first) = first_of(&file);
        let fetch = Fetch { address: address.to_owned(), fields: self.fields, batch: format!("/admin/batches/{batch}") };
        let grouped = grouped(count.try_into().unwrap_or(u64::MAX));
        Ok(Told::Many { texts: Texts { count, grouped, lines: first.join("\n"), csv: None, fetch: Some(fetch) }, location })
    }
}

const LOST: &str = "their file was kept for a day, which is over, and nobody can show these codes again. Revoke their batch, and issue as many \
    anew";

/// How codes are told.
pub(super) enum Told {
    AsItIs(HttpResponse),
    /// By a page that is made of their file; `location`: what they were issued to.
    Many {
        texts: Texts,
        location: String,
    },
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// How many codes a file has, and the texts of the first.
fn first_of(file: &[u8]) -> (usize, Vec<String>) {
    let mut records = csv::Reader::from_reader(file).into_byte_records();
    let text = |record: csv::ByteRecord| record.get(1).map(|text| String::from_utf8_lossy(text).into_owned());
    let first: Vec<_> = records.by_ref().take(FIRST).flatten().filter_map(text).collect();
    (first.len() + records.count(), first)
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{Clock as _, Id, PlainCode, SystemClock, SystemEntropy};

    use super::*;

    fn codes(count: usize) -> Codes {
        let (now, entropy) = (SystemClock.now(), SystemEntropy);
        let one = |_| IssuedCode { id: Id::generate(now, &entropy), code: PlainCode::generate(&entropy) };
        let label = Label::parse("=\"Spring\",\r\n").ok();
        Codes { codes: (0..count).map(one).collect(), batch: Id::generate(now, &entropy), label, expires_at: None, max_uses: 1 }
    }

    async fn told(sent: &[u8], codes: &Codes) -> Told {
        Asked::of(&Form::parse(sent)).told("/here", codes.as_file("/admin/tenants/x")).await.unwrap()
    }

    #[actix_web::test]
    async fn many_codes_are_told_by_the_first_and_a_form_that_fetches_all() {
        let codes = codes(MOST_ON_A_PAGE + 1);
        assert!(codes.are_many());
        let Told::Many { texts, location } = told(b"count=501&as=page&form_key=k%26", &codes).await else { panic!("a page") };
        let first: Vec<_> = codes.codes[..FIRST].iter().map(|issued| issued.code.reveal().to_string()).collect();
        assert_eq!((texts.count, texts.grouped.as_str(), texts.csv), (501, "501", None));
        assert_eq!((texts.lines, location.as_str()), (first.join("\n"), "/admin/tenants/x"));
        let fetch = texts.fetch.unwrap();
        assert_eq!(fetch.batch, format!("/admin/batches/{}", codes.batch));
        assert_eq!(fetch.fields, [("count".to_owned(), "501".to_owned()), ("form_key".to_owned(), "k&".to_owned())]);
    }

    #[actix_web::test]
    async fn a_file_is_answered_to_who_asks_for_it_and_to_who_could_not_ask_again() {
        let codes = codes(3);
        for sent in [&b"as=file&form_key=k"[..], b"as=page", b""] {
            let Told::AsItIs(answer) = told(sent, &codes).await else { panic!("the file") };
            let file = to_bytes(answer.into_body()).await.unwrap();
            assert_eq!(first_of(&file).0, 3, "{sent:?}");
        }
    }

    #[test]
    fn a_page_and_its_file_are_answers_to_the_same() {
        let bytes = |sent: &[u8]| Asked::of(&Form::parse(sent)).bytes();
        assert_eq!(bytes(b"name=%C3%84+b&form_key=k&as=file"), bytes(b"name=%C3%84+b&as=page&form_key=k"));
        assert_ne!(bytes(b"name=a&form_key=k"), bytes(b"name=b&form_key=k"));
        assert!(Asked::of(&Form::parse(b"as=file")).issues().is_err() && Asked::of(&Form::parse(b"as=page")).issues().is_ok());
    }
}
