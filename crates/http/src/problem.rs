//! Errors as clients see them: `application/problem+json` (RFC 9457).

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;
use tenantry_domain::InvalidValue;
use time::Duration;
use utoipa::ToSchema;

use crate::{errors::ErrorCode, import_report::ImportReportJson, observer::Failure};

/// An error that a client is told. The envelope turns it into a body, because only that knows the request's id.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub code: ErrorCode,
    pub detail: Cow<'static, str>,
    pub fields: Vec<FieldProblem>,
    pub retry_after: Option<Duration>,
    /// The methods that the path has, where the method was wrong.
    pub allow: Option<String>,
    /// What an import found, where it was refused.
    pub report: Option<Box<ImportReportJson>>,
    /// Why the request was not served, where that was no fault of its own: for the observer, and not told.
    pub failure: Option<Failure>,
    /// Whether the store cut off what was asked for, and it is certain that no part of it took place.
    pub certainly_undone: bool,
}

/// What is wrong with one field of the input.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FieldProblem)]
pub(crate) struct FieldProblem {
    /// Where: a JSON pointer into the body, or `?name` for a parameter of the query.
    pub pointer: String,
    /// What is wrong, for programs.
    pub code: Cow<'static, str>,
    /// What is wrong, and what would be right.
    pub detail: String,
}

/// An error.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemJson<'a> {
    /// The code as a URI.
    r#type: String,
    /// The code in words, the same each time.
    title: &'static str,
    /// The answer's status.
    status: u16,
    /// What went wrong this time, and what to do.
    detail: &'a str,
    /// The request's id.
    instance: &'a str,
    /// One of a closed list; programs rely on it.
    #[schema(value_type = ErrorCode)]
    code: &'static str,
    /// What is wrong with which fields of the input.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldProblem],
    /// What an import found, where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ImportReportJson, required = false)]
    report: Option<&'a ImportReportJson>,
}

impl Problem {
    pub fn new(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            retry_after: None,
            allow: None,
            report: None,
            failure: None,
            certainly_undone: false,
        }
    }

    /// What is missing, and what another tenant owns.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "there is nothing here that is yours")
    }

    /// One field that was refused.
    pub fn field(pointer: impl Into<String>, invalid: InvalidValue) -> Self {
        let mut fields = Fields::default();
        fields.refuse(pointer, invalid);
        fields.into_problem()
    }

    /// A query with a parameter that is unknown or can't be taken.
    pub fn bad_query(error: &actix_web::error::QueryPayloadError) -> Self {
        let detail = match error {
            actix_web::error::QueryPayloadError::Deserialize(error) => error.to_string(),
            _ => "the query can't be read".to_owned(),
        };
        Self::field("?", InvalidValue::new("invalid_query", detail))
    }

    /// A path that has other methods.
    pub fn method_not_allowed(allow: &str) -> Self {
        let mut problem = Self::new(ErrorCode::MethodNotAllowed, format!("this path has {allow}"));
        problem.allow = Some(allow.to_owned());
        problem
    }

    /// Says why the request was not served.
    pub const fn because(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// The problem as one of a field, where it is none of a field yet and the client could mend it there.
    pub fn beside(mut self, pointer: &str) -> Self {
        if self.fields.is_empty() && self.code.status().is_client_error() {
            let (code, detail) = (Cow::Borrowed(self.code.as_str()), self.detail.to_string());
            self.fields.push(FieldProblem { pointer: pointer.to_owned(), code, detail });
        }
        self
    }

    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The answer, whole but for the headers that every answer carries.
    pub fn render(&self, request_id: &str) -> HttpResponse {
        let status = self.code.status();
        let code = self.code.as_str();
        let body = ProblemJson {
            r#type: format!("urn:tenantry:problem:{code}"),
            title: self.code.title(),
            status: status.as_u16(),
            detail: &self.detail,
            instance: request_id,
            code,
            errors: &self.fields,
            report: self.report.as_deref(),
        };
        let mut response = self.head(status);
        response.content_type("application/problem+json");
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }

    pub(crate) fn head(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        if let Some(after) = self.retry_after {
            // Rounded up: whoever waits that long is let in.
            let seconds = after.whole_seconds() + i64::from(after.subsec_nanoseconds() > 0);
            response.insert_header((header::RETRY_AFTER, seconds.max(1).to_string()));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"tenantry\""));
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.render("")
    }
}

/// Collects what is wrong with the fields of one input, so that a client learns all of it at once.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<FieldProblem>);

impl Fields {
    /// The value, or a note of why there is none.
    pub fn take<T>(&mut self, pointer: impl Into<String>, parsed: Result<T, InvalidValue>) -> Option<T> {
        parsed.map_err(|invalid| self.refuse(pointer, invalid)).ok()
    }

    /// The same for a value that may be absent: `Some(None)` when it is.
    pub fn take_optional<T>(&mut self, pointer: &str, parsed: Option<Result<T, InvalidValue>>) -> Option<Option<T>> {
        parsed.map_or(Some(None), |parsed| self.take(pointer, parsed).map(Some))
    }

    pub fn refuse(&mut self, pointer: impl Into<String>, invalid: InvalidValue) {
        self.0.push(FieldProblem { pointer: pointer.into(), code: Cow::Borrowed(invalid.code), detail: invalid.detail });
    }

    /// Takes what another reading of the same input found.
    pub fn join(&mut self, problem: Problem) {
        self.0.extend(problem.fields);
    }

    /// The problem that all the notes make together.
    pub fn into_problem(self) -> Problem {
        let mut problem = Problem::new(ErrorCode::ValidationFailed, "the input has fields that can't be taken; see `errors`");
        problem.fields = self.0;
        problem
    }
}
